"""Values made of stored sums: counts of buckets, windows, ratios of windows, and relationship NPS.

Tenant figures read totals and never accounts; so how many accounts are behind them is counted only where the totals say
that it is cheap, and is unknown where it isn't. The same figure by account lists them.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TypeVar

import numpy as np

from common.catalogue.models import Measure, Metric, Nps, Ratio, Rolling, Simple, Term
from common.figures import states, values
from common.figures.asked import Asked, ByBucket
from common.figures.cells import DailySums, Grain
from common.figures.model import Value
from common.figures.per_account import per_account
from common.figures.slices import GroupKey
from common.figures.windows import Window, on_samples

T = TypeVar("T")
MOST_ROWS = 50_000
"""Rows of accounts that are read only to count accounts, at some 2 microseconds each."""


def simple(formula: Simple, asked: Asked) -> ByBucket:
    measure = asked.measure(formula.measure)
    edges = sorted({at for bucket in asked.buckets for at in (bucket.start, bucket.end)})
    at = {edge: position for position, edge in enumerate(edges)}
    calendar = asked.store.calendar
    days = [calendar.day_of(edge) for edge in edges]
    # What is kept by hour is kept by day too, in far fewer rows.
    by_hour = measure.grain == "hour" and edges != [calendar.day_start(day) for day in days]
    grain: Grain = "hour" if by_hour else "day"
    starts = edges if by_hour else days
    cells = asked.store.sums(measure.name, grain, starts)
    cheap = sum(abs(cell.value) for row in cells.values() for cell in row.values()) <= MOST_ROWS
    # A count is at least 1 a row; a sum says nothing of the number of its rows.
    counts = asked.store.accounts(measure.name, grain, starts) if cheap and measure.agg == "count" else None
    unit = 10**measure.scale

    def value(group: GroupKey, start: dt.datetime) -> Value:
        cell = cells[group][at[start]]
        n = cell.value if measure.agg == "count" else None
        accounts = cell.accounts if counts is None else counts.get((group, at[start]), 0)
        return Value(values.shown(Fraction(cell.value, unit), asked.metric.unit), n=n, accounts=accounts)

    # What adds up to 0 is stored or not, as it arrived and was taken out again; it is nothing either way.
    told = {group: {k for k, cell in row.items() if cell.value} for group, row in cells.items()}
    return {
        group: {
            i: value(group, bucket.start) for i, bucket in enumerate(asked.buckets) if at[bucket.start] in its
        }
        for group, its in told.items()
    }


def rolling(formula: Rolling, asked: Asked) -> ByBucket:
    measure = asked.measure(formula.measure)
    sums = _windowed(measure, formula.window_days, 0, measure.is_distinct, asked)
    found = _on_buckets(asked, sums, lambda total: rolling_value(total, asked.metric, formula, measure))
    return _with_accounts(found, measure, formula.window_days, 0, asked)


def rolling_value(total: int, metric: Metric, formula: Rolling, measure: Measure) -> Value:
    exact = Fraction(total, 10**measure.scale)
    if formula.divide_by == 1:
        accounts = total if measure.agg == "active_accounts" or total == 0 else None
        n = None if measure.agg == "sum" else total
        return Value(values.shown(exact, metric.unit), n=n, accounts=accounts)
    share = values.shown(exact / formula.divide_by, metric.unit)
    accounts = 0 if total == 0 else None
    return Value(share, values.shown(exact, metric.unit), formula.divide_by, n=total, accounts=accounts)


def ratio(formula: Ratio, asked: Asked) -> ByBucket:
    """`accounts`: those with anything in the denominator."""
    over, under = _term(formula.numerator, asked), _term(formula.denominator, asked)
    nothing = [Fraction(0)] * len(asked.samples()[0])
    pairs = {
        group: list(zip(over.get(group, nothing), under.get(group, nothing), strict=True))
        for group in {*over, *under}
    }
    found = _on_buckets(asked, pairs, lambda pair: values.ratio(pair[0], pair[1], formula))
    term, measure = formula.denominator, asked.measure(formula.denominator.measure)
    return _with_accounts(found, measure, term.window_days, term.offset_days, asked)


def _term(term: Term, asked: Asked) -> dict[GroupKey, list[Fraction]]:
    measure = asked.measure(term.measure)
    sums = _windowed(measure, term.window_days, term.offset_days, term.agg == "value", asked)
    unit = term.divide_by * 10**measure.scale
    return {group: [Fraction(total, unit) for total in row] for group, row in sums.items()}


def _windowed(measure: Measure, days: int, offset: int, own: bool, asked: Asked) -> dict[GroupKey, list[int]]:
    """`own`: the measure's own window of that many days, kept as deltas; else the sum of its days."""
    samples, _ = asked.samples()
    if not samples:
        return {}
    row, window = _row(measure, days, offset, own)
    return on_samples(_daily(row, window, asked), samples, window)


