"""Does a driver move a KPI, after how long, and does it still? Tested on the accounts' own histories. Pure, and the same every time.

The method, in the order of the code:

1. *Changes.* Of the driver, each account's relative change (b - a) / (|a| + |b|) from its last known value. Of the KPI the change
   from the last known value; of one that is about the period itself, such as retention, its value.
2. *Ranks within a period.* Accounts are compared with each other in the same period only, so what hits all of them at once (a season, a
   release) is no evidence. Ties share their mean rank.
3. *Lead.* For every lag of 1 to `lags` periods the rank correlation of the driver's change with the KPI's that many periods later, over
   all accounts and periods (C. Spearman, 1904, pooled over periods). The lag with the largest one, either way, is the lead. Lag 0 is
   left out: who leaves stops to log in on the same day.
4. *Chance.* The accounts' driver histories are dealt out anew among the accounts, each history whole. The p-value is the share of
   `DEALS` deals whose largest correlation over all lags is at least as large: choosing the best of many lags is paid for
   (P. H. Westfall and S. S. Young, "Resampling-Based Multiple Testing", 1993).
5. *Interval.* Accounts are drawn with replacement, each with its whole history as one block (C. A. Field and A. H. Welsh, "Bootstrapping
   Clustered Data", JRSS B 69 (2007) 369-390): 95 % percentiles of the correlation at the lead, and of the lead.

An edge is claimed when p is at most `CHANCE` and the interval doesn't hold 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
"""Accounts x periods; unknown is nan."""

DEALS, DRAWS = 399, 399
CHANCE = 0.01
LEAST_ACCOUNTS = 30
LEAST_PERIODS = 8  # in which both are known, after the lag
LEAST_MOVED = 8  # accounts whose KPI ever differs from that of others, and whose driver does
LATEST_SHARE = 3  # the latest third of the periods is compared with those before

State = Literal["holds", "opposite", "not_seen", "stopped", "too_little_data"]


@dataclass(frozen=True, slots=True)
class Strength:
    """Rank correlation at the lead, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Tested:
    """`lead` in periods. Unknown where there is too little data. `latest`: of the latest periods alone, where there is enough."""

    state: State
    accounts: int
    periods: int
    moved: int
    strength: Strength | None = None
    p: float | None = None
    lead: int | None = None
    lead_low: int | None = None
    lead_high: int | None = None
    latest: Strength | None = None

    @property
    def claimed(self) -> bool:
        return self.state in ("holds", "opposite")


def tested(driver: Matrix, kpi: Matrix, *, raises: bool, flow: bool, lags: int, seed: int) -> Tested:
    """`raises`: a higher driver is believed to raise the KPI. `flow`: the KPI is about the period itself."""
    x, y = _ranked(_relative(driver)), _ranked(kpi if flow else _changes(kpi))
    found = _tested(x, y, lags, seed, raises=raises)
    window = x.shape[1] - x.shape[1] // LATEST_SHARE
    earlier = _tested(x[:, :window], y[:, :window], lags, seed, raises=raises)
    if not earlier.claimed or earlier.lead is None:
        return found
    gone, latest = _stopped(x, y, window, earlier.lead, seed)
    if earlier.state == "holds" and gone:
        return Tested(
            "stopped", found.accounts, found.periods, found.moved, earlier.strength, earlier.p, earlier.lead,
            earlier.lead_low, earlier.lead_high, latest,
        )  # fmt: skip
    return Tested(
        found.state, found.accounts, found.periods, found.moved, found.strength, found.p, found.lead, found.lead_low,
        found.lead_high, latest,
    )  # fmt: skip


def _tested(x: Matrix, y: Matrix, lags: int, seed: int, *, raises: bool) -> Tested:
    most = min(lags, x.shape[1] - LEAST_PERIODS)
    pairs = ~np.isnan(x[:, :-1]) & ~np.isnan(y[:, 1:]) if x.shape[1] > 1 else np.zeros((len(x), 0), bool)
    there = pairs.any(axis=1)
    accounts, periods = int(there.sum()), int(pairs.any(axis=0).sum())
    moved = min(_moving(y[there]), _moving(x[there]))
    if accounts < LEAST_ACCOUNTS or periods < LEAST_PERIODS or moved < LEAST_MOVED or most < 1:
        return Tested("too_little_data", accounts, periods, moved)
    sums = [_Sums.of(x[there], y[there], lag) for lag in range(1, most + 1)]
    rhos = np.array([one.rho() for one in sums])
    best = int(np.argmax(np.abs(rhos)))
    rng = np.random.default_rng(seed)
    deals = np.array([rng.permutation(accounts) for _ in range(DEALS)])
    largest = np.max(np.abs([one.dealt(deals) for one in sums]), axis=0)
    p = float((1 + np.sum(largest >= abs(rhos[best]))) / (1 + DEALS))
    weights = rng.multinomial(accounts, np.full(accounts, 1 / accounts), DRAWS).astype(np.float64)
    drawn = np.array([one.drawn(weights) for one in sums])
    sign = 1.0 if rhos[best] >= 0 else -1.0
    leads = np.argmax(sign * drawn, axis=0) + 1
    strength = _strength(float(rhos[best]), drawn[best])
    seen = p <= CHANCE and strength.low * strength.high > 0
    state: State = "not_seen" if not seen else "holds" if (sign > 0) == raises else "opposite"
    low, high = (round(float(bound)) for bound in np.percentile(leads, [2.5, 97.5]))
    return Tested(state, accounts, periods, moved, strength, p, best + 1, low, high)


