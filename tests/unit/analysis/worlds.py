"""Histories of accounts in which it is known whether a driver moves a KPI, and after how long."""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Periods = NDArray[np.int64]


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


def silent_before_leaving(seed: int) -> tuple[Matrix, Matrix]:
    """80 accounts, 22 months of fees and 12 of use: late on 20 fall silent and 12 of them leave a month later, as do 3 others."""
    rng = np.random.default_rng(seed)
    use, kept = rng.integers(6, 11, (80, 22)) / 10, np.ones((80, 22))
    use[:, :10] = 0
    drawn = rng.permutation(80)
    use[drawn[:20], 19:] = 0
    leavers = [*drawn[:12], *drawn[20:23]]
    kept[leavers, 20], kept[leavers, 21:] = 0, np.nan
    return use, kept


def windows(seed: int) -> tuple[Matrix, Matrix]:
    """Two counts of other events each, with ups and downs of their own, both over four periods: as overlapping as figures get."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(8 * np.exp(_drifting(rng, (2, 120, 55), 0.9, 0.15)))
    sums = np.cumsum(np.pad(counts, ((0, 0), (0, 0), (1, 0))), axis=2)
    driver, kpi = (sums[:, :, 4:] - sums[:, :, :-4]).astype(np.float64)
    return driver, kpi


def growing(seed: int) -> tuple[Matrix, Matrix]:
    """Everybody grows alike and has the same season; large and small accounts differ a thousandfold."""
    rng = np.random.default_rng(seed)
    size, periods = rng.lognormal(2, 1, 120)[:, None], np.arange(52)
    usual = size * np.exp(0.03 * periods) * (1 + 0.4 * np.sin(periods / 4))
    return rng.poisson(usual).astype(np.float64), rng.poisson(usual / 2).astype(np.float64)


def joining(seed: int, *, known_before: bool) -> tuple[Matrix, Matrix, Periods]:
    """Every account ramps up alike in both, and they join in other periods, half of them before the first; and in which.

    Before it joined an account's KPI is 0 with `known_before`, else unknown.
    """
    rng = np.random.default_rng(seed)
    began, periods = rng.integers(-45, 45, 120), np.arange(52)
    age = periods - began[:, None]
    there = age >= 0
    driver = np.where(there, rng.poisson(20 * _ramp(age, 3)), 0.0)
    kpi = np.where(there, _ramp(age, 6) + rng.normal(0, 0.05, age.shape), 0.0 if known_before else np.nan)
    return driver, kpi, began


def leaving_young(seed: int) -> tuple[Matrix, Matrix, Periods]:
    """Accounts try much when they are new, and many leave at an age of three to five periods, whatever they tried."""
    rng = np.random.default_rng(seed)
    began, periods = rng.integers(-24, 30, 150), np.arange(36)
    age = periods - began[:, None]
    usual = rng.lognormal(2.5, 0.7, 150)[:, None] * (1 + 2 * np.exp(-np.maximum(age, 0) / 4))
    leaves = (age >= 0) & (rng.random(age.shape) < np.where((age >= 3) & (age <= 5), 0.12, 0.01))
    left = np.cumsum(leaves, axis=1)
    driver = np.where((age >= 0) & (left == 0), rng.poisson(usual), 0.0)
    kept = np.where((age < 0) | (left > 1) | ((left == 1) & ~leaves), np.nan, 1.0 - leaves)
    return driver, kept, began


def following(seed: int, *, lead: int, raises: bool, join: bool) -> tuple[Matrix, Matrix, Periods]:
    """The KPI follows an account's own use after `lead` periods, among drifts of its own; with `join` both ramp up as in `joining`."""
    rng = np.random.default_rng(seed)
    use, own = _drifting(rng, (150, 52), 0.7, 0.4), _drifting(rng, (150, 52), 0.9, 0.4)
    began = rng.integers(-30, 40, 150) if join else np.full(150, -52)
    age = np.arange(52) - began[:, None]
    size = rng.lognormal(2.5, 0.7, 150)[:, None]
    driver = np.where(age >= 0, rng.poisson(size * np.exp(use) * _ramp(age, 3)), 0.0)
    moved = np.pad(use, ((0, 0), (lead, 0)))[:, :52]
    kpi = (moved if raises else -moved) + own + 5 * _ramp(age, 6)
    return driver, np.where(age >= 0, kpi, np.nan), began


def _ramp(age: NDArray[np.int64], periods: float) -> Matrix:
    ramp: Matrix = 1 - np.exp(-(np.maximum(age, 0) + 1) / periods)
    return ramp


def _drifting(rng: np.random.Generator, shape: tuple[int, ...], stays: float, spread: float) -> Matrix:
    """What is left of the period before, and something new."""
    drift = rng.normal(0, spread, shape)
    for period in range(1, shape[-1]):
        drift[..., period] += stays * drift[..., period - 1]
    return drift
