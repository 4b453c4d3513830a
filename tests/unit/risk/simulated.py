"""Account-months of customers whose reasons to leave are known, and their renewals."""

import datetime as dt
from functools import cache
from typing import Any

import numpy as np

from common.risk.training import AccountMonth, PastRenewal

START = dt.datetime(2022, 1, 1, tzinfo=dt.UTC)
BASE_RATE = 0.2
MONTH = dt.timedelta(days=30)


@cache
def world(
    seed: int, accounts: int, months: int = 48, silence: float = 0.9, trend: float = -1.2
) -> tuple[list[AccountMonth], list[PastRenewal]]:
    """Everybody has terms of 12 months. `silence` and `trend`: what a deviation of them adds to the log-odds of leaving."""
    random = np.random.default_rng(seed)
    rows: list[AccountMonth] = []
    renewals: list[PastRenewal] = []
    for account in range(accounts):
        tired, falling = random.normal(size=2)
        first = int(random.integers(0, months - 12))
        asked: tuple[dt.datetime, dict[str, Any], int] | None = None
        for month in range(first, months):
            to_due = 11 - (month - first) % 12
            figures = figures_of(tired, falling, month - first, random)
            at = START + month * MONTH
            eta = (
                -5.0
                + (3.6 if to_due == 0 else 0.4 if to_due <= 2 else 0.0)
                + silence * tired
                + trend * falling
            )
            left = bool(random.random() < 1 / (1 + np.exp(-eta)))
            rows.append(AccountMonth(account, at, figures, to_due, left, at + 2 * MONTH))
            if to_due == 3:
                asked = (at, figures, to_due)
            if asked and (left or to_due == 0):
                renewals.append(PastRenewal(account, *asked, BASE_RATE, left, at + MONTH))
                asked = None
            if left:
                break
    return rows, renewals


def figures_of(tired: float, falling: float, age: int, random: np.random.Generator) -> dict[str, Any]:
    """`tired` and `falling` are deviations; some of what is not a reason is there too, and some is not known."""
    return {
        "days_silent": float(np.expm1(2 + 0.5 * tired)) if tired > -3 else 0.0,
        "login_trend": float(0.3 * falling),
        "active_users_28d": int(random.integers(0, 40)),
        "complaints_28d": int(random.poisson(0.3)),
        "nps_latest": float(random.integers(0, 11)) if random.random() < 0.3 else None,
        "mrr": float(random.lognormal(6, 1)),
        "paying_days": 30.0 * age,
        "renewals_kept": age // 12,
    }
