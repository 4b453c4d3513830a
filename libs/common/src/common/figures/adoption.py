"""Accounts judged one by one on a day: whether they meet conditions, use their seats, or have fallen silent.

Only accounts with stored rows, or with seats, are looked at; each by the group it is in on the day.
"""

from __future__ import annotations

import datetime as dt
import json
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from itertools import pairwise

from common.catalogue.economics import RelativeTrend
from common.catalogue.lifecycles import SEATS, Qualified, Seats, Silence
from common.figures import values
from common.figures.asked import Asked, ByBucket
from common.figures.book import sold_seats
from common.figures.buckets import sample_day
from common.figures.calendar import DAY
from common.figures.columns import PerAccount
from common.figures.histories import as_text, of_trait, standing
from common.figures.model import Value
from common.figures.per_account import per_account
from common.figures.slices import GroupKey
from common.numbers import plain

Formula = Qualified | Seats | Silence | RelativeTrend
ADOPTION = (Qualified, Seats, Silence, RelativeTrend)
Judged = Iterable[tuple[int, Fraction, Fraction]]
"""(account, part, whole)"""

Judge = Callable[[int, dt.date], Judged]
"""Of a sample's position and day."""

LOOK_BACK = 180 * DAY


def answer(formula: Formula, asked: Asked) -> ByBucket:
    days = {i: sample_day(asked.store.calendar, bucket, asked.now) for i, bucket in enumerate(asked.buckets)}
    samples = sorted({day for day in days.values() if day is not None})
    if not samples:
        return {}
    judge = _judging(formula, asked, samples)
    found: ByBucket = defaultdict(dict)
    for position, day in days.items():
        if day is not None:
            start = asked.store.calendar.day_start(day)
            sums: dict[GroupKey, tuple[Fraction, Fraction, int]] = {}
            for account_id, part, whole in judge(bisect_left(samples, day), day):
                group = asked.placing.at(account_id, start)
                if group is not None:
                    before = sums.get(group, (Fraction(0), Fraction(0), 0))
                    sums[group] = before[0] + part, before[1] + whole, before[2] + 1
            for group, row in sums.items():
                found[group][position] = _value(formula, *row)
    return found


def empty(formula: Formula) -> Value:
    return _value(formula, Fraction(0), Fraction(0), 0)


def _value(formula: Formula, part: Fraction, whole: Fraction, accounts: int) -> Value:
    if isinstance(formula, Qualified):
        return Value(int(part), n=int(part), accounts=int(part))
    if isinstance(formula, Seats) and formula.of == "adopted":
        return Value(int(part), n=int(whole), accounts=int(part))
    if isinstance(formula, Seats) and formula.of == "used":
        return Value(values.number(part), n=accounts, accounts=accounts)
    if isinstance(formula, Silence):
        return values.share(int(part), int(whole))
    enough = whole >= formula.min_base if isinstance(formula, RelativeTrend) else bool(whole)
    shown = values.number(part), values.number(whole)
    return Value(float(part / whole) if enough else None, *shown, n=accounts, accounts=accounts)


def _judging(formula: Formula, asked: Asked, samples: Sequence[dt.date]) -> Judge:
    if isinstance(formula, Qualified):
        return _qualified(formula, asked, samples)
    if isinstance(formula, Silence):
        return _silent(formula, asked, samples)
    if isinstance(formula, RelativeTrend):
        return _relative(formula, asked, samples)
    return _seated(formula, asked, samples)


def _qualified(formula: Qualified, asked: Asked, samples: Sequence[dt.date]) -> Judge:
    met: list[PerAccount] = []
    for condition in formula.conditions:
        measure = asked.measure(condition.measure)
        if condition.agg == "value" and measure.is_distinct and condition.window_days > 1:
            row, window = f"{measure.name}_{condition.window_days}d", None
        else:
            row, window = measure.name, condition.window_days
        met.append(per_account(asked.store, row, samples, window))
    everybody = set(met[0]).intersection(*met[1:])
    least = [
        condition.at_least * 10 ** asked.measure(condition.measure).scale for condition in formula.conditions
    ]

    def judge(position: int, _: dt.date) -> Judged:
        for account_id in everybody:
            if all(of[account_id][position] >= bar for of, bar in zip(met, least, strict=True)):
                yield account_id, Fraction(1), Fraction(1)

    return judge


