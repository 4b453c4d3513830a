"""Does a driver move a KPI, after how long, and does it still? Tested on the accounts' own histories. Pure, and the same every time.

The method, in the order of the code:

1. *Changes.* Of the driver, each account's relative change (b - a) / (|a| + |b|) from its last known value. Of the KPI the change
   from the last known value; of one that is about the period itself, such as retention, its value.
2. *Ranks within a period.* Accounts are compared with each other in the same period only, so what hits all of them at once (a season, a
   release) is no evidence. Ties share their mean rank.
   *And at the same age.* Of the ranks the means of each age and of each period are taken away (two-way means, by turns): that young
   accounts ramp up in everything at once is no evidence either.
3. *Lead.* For every lag of 1 to `lags` periods the rank correlation of the driver's change with the KPI's that many periods later, over
   all accounts and periods (C. Spearman, 1904, pooled over periods), divided by how far it deviates by chance: a long lag has fewer
   periods, so more of it is chance. The lag with the largest one, either way, is the lead. Lag 0 is left out: who leaves stops to
   log in on the same day.
4. *Chance.* The accounts' driver histories are dealt out anew among the accounts, each history whole. The p-value is the share of
   `DEALS` deals whose largest one over all lags is at least as large: choosing the best of many lags is paid for
   (P. H. Westfall and S. S. Young, "Resampling-Based Multiple Testing", 1993).
5. *Interval.* Accounts are drawn with replacement, each with its whole history as one block (C. A. Field and A. H. Welsh, "Bootstrapping
   Clustered Data", JRSS B 69 (2007) 369-390): 95 % percentiles of the correlation at the lead, and of the lead.

An edge is claimed when p is at most `CHANCE` and the interval doesn't hold 0. Nothing here tells an effect from two figures that count
the same events: their windows overlap, and one goes before the other by arithmetic. Such pairs are not to be tested (`sharing.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
"""Accounts x periods; unknown is nan."""
Periods = NDArray[np.int64]
"""Numbers of periods: by account, or accounts x periods."""

DEALS, DRAWS = 399, 399
CHANCE = 0.01
LEAST_ACCOUNTS = 30
LEAST_PERIODS = 8  # in which both are known, after the lag
LEAST_MOVED = 8  # accounts whose KPI ever differs from that of others, and whose driver does
LATEST_SHARE = 3  # the latest third of the periods is compared with those before
_ROUNDS = (
    10  # of taking away means by age and by period; after five, what is left is far below what chance does
)

State = Literal["holds", "opposite", "not_seen", "stopped", "too_little_data", "shared_events"]


@dataclass(frozen=True, slots=True)
class Strength:
    """Rank correlation at the lead, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Tested:
    """`lead` in periods. Unknown where there is too little data. `latest`: of the latest periods alone, where there is enough.

    `shared_events` is said of pairs that aren't tested at all, so of 0 accounts.
    """

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


def tested(
    driver: Matrix,
    kpi: Matrix,
    *,
    raises: bool,
    flow: bool,
    lags: int,
    seed: int,
    began: Periods | None,
) -> Tested:
    """`raises`: a higher driver is believed to raise the KPI. `flow`: the KPI is about the period itself.

    `began`: of each account the period in which it did, counted from the first column, below 0 before it; nothing of before counts.
    None: all before anybody's ramp. Where the KPI is known later only, age counts from then.
    """
    there = np.arange(kpi.shape[1]) >= (np.full(len(kpi), -kpi.shape[1]) if began is None else began)[:, None]
    driver, kpi = np.where(there, driver, np.nan), np.where(there, kpi, np.nan)
    ages = _ages(kpi, began)
    x = _Side.of(_relative(driver), ages)
    y = _Side.of(kpi if flow else _changes(kpi), ages)
    found = _tested(x, y, lags, seed, raises=raises)
    periods = kpi.shape[1]
    window = periods - periods // LATEST_SHARE
    earlier = _tested(x.within(0, window), y.within(0, window), lags, seed, raises=raises)
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


