"""Signals asked of many rows at once: of accounts today, or of the days of one account's past. One formula for both.

Point signals (`level`, `burst`, `silent`) are of the moment; `moved` reads finished local days alone, so nothing of today changes it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from common.catalogue.signal_figures import COMPARED_FROM
from common.catalogue.signals import Bound, Burst, Level, Moved, Signal, Silent
from common.signals import counts
from common.signals.weeks import (
    WEEK,
    Booleans,
    Floats,
    Int64s,
    Weeks,
    movement_last_year,
    movement_of_others,
    weeks_of,
)

# Before anything was counted an account may be taken to have half an event in a week.
_PRIOR_EVENTS, _PRIOR_WEEKS = 0.5, 1.0
# A dip of last year that is less than half of the fall which is asked about explains none, and chance alone makes such ones.
_LEAST_OF_A_SEASON = 0.5
# Whose days tell silence; of how many of them one of last year is looked for; and by how many days seasons may come and last otherwise.
ACTIVITY, _SILENCE_SPAN, _GRACE_DAYS = "active_accounts", 113, 7
# Counts of these rows on the days of `Rows.days` a year before, and which of them can be compared.
LastYear = Callable[[str, Int64s], tuple[Floats, Booleans]]


@dataclass(frozen=True, slots=True)
class Rows:
    """What signals are asked of; NaN is unknown.

    `figures`: a number a row. `days`: by measure, counts of local days, a column each, today's last. `others`: the same,
    by trait and measure, of all accounts that have the row's value of the trait (`Moved.excused_by`). `included`: days that can be compared, of the widest span: since the account began,
    and no holidays. `begun`: the same, holidays too. `last_year` is asked of the few rows that something depends on.
    """

    size: int
    figures: Mapping[str, Floats]
    days: Mapping[str, Floats]
    others: Mapping[tuple[str, str], Floats]
    included: Booleans
    begun: Booleans
    last_year: LastYear

    def figure(self, name: str) -> Floats:
        return self.figures[name] if name in self.figures else np.full(self.size, np.nan)


@dataclass(frozen=True, slots=True)
class Said:
    """What a signal says of each row. It is on or off where `known`; `unusual` is NaN where it was not worked out.

    `too_little`: what is unknown is so only because there is too little to compare with. `last_year`: how the same weeks of the year before were against the weeks before them, where this was asked: of what would be on without it.
    Of silence: how many days it had lasted then.
    """

    on: Booleans
    known: Booleans
    value: Floats
    baseline: Floats
    unusual: Floats
    last_year: Floats | None = None
    too_little: Booleans | None = None


def ask(signal: Signal, rows: Rows) -> Said:
    """Whether the signal is on in each row. Raises KeyError for a measure whose days aren't there."""
    test = signal.test
    if isinstance(test, Level):
        return _level(test, rows)
    if isinstance(test, Silent):
        return _silent(test, rows)
    return _moved(test, rows) if isinstance(test, Moved) else _burst(test, rows)


def span_of(signal: Signal) -> int:
    """How many days, today included, it reads of its measure; 0 when none."""
    test = signal.test
    if isinstance(test, Moved):
        return test.base_days + test.window_days + 1
    if isinstance(test, Silent) and test.against_last_year:
        return _SILENCE_SPAN
    return test.base_days + test.window_days if isinstance(test, Burst) else 0


def figures_read(signal: Signal) -> tuple[str, ...]:
    """The numbers that it reads of an account."""
    test = signal.test
    if isinstance(test, Silent):
        return ("days_silent", "usual_gap_days", "quiet_days")
    if not isinstance(test, Level):
        return ()
    bounds = [name for bound in test.when for name in (bound.figure, bound.times) if name]
    shown = [name for name in (test.value, test.baseline) if name]
    behind = [COMPARED_FROM[name] for name in bounds if name in COMPARED_FROM]
    return tuple(dict.fromkeys([*bounds, *shown, *behind]))


def _level(test: Level, rows: Rows) -> Said:
    """One bound that is known not to hold is enough to know that not all do."""
    on, off, lacking = (np.full(rows.size, start) for start in (True, False, False))
    for bound in test.when:
        holds, can_tell = _holds(bound, rows)
        on &= holds & can_tell
        off |= can_tell & ~holds
        lacking |= ~can_tell & _lacks(bound, rows)
    nothing = np.full(rows.size, np.nan)
    baseline = rows.figure(test.baseline) if test.baseline else nothing
    return Said(on, on | off, rows.figure(test.value), baseline, nothing, too_little=~lacking)


def _lacks(bound: Bound, rows: Rows) -> Booleans:
    """Where a figure is unknown, and so is that which it is compared from."""
    lacking = np.zeros(rows.size, np.bool_)
    for name in (bound.figure, bound.times):
        if name is not None:
            behind = COMPARED_FROM.get(name, name)
            lacking |= np.isnan(rows.figure(name)) & np.isnan(rows.figure(behind))
    return lacking


_COMPARED: Mapping[str, Callable[[Floats, Floats], Any]] = {
    "above": np.greater,
    "at_least": np.greater_equal,
    "below": np.less,
    "at_most": np.less_equal,
}