def _seated(formula: Seats, asked: Asked, samples: Sequence[dt.date]) -> Judge:
    seats, stands = _told_seats(formula, asked), standing(asked.store)
    row = f"{formula.measure}_{formula.window_days}d"
    back = range(formula.windows if formula.of == "adopted" else 1)
    # Deltas of people: shifted by a window each, the values at the ends of the windows before.
    people = [per_account(asked.store, row, samples, None, offset=formula.window_days * n) for n in back]
    nobody = [0] * len(samples)

    def judge(position: int, day: dt.date) -> Judged:
        start = asked.store.calendar.day_start(day)
        for account_id, number_before in seats.items():
            number = number_before(start)
            if number is None or number <= 0 or not stands(account_id, start):
                continue
            seen = [of.get(account_id, nobody)[position] for of in people]
            if formula.of == "rate":
                yield account_id, Fraction(seen[0]), number
            elif formula.of == "used":
                yield account_id, min(Fraction(seen[0]), number), Fraction(0)
            else:
                half = sum(2 * count >= number for count in seen)
                yield account_id, Fraction(int(half >= formula.in_windows)), Fraction(1)

    return judge


def _told_seats(formula: Seats, asked: Asked) -> Mapping[int, Callable[[dt.datetime], Fraction | None]]:
    """By account what its trait says just before an instant; where it says no number of `seats`, those of its subscriptions."""
    told = of_trait(asked.store, formula.trait, _number)
    sold = sold_seats(asked.store, asked.now) if formula.trait == SEATS else {}

    def number_before(account_id: int, at: dt.datetime) -> Fraction | None:
        number = told[account_id].before(at) if account_id in told else None
        return Fraction(sold[account_id].before(at)) if number is None and account_id in sold else number

    return {account_id: partial(number_before, account_id) for account_id in told.keys() | sold.keys()}


def _relative(formula: RelativeTrend, asked: Asked, samples: Sequence[dt.date]) -> Judge:
    """Per account: what it has beyond what it would have had if it had moved like its segment, and its base.

    Like with like: accounts without a base have no trend, so that the segment's isn't made of them either. Who is in no segment has none
    to be held against.
    """
    measure, days = asked.measure(formula.measure), formula.window_days
    recent, base = (
        per_account(asked.store, measure.name, samples, days, offset=offset, others=True)
        for offset in (0, days)
    )
    segments = of_trait(asked.store, formula.by, as_text)

    def judge(position: int, day: dt.date) -> Judged:
        start = asked.store.calendar.day_start(day)
        totals: dict[str, tuple[int, int]] = {}
        rows = []
        for account_id, its in base.items():
            then = its[position]
            if not then:
                continue
            segment = segments[account_id].before(start) if account_id in segments else None
            if segment is None:
                continue
            now = recent[account_id][position] if account_id in recent else 0
            before = totals.get(segment, (0, 0))
            totals[segment] = before[0] + now, before[1] + then
            rows.append((account_id, segment, now, then))
        for account_id, segment, now, then in rows:
            yield account_id, now - then * Fraction(*totals[segment]), Fraction(then)

    return judge


def _silent(formula: Silence, asked: Asked, samples: Sequence[dt.date]) -> Judge:
    reach = 2 * max(formula.least_days, formula.gaps * LOOK_BACK.days) + 1
    params = asked.store.params(
        measure=asked.store.ids.get(formula.measure, -1), first=samples[0] - reach * DAY, last=samples[-1]
    )
    active: dict[int, list[dt.date]] = dict(asked.store.read(_DAYS, params))

    def judge(_: int, day: dt.date) -> Judged:
        for account_id, days in active.items():
            until = bisect_right(days, day)
            span = _span(formula, days[bisect_right(days, day - LOOK_BACK) : until])
            recent = bisect_right(days, day - span * DAY)
            then = bisect_right(days, day - 2 * span * DAY)
            if recent > then:
                yield account_id, Fraction(int(until == recent)), Fraction(1)

    return judge


def _span(formula: Silence, days: Sequence[dt.date]) -> int:
    """N days, from the active days of the last 180."""
    gaps = sorted((later - earlier).days for earlier, later in pairwise(days))
    if not gaps:
        return formula.least_days
    twice = gaps[(len(gaps) - 1) // 2] + gaps[len(gaps) // 2]
    return max(formula.least_days, -(-formula.gaps * twice // 2))


def _number(text: str) -> Fraction | None:
    """A JSON number, or text that is one."""
    told = plain(json.loads(text) if text[0] == '"' else text)
    return None if told is None else Fraction(told)


_DAYS = """
select account_id, array_agg(day order by day) from published.measure_day
where tenant_id = %(tenant)s and measure_id = %(measure)s and account_id > 0 and day >= %(first)s and day <= %(last)s and value > 0
group by account_id"""