def _row(measure: Measure, days: int, offset: int, own: bool) -> tuple[str, Window]:
    if own and measure.is_distinct and days > 1:
        return f"{measure.name}_{days}d", Window(None, offset)
    return measure.name, Window(days, offset)


def _daily(row: str, window: Window, asked: Asked) -> DailySums:
    samples, _ = asked.samples()
    return asked.store.daily(row, samples, window.since(samples[0]))


def _with_accounts(found: ByBucket, measure: Measure, days: int, offset: int, asked: Asked) -> ByBucket:
    """The same with how many accounts have anything in the window, where looking at each costs little.

    Who was active in a window was active on one of its days: the days themselves say it, and what reading them costs.
    """
    samples, positions = asked.samples()
    if not samples or measure.agg in ("active_accounts", "sum"):
        return found
    window = Window(days, offset)
    sums = _daily(measure.name, window, asked)
    rows = [
        *(value for its in sums.settled.values() for value in its.values()),
        *(m.value for m in sums.moved),
    ]
    if sum(rows) > MOST_ROWS:
        return found
    counts = _active(measure.name, window, asked, samples)
    return {
        group: {i: replace(value, accounts=counts[group, positions[i]]) for i, value in its.items()}
        for group, its in found.items()
    }


def _active(
    row: str, window: Window, asked: Asked, samples: Sequence[dt.date]
) -> Mapping[tuple[GroupKey, int], int]:
    counts: Counter[tuple[GroupKey, int]] = Counter()
    starts = [asked.store.calendar.day_start(day) for day in samples]
    each = per_account(asked.store, row, samples, window.days, window.offset)
    for position, start in enumerate(starts):
        active = each.ids[each.matrix[:, position] > 0]
        for group, (accounts,) in asked.placing.groups(active, start).sums(np.ones(len(active), np.int64)):
            counts[group, position] = accounts
    return counts


def nps(formula: Nps, asked: Asked) -> ByBucket:
    samples, _ = asked.samples()
    if not samples:
        return {}
    if formula.by == "account":
        counted = _nps_accounts(formula, asked, samples)
        return _on_buckets(asked, counted, lambda row: replace(nps_value(row, formula), accounts=row[2]))
    sums = [
        asked.store.daily(f"{formula.measure}_{part}", samples, None)
        for part in ("promoters", "detractors", "answers")
    ]
    parts = [on_samples(one, samples, Window()) for one in sums]
    # Answers that begin and end on one day cancel in these sums; the answers themselves say how many there are.
    few = asked.store.read(_ANSWERS, asked.store.params(most=MOST_ROWS + 1)).fetchone()
    cheap = few is not None and few[0] <= MOST_ROWS
    accounts = _nps_accounts(formula, asked, samples) if cheap else {}
    nothing = [0] * len(samples)
    nobody = [(0, 0, 0 if cheap else None)] * len(samples)
    rows = {
        group: list(
            zip(*(part.get(group, nothing) for part in parts), accounts.get(group, nobody), strict=True)
        )
        for group in {group for part in parts for group in part}
    }
    return _on_buckets(asked, rows, lambda row: replace(nps_value(row[:3], formula), accounts=row[3][2]))


def _nps_accounts(
    formula: Nps, asked: Asked, samples: Sequence[dt.date]
) -> Mapping[GroupKey, Sequence[tuple[int, ...]]]:
    """Per sample: accounts with more promoters than detractors, with fewer, with any answer."""
    found = states.nps_by_account(asked.store, formula.measure, samples)
    return {group: [tuple(map(int, row)) for row in cells] for group, cells in found.items()}


_ANSWERS = """
select count(*) from (
  select from published.answer where tenant_id = %(tenant)s and kind = 'nps' limit %(most)s
) answers"""


def nps_value(row: Sequence[int], formula: Nps) -> Value:
    return values.nps(row[0], row[1], row[2], formula)


def _on_buckets(asked: Asked, rows: Mapping[GroupKey, Sequence[T]], value: Callable[[T], Value]) -> ByBucket:
    _, positions = asked.samples()
    return {
        group: {i: value(row[position]) for i, position in positions.items()} for group, row in rows.items()
    }