def _holds(bound: Bound, rows: Rows) -> tuple[Booleans, Booleans]:
    value = rows.figure(bound.figure)
    name, number = next((n, getattr(bound, n)) for n in _COMPARED if getattr(bound, n) is not None)
    limit = np.full(rows.size, float(number))
    if bound.times is not None:
        limit = limit * rows.figure(bound.times)
    limit = limit + bound.plus
    known = ~(np.isnan(value) | np.isnan(limit))
    return np.asarray(_COMPARED[name](value, limit), np.bool_), known


def _silent(test: Silent, rows: Rows) -> Said:
    silent, gap = rows.figure("days_silent"), rows.figure("usual_gap_days")
    counted = silent - np.nan_to_num(rows.figure("quiet_days"))
    known = ~(np.isnan(silent) | np.isnan(gap))
    on = known & (counted > test.least_days) & (counted > test.gaps * gap)
    then = np.full(rows.size, np.nan)
    if test.against_last_year and len(asked := np.flatnonzero(on)):
        then[asked] = _silence_last_year(rows, asked)
        on &= ~(silent <= then + _GRACE_DAYS)
    return Said(
        on, known, silent, gap, np.full(rows.size, np.nan), last_year=then, too_little=~np.isnan(silent)
    )


def _silence_last_year(rows: Rows, asked: Int64s) -> Floats:
    """The longest silence up to today's day of last year, or one of the week before; NaN where nobody was there before it."""
    days = rows.last_year(ACTIVITY, asked)[0][:, -_SILENCE_SPAN:]
    columns = np.arange(days.shape[1])
    last = np.maximum.accumulate(np.where(days > 0, columns, -1), axis=1)
    silent = np.where(last < 0, -1, columns - last)[:, -_GRACE_DAYS - 1 :].max(axis=1)
    return np.where(silent < 0, np.nan, silent)


def _moved(test: Moved, rows: Rows) -> Said:
    finished = slice(-test.base_days - test.window_days - 1, -1)
    mine, included = rows.days[test.measure][:, finished], rows.included[:, finished]
    weeks = weeks_of(mine, included, test.window_days)
    # What was to be expected must be enough; for a rise that is asked of the account's own past.
    known = weeks.expected >= test.least_base
    expected, excuse = weeks.expected, np.minimum if test.direction == "fell" else np.maximum
    for trait in test.excused_by:
        others = rows.others[trait, test.measure][:, finished]
        moved = excuse(movement_of_others(others, mine, included, test.window_days), 1.0)
        expected = excuse(expected, weeks.expected * moved)
    on, unusual = _is_off(test, weeks, expected, known)
    if not (test.against_last_year and on.any()):
        return Said(on, known, weeks.value, expected, unusual)
    asked = np.flatnonzero(on)
    then = np.full(rows.size, np.nan)
    then[asked] = _last_year(test, rows, asked, weeks.expected[asked], finished)
    least = test.change * _LEAST_OF_A_SEASON
    counted = np.where(np.abs(then - 1) >= least, then, 1.0)
    by_season = excuse(expected, weeks.expected * counted)
    again = on & (by_season != expected)
    still_on, how_unusual = _is_off(test, weeks, by_season, again)
    return Said(
        np.where(again, still_on, on),
        known,
        weeks.value,
        by_season,
        np.where(again, how_unusual, unusual),
        then,
    )


def _is_off(test: Moved, weeks: Weeks, expected: Floats, asked: Booleans) -> tuple[Booleans, Floats]:
    """By enough and unlikely by chance, of the rows asked; and how unlikely."""
    fell = test.direction == "fell"
    limit = expected * (1 - test.change if fell else 1 + test.change)
    beyond = asked & ((weeks.value <= limit) if fell else (weeks.value >= limit))
    unusual = _tails(counts.fewer if fell else counts.more, beyond, weeks, expected)
    return beyond & (unusual <= test.unusual), unusual


def _last_year(test: Moved, rows: Rows, asked: Int64s, expected: Floats, finished: slice) -> Floats:
    days, included = rows.last_year(test.measure, asked)
    then = weeks_of(days[:, finished], included[:, finished], test.window_days)
    return movement_last_year(then, expected, test.least_base, fell=test.direction == "fell")


def _burst(test: Burst, rows: Rows) -> Said:
    span = test.base_days + test.window_days
    weeks = weeks_of(rows.days[test.measure][:, -span:], rows.begun[:, -span:], test.window_days)
    usual = weeks.usual * test.window_days
    least = np.maximum(test.at_least, test.times * usual + test.plus)
    beyond = weeks.value >= least
    rate = (_PRIOR_EVENTS + weeks.rests_on) / (_PRIOR_WEEKS + weeks.days / WEEK)
    unusual = _tails(counts.more, beyond, weeks, rate * test.window_days / WEEK)
    on = beyond
    if test.unusual is not None:
        on = beyond & (unusual <= test.unusual)
    return Said(on, np.ones(rows.size, np.bool_), weeks.value, usual, unusual)


def _tails(tail: Callable[..., float], wanted: Booleans, weeks: Weeks, expected: Floats) -> Floats:
    """Worked out only where the count is beyond its bound: elsewhere nothing depends on it."""
    found = np.full(len(wanted), np.nan)
    for row in np.flatnonzero(wanted).tolist():
        dispersion, freedom = weeks.dispersion(row)
        found[row] = tail(
            float(weeks.value[row]),
            float(expected[row]),
            rests_on=float(weeks.rests_on[row]),
            dispersion=dispersion,
            freedom=freedom,
        )
    return found