def _tested(driver: _Side, kpi: _Side, lags: int, seed: int, *, raises: bool) -> Tested:
    x, y = driver.ranks, kpi.ranks
    most = min(lags, x.shape[1] - LEAST_PERIODS)
    pairs = ~np.isnan(x[:, :-1]) & ~np.isnan(y[:, 1:]) if x.shape[1] > 1 else np.zeros((len(x), 0), bool)
    there = pairs.any(axis=1)
    accounts, periods = int(there.sum()), int(pairs.any(axis=0).sum())
    moved = min(kpi.moving(there), driver.moving(there))
    if accounts < LEAST_ACCOUNTS or periods < LEAST_PERIODS or moved < LEAST_MOVED or most < 1:
        return Tested("too_little_data", accounts, periods, moved)
    sums = [_Sums.of(x[there], y[there], lag) for lag in range(1, most + 1)]
    rhos = np.array([one.rho() for one in sums])
    rng = np.random.default_rng(seed)
    deals = np.array([rng.permutation(accounts) for _ in range(DEALS)])
    dealt = np.array([one.dealt(deals) for one in sums])
    chance = dealt.std(axis=1, keepdims=True)
    seldom = _over(rhos[:, None], chance)[:, 0]
    best = int(np.argmax(np.abs(seldom)))
    largest = np.max(np.abs(_over(dealt, chance)), axis=0)
    p = float((1 + np.sum(largest >= abs(seldom[best]))) / (1 + DEALS))
    weights = rng.multinomial(accounts, np.full(accounts, 1 / accounts), DRAWS).astype(np.float64)
    drawn = np.array([one.drawn(weights) for one in sums])
    sign = 1.0 if rhos[best] >= 0 else -1.0
    leads = np.argmax(sign * _over(drawn, chance), axis=0) + 1
    strength = _strength(float(rhos[best]), drawn[best])
    seen = p <= CHANCE and strength.low * strength.high > 0
    state: State = "not_seen" if not seen else "holds" if (sign > 0) == raises else "opposite"
    low, high = (round(float(bound)) for bound in np.percentile(leads, [2.5, 97.5]))
    return Tested(state, accounts, periods, moved, strength, p, best + 1, low, high)


def _stopped(driver: _Side, kpi: _Side, window: int, lead: int, seed: int) -> tuple[bool, Strength | None]:
    """Whether the latest periods show no such effect, and another one than before, by draws of the same accounts for both."""
    x, y = driver.ranks, kpi.ranks
    latest_x, latest_y = x[:, window - lead :], y[:, window - lead :]
    both = ~np.isnan(latest_x[:, :-lead]) & ~np.isnan(latest_y[:, lead:])
    there = both.any(axis=1)
    latest_moved = kpi.within(window, y.shape[1]).moving(there)
    if int(there.sum()) < LEAST_ACCOUNTS or latest_moved < LEAST_MOVED:
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
class _Side:
    """The driver or the KPI as ranks that age and period don't explain, and where an account's rank isn't the usual of its period."""

    ranks: Matrix
    unusual: NDArray[np.bool_]

    @staticmethod
    def of(values: Matrix, ages: Periods) -> _Side:
        ranks = _ranked(values)
        return _Side(_without_age(ranks, ages), _unusual(ranks))

    def within(self, first: int, end: int) -> _Side:
        return _Side(self.ranks[:, first:end], self.unusual[:, first:end])

    def moving(self, accounts: NDArray[np.bool_] | np.bool_) -> int:
        """How many of these ever have another rank than most in their period."""
        return int(self.unusual[accounts].any(axis=1).sum())


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
    return _over(over, np.sqrt(xs * ys))


def _over(values: Matrix, under: Matrix) -> Matrix:
    return np.divide(values, under, out=np.zeros_like(values), where=under > 0)


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


def _ages(kpi: Matrix, began: Periods | None) -> Periods:
    """Accounts x periods: how many periods old, from 1; 0 before its KPI is known; from the number of all periods on all alike."""
    periods = kpi.shape[1]
    known = ~np.isnan(kpi)
    first = np.where(known.any(axis=1), known.argmax(axis=1), periods)
    since = np.where(first == 0, -periods if began is None else np.minimum(began, 0), first)
    return np.clip(np.arange(periods) - since[:, None] + 1, 0, periods)


def _without_age(ranks: Matrix, ages: Periods) -> Matrix:
    """What is left of ranks once neither an age nor a period has a mean of its own; nan stays."""
    left, known = ranks.copy(), ~np.isnan(ranks)
    periods = np.broadcast_to(np.arange(ranks.shape[1]), ranks.shape)
    for _ in range(_ROUNDS):
        for classes in (ages[known], periods[known]):
            sizes = np.maximum(1, np.bincount(classes))
            left[known] -= (np.bincount(classes, left[known]) / sizes)[classes]
    return left


def _unusual(ranks: Matrix) -> NDArray[np.bool_]:
    """Where an account has another rank than most in that period."""
    found = np.zeros(ranks.shape, bool)
    for period in range(ranks.shape[1]):
        column = ranks[:, period]
        known = ~np.isnan(column)
        if known.any():
            values, counts = np.unique(column[known], return_counts=True)
            found[:, period] = known & (column != values[np.argmax(counts)])
    return found
