"""What was told in a bucket, event by event: money spent, feedback by theme. What is for a period is spread over its days."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping
from fractions import Fraction

from common.catalogue.economics import Recorded
from common.catalogue.models import Metric
from common.figures import values
from common.figures.asked import Asked, ByBucket
from common.figures.calendar import DAY, Calendar
from common.figures.cases import Told, told
from common.figures.model import Value
from common.figures.placing import placing
from common.figures.slices import GroupKey
from common.periods import Period, period_named

Row = tuple[int, Fraction | None]
"""(account, amount; None where its currency has no rate)"""


def answer(formula: Recorded, asked: Asked) -> ByBucket:
    cells: dict[tuple[GroupKey, int], list[Row]] = defaultdict(list)
    measure = asked.measure(formula.measure)
    place = placing(asked.store, measure)
    spans = [
        _days(asked.store.calendar, bucket.start, bucket.end, formula.offset_days) for bucket in asked.buckets
    ]
    for (account_id, _), events in told(asked.store, measure, asked.now).items():
        for event in events:
            if event.step != formula.step or (formula.labelled and formula.labelled not in event.labels):
                continue
            group = place.on_day(account_id, event.at, event.labels)
            for position, part in (
                _parts(formula, asked.store.calendar, event, spans) if group is not None else ()
            ):
                assert group is not None
                cells[group, position].append((account_id, _amount(formula, event, part)))
    found: ByBucket = defaultdict(dict)
    for (group, position), rows in cells.items():
        found[group][position] = _value(formula, asked.metric, rows)
    return found


def empty(formula: Recorded, metric: Metric) -> Value:
    return _value(formula, metric, [])


def _value(formula: Recorded, metric: Metric, rows: list[Row]) -> Value:
    accounts = len({account_id for account_id, _ in rows if account_id})
    if formula.sum == "events":
        return Value(len(rows), n=len(rows), accounts=accounts)
    known = [amount for _, amount in rows if amount is not None]
    if len(known) < len(rows):
        return Value(None, n=len(rows), accounts=accounts, reason=values.NO_RATE)
    total = sum(known, Fraction(0))
    return Value(values.shown(total, metric.unit), n=len(rows), accounts=accounts, exact=total)


def _amount(formula: Recorded, event: Told, part: Fraction) -> Fraction | None:
    if formula.sum == "events":
        return part
    if event.amount is None:
        return Fraction(0)
    return None if event.amount.is_nan() else Fraction(event.amount) * part


def _parts(
    formula: Recorded, calendar: Calendar, event: Told, spans: list[Period]
) -> Iterator[tuple[int, Fraction]]:
    """The positions of the buckets an event counts in, and how much of it."""
    period = period_of(event.labels, formula.period)
    first, end = period or (calendar.day_of(event.at), calendar.day_of(event.at) + DAY)
    for position, (start, until) in enumerate(spans):
        days = (min(end, until) - max(first, start)).days
        if days > 0:
            yield position, Fraction(days, (end - first).days)


def _days(calendar: Calendar, start: dt.datetime, end: dt.datetime, back: int) -> Period:
    """The local days of a bucket, which begins and ends with one, moved back."""
    return calendar.day_of(start) - back * DAY, calendar.day_of(end) - back * DAY


def period_of(labels: Mapping[str, str], name: str | None) -> Period | None:
    """What a label names; None where it names nothing that is a period."""
    text = labels.get(name) if name else None
    return None if text is None else period_named(text)