def _stopped(x: Matrix, y: Matrix, window: int, lead: int, seed: int) -> tuple[bool, Strength | None]:
    """Whether the latest periods show no such effect, and another one than before, by draws of the same accounts for both."""
    latest_x, latest_y = x[:, window - lead :], y[:, window - lead :]
    both = ~np.isnan(latest_x[:, :-lead]) & ~np.isnan(latest_y[:, lead:])
    there = both.any(axis=1)
    if int(there.sum()) < LEAST_ACCOUNTS or _moving(latest_y[there][:, lead:]) < LEAST_MOVED:
        return False, None
    rng = np.random.default_rng(seed)
    before, after = _Sums.of(x[:, :window], y[:, :window], lead), _Sums.of(latest_x, latest_y, lead)
    weights = rng.multinomial(len(x), np.full(len(x), 1 / len(x)), DRAWS).astype(np.float64)
    first, second = before.drawn(weights), after.drawn(weights)
    sign = 1.0 if before.rho() >= 0 else -1.0
    latest = _strength(after.rho(), second)
    weaker = float(np.percentile(sign * (first - second), 2.5)) > 0
    holds_no_more = latest.low <= 0 <= latest.high or sign * latest.value < 0
    return weaker and holds_no_more, latest


@dataclass(frozen=True)
class _Sums:
    """Of one lag, for every pair of a driver's account and a KPI's: sums over periods of products and of squares."""

    products: Matrix
    x_squares: Matrix
    y_squares: Matrix

    @staticmethod
    def of(x: Matrix, y: Matrix, lag: int) -> _Sums:
        before, after = x[:, :-lag], y[:, lag:]
        x_there, y_there = (~np.isnan(before)).astype(np.float64), (~np.isnan(after)).astype(np.float64)
        xs, ys = np.nan_to_num(before), np.nan_to_num(after)
        return _Sums(xs @ ys.T, (xs * xs) @ y_there.T, x_there @ (ys * ys).T)

    def rho(self) -> float:
        parts = (float(np.trace(part)) for part in (self.products, self.x_squares, self.y_squares))
        return _quotient(*parts)

    def dealt(self, deals: NDArray[np.int64]) -> Matrix:
        """Correlations where account i has the driver of account deals[., i]."""
        own = np.arange(deals.shape[1])
        over, xs, ys = (
            part[deals, own].sum(axis=1) for part in (self.products, self.x_squares, self.y_squares)
        )
        return _quotients(over, xs, ys)

    def drawn(self, weights: Matrix) -> Matrix:
        """Correlations where account i counts weights[., i] times."""
        over, xs, ys = (weights @ np.diag(part) for part in (self.products, self.x_squares, self.y_squares))
        return _quotients(over, xs, ys)


def _quotient(over: float, xs: float, ys: float) -> float:
    return float(_quotients(np.array([over]), np.array([xs]), np.array([ys]))[0])


def _quotients(over: Matrix, xs: Matrix, ys: Matrix) -> Matrix:
    """0 where nothing varies: then nothing is known to go together."""
    under = np.sqrt(xs * ys)
    return np.divide(over, under, out=np.zeros_like(over), where=under > 0)


def _strength(value: float, drawn: Matrix) -> Strength:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Strength(value, float(low), float(high))


def _relative(levels: Matrix) -> Matrix:
    last = _last_known(levels)
    size = np.abs(levels) + np.abs(last)
    change = np.divide(levels - last, size, out=np.zeros_like(levels), where=size > 0)
    return np.where(np.isnan(levels) | np.isnan(last), np.nan, change)


def _changes(levels: Matrix) -> Matrix:
    return levels - _last_known(levels)


def _last_known(levels: Matrix) -> Matrix:
    """The last known value of earlier periods."""
    last = np.full(levels.shape, np.nan)
    for period in range(1, levels.shape[1]):
        before = levels[:, period - 1]
        last[:, period] = np.where(np.isnan(before), last[:, period - 1], before)
    return last


def _ranked(values: Matrix) -> Matrix:
    """Ranks of the accounts in each period, from -0.5 to 0.5 around a mean of 0, ties at their mean; nan stays."""
    found = np.full(values.shape, np.nan)
    for period in range(values.shape[1]):
        known = np.flatnonzero(~np.isnan(values[:, period]))
        if len(known) > 1:
            _, position, counts = np.unique(values[known, period], return_inverse=True, return_counts=True)
            middle = np.cumsum(counts) - (counts + 1) / 2
            found[known, period] = middle[position] / (len(known) - 1) - 0.5
    return found


def _moving(ranks: Matrix) -> int:
    """Accounts that ever have another rank than most in their period."""
    moves = np.zeros(len(ranks), bool)
    for period in range(ranks.shape[1]):
        column = ranks[:, period]
        known = column[~np.isnan(column)]
        if len(known):
            values, counts = np.unique(known, return_counts=True)
            usual = values[np.argmax(counts)]
            moves |= ~np.isnan(column) & (column != usual)
    return int(moves.sum())
