"""Histories of accounts in which it is known whether a driver moves a KPI, and after how long."""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def churning(
    seed: int, *, accounts: int, periods: int, lead: int | None, until: int | None = None
) -> tuple[Matrix, Matrix]:
    """Log-ins per period, and retention per period: 0 in the one in which an account leaves, unknown after it.

    Everybody's log-ins share a season and have ups and downs of their own; a fifth of the accounts lose most of them at some time. With
    `lead` those accounts leave that many periods later (before period `until`), else as many leave at random. Who left logs in no more.
    """
    rng = np.random.default_rng(seed)
    season = 1 + 0.3 * np.sin(np.arange(periods) / 4)
    size = rng.lognormal(3, 1, accounts)[:, None]
    wobble = np.exp(0.15 * np.cumsum(rng.normal(0, 1, (accounts, periods)), axis=1) / 2)
    logins = rng.poisson(size * season * wobble).astype(np.float64)
    kept = np.ones((accounts, periods))
    falls = rng.random(accounts) < 0.35
    for account in range(accounts):
        at = int(rng.integers(2, periods - 1))
        left: int | None = None
        if falls[account]:
            logins[account, at:] = np.floor(logins[account, at:] * 0.2)
        if lead is None:
            left = int(rng.integers(2, periods)) if rng.random() < 0.35 else None
        elif falls[account] and (until is None or at + lead < until):
            left = at + lead
        if left is not None and left < periods:
            kept[account, left] = 0
            kept[account, left + 1 :] = np.nan
            logins[account, left:] = 0
    return logins, kept
