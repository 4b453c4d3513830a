"""From cases to values: what was entered, how long it took, how many moved on, what is open."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import TypeVar

from common.catalogue.lifecycles import Answers, Conversion, Duration, Entered, Open, Share, Windowed
from common.catalogue.models import Metric
from common.figures import runs, values
from common.figures.asked import Asked, ByBucket
from common.figures.buckets import Bucket, state_at
from common.figures.cases import Entity, Moment, Told, moments, told
from common.figures.instants import instant, micros
from common.figures.model import Value
from common.figures.office import Office
from common.figures.placing import Labels, own_dimensions, placing
from common.figures.runs import Run, accounts_of
from common.figures.slices import GroupKey
from common.figures.survival import quantile

Formula = Entered | Duration | Conversion | Open | Share | Answers
LIFECYCLES = (Entered, Duration, Conversion, Open, Share, Answers)

DAY_US = 86_400_000_000
_UNIT_US = {"days": DAY_US, "hours": 3_600_000_000}
ZERO = Decimal(0)


def answer(formula: Formula, asked: Asked) -> ByBucket:
    if isinstance(formula, Open):
        return _open(formula, asked)
    return windowed(formula, asked, _answer)


W = TypeVar("W", bound=Windowed)


def windowed(formula: W, asked: Asked, answer: Callable[[W, Asked], ByBucket]) -> ByBucket:
    """Of the buckets, or of the days before each bucket's end that the formula names."""
    if formula.window_days is None:
        return answer(formula, asked)
    found: ByBucket = defaultdict(dict)
    calendar = asked.store.calendar
    for position, bucket in enumerate(asked.buckets):
        at = state_at(bucket, asked.now)
        if at is not None:
            end = calendar.days_before(at, formula.offset_days)
            window = Bucket(bucket.label, calendar.days_before(end, formula.window_days), end)
            for group, row in answer(formula, replace(asked, buckets=[window])).items():
                found[group][position] = row[0]
    return found


def _answer(formula: Entered | Duration | Conversion | Share | Answers, asked: Asked) -> ByBucket:
    if isinstance(formula, Entered):
        return _entered(formula, asked)
    if isinstance(formula, Duration):
        return _durations(formula, asked)
    if isinstance(formula, Conversion):
        return _conversions(formula, asked)
    if isinstance(formula, Share):
        return _shares(formula, asked)
    return _answers(formula, asked)


def empty(formula: Formula, metric: Metric, *, begun: bool) -> Value:
    """Of a bucket without a case: counts are 0, also in the future; the rest is unknown."""
    if isinstance(formula, Entered) and formula.sum != "mean_amount":
        return Value(values.shown(Fraction(0), metric.unit), n=0, accounts=0)
    if not begun:
        return Value(None)
    if isinstance(formula, Open):
        return Value(values.shown(Fraction(0), metric.unit), n=0, accounts=0)
    if isinstance(formula, Answers) and formula.value == "mean":
        return values.estimated_mean([], min_n=formula.min_n)
    if isinstance(formula, Conversion | Share | Answers):
        return values.estimated_share(0, 0, min_n=formula.min_n)
    if isinstance(formula, Duration):
        return Value(None, 0, 0, n=0, accounts=0, low_n=formula.min_n > 0)
    return Value(None, accounts=0)


def _durations(formula: Duration, asked: Asked) -> ByBucket:
    grouped = runs.durations(formula, asked)
    if not grouped:
        return {}
    measured = _clock(formula, asked, min(run.start for some in grouped.values() for run in some))
    unit = _UNIT_US[asked.metric.unit]
    share = Fraction(str(formula.quantile))

    def value(some: list[Run]) -> Value:
        ended = measured([(run.start, run.end) for run in some if run.end is not None])
        waiting = measured([(run.start, run.left) for run in some if run.end is None])
        found = quantile(ended, waiting, share)
        shown = (None if at is None else at / unit for at in (found.value, found.low, found.high))
        return Value(
            next(shown), len(ended), len(some), next(shown), next(shown), n=len(some),
            accounts=accounts_of(some), low_n=len(some) < formula.min_n, censored=len(waiting),
            exact=None if found.value is None else Fraction(found.value) / unit,
        )  # fmt: skip

    return runs.by_bucket(grouped, value)


Measured = Callable[[Sequence[tuple[int, int | None]]], list[int]]


def _clock(formula: Duration, asked: Asked, first: int) -> Measured:
    """Microseconds from each start to its end, or to now where it has none; an end before the start took no time."""
    now = micros(asked.now)
    if formula.clock == "business":
        office = Office(asked.catalogue.settings, instant(first), asked.now)
        until = office.until
        closing = until(now)
        return lambda some: [
            max(0, (closing if end is None else until(end)) - until(start)) for start, end in some
        ]
    return lambda some: [max(0, (now if end is None else end) - start) for start, end in some]


def _conversions(formula: Conversion, asked: Asked) -> ByBucket:
    within = formula.within_days * DAY_US
    latest = micros(asked.now) - within

    def value(some: list[Run]) -> Value:
        matured = [run for run in some if run.start <= latest]
        moved_on = sum(run.end is not None and run.end < run.start + within for run in matured)
        young = len(some) - len(matured)
        return values.estimated_share(
            moved_on, len(matured), min_n=formula.min_n, censored=young, accounts=accounts_of(matured)
        )

    return runs.by_bucket(runs.conversions(formula, asked), value)


def _shares(formula: Share, asked: Asked) -> ByBucket:
    def value(some: list[Run]) -> Value:
        taken = sum(run.end is not None for run in some)
        return values.estimated_share(taken, len(some), min_n=formula.min_n, accounts=accounts_of(some))

    return runs.by_bucket(runs.first_of(formula, asked), value)


Entry = tuple[int, Decimal | None]


def _entered(formula: Entered, asked: Asked) -> ByBucket:
    found: dict[tuple[GroupKey, int], list[Entry]] = defaultdict(list)
    place = placing(asked.store, asked.measure(formula.measure))
    for account_id, at_us, amount, labels in _entries(formula, asked):
        bucket = asked.bucket_at(at_us)
        group = None if bucket is None else place.on_day(account_id, instant(at_us), labels)
        if group is not None and bucket is not None:
            found[group, bucket].append((account_id, amount))
    answers: ByBucket = defaultdict(dict)
    for (group, bucket), rows in found.items():
        answers[group][bucket] = _entered_value(formula, asked.metric, rows)
    return answers


def _entered_value(formula: Entered, metric: Metric, rows: Sequence[Entry]) -> Value:
    accounts = len({account_id for account_id, _ in rows if account_id})
    if formula.sum == "entities":
        return Value(len(rows), n=len(rows), accounts=accounts)
    known = [amount for _, amount in rows if amount is not None]
    total = values.total(known)
    if total is None:
        return Value(None, n=len(rows), accounts=accounts, reason=values.NO_RATE)
    if formula.sum == "amount":
        return Value(values.shown(total, metric.unit), n=len(rows), accounts=accounts)
    return replace(values.estimated_money(list(map(Fraction, known)), metric.unit), accounts=accounts)


def _entries(formula: Entered, asked: Asked) -> Iterator[tuple[int, int, Decimal | None, dict[str, str]]]:
    """(account, when, worth, labels) of every entity that took the step, at the first time."""
    store, measure = asked.store, asked.measure(formula.measure)
    labelled = formula.labelled is not None or bool(
        own_dimensions(measure).keys() & set(store.scope.dimensions)
    )
    if formula.sum == "entities" and not labelled:
        wanted = (Moment((formula.step,), earliest=False),)
        for account_id, _, at_us in moments(store, measure, wanted, asked.now, asked.span):
            yield account_id, at_us, None, {}
        return
    for (account_id, _), events in told(store, measure, asked.now, ((formula.step,), *asked.span)).items():
        entered = _state_when(events, formula.step)
        if entered is not None and (formula.labelled is None or formula.labelled in entered.labels):
            yield account_id, micros(entered.at), entered.amount, dict(entered.labels)


def _state_when(events: Sequence[Told], step: str) -> Told | None:
    """The first time it took the step, with the amount and the labels as told by then."""
    amount: Decimal | None = None
    labels: dict[str, str] = {}
    for event in events:
        amount = amount if event.amount is None else event.amount
        labels |= event.labels
        if event.step == step:
            return Told(step, event.at, amount, labels)
    return None


Worth = Callable[[dt.datetime], Decimal]
OpenRun = tuple[Entity, dt.datetime, dt.datetime | None, Worth | None]
"""(entity, since when, until when, what it is worth at an instant; None: it counts as one)"""


def _open(formula: Open, asked: Asked) -> ByBucket:
    """A case counts at every instant after its start and not after its end, in the group it is in then."""
    instants = [at for bucket in asked.buckets if (at := state_at(bucket, asked.now)) is not None]
    cells: dict[tuple[GroupKey, int], list[Entry]] = defaultdict(list)
    place = placing(asked.store, asked.measure(formula.measure))
    labels = Labels(asked.store, asked.measure(formula.measure), place, asked.now)
    for entity, start, end, worth in _open_runs(formula, asked) if instants else ():
        past = len(instants) if end is None else bisect_right(instants, end)
        for position in range(bisect_right(instants, start), past):
            at = instants[position]
            group = place.at(entity[0], at, labels.before(entity, at))
            if group is not None:
                cells[group, position].append((entity[0], None if worth is None else worth(at)))
    answers: ByBucket = defaultdict(dict)
    for (group, position), rows in cells.items():
        accounts = len({account_id for account_id, _ in rows if account_id})
        total = values.total(Decimal(1) if amount is None else amount for _, amount in rows)
        value = None if total is None else values.shown(total, asked.metric.unit)
        reason = values.NO_RATE if total is None else None
        answers[group][position] = Value(value, n=len(rows), accounts=accounts, reason=reason)
    return answers


def _open_runs(formula: Open, asked: Asked) -> Iterator[OpenRun]:
    measure = asked.measure(formula.measure)
    if formula.sum == "entities":
        wanted = (Moment(formula.start), Moment(formula.end)) if formula.end else (Moment(formula.start),)
        for account_id, entity, start_us, *ends in moments(asked.store, measure, wanted, asked.now):
            end_us = ends[0] if ends else None
            end = None if end_us is None else instant(end_us)
            yield (account_id, entity), instant(start_us), end, None
        return
    for entity, events in told(asked.store, measure, asked.now).items():
        start = min((event.at for event in events if event.step in formula.start), default=None)
        end = min((event.at for event in events if event.step in formula.end), default=None)
        if start is not None:
            yield entity, start, end, _worth(events)


def _worth(events: Sequence[Told]) -> Worth:
    """The last amount told strictly before an instant; 0 before there is one."""
    told_at = [event.at for event in events if event.amount is not None]
    amounts = [event.amount for event in events if event.amount is not None]

    def at(instant: dt.datetime) -> Decimal:
        position = bisect_left(told_at, instant)
        return amounts[position - 1] if position else ZERO

    return at


_ANSWERS = """
select a.account_id, a.answered_at, a.score from published.answer a
where a.tenant_id = %(tenant)s and a.kind = %(kind)s and a.answered_at >= %(first)s and a.answered_at < %(last)s
  and a.score between %(lowest)s and %(highest)s and (%(survey)s::text is null or a.survey = %(survey)s)
  and a.person_id not in (select person_id from published.person where tenant_id = %(tenant)s and is_internal)
"""


def _answers(formula: Answers, asked: Asked) -> ByBucket:
    first, last = asked.span
    params = asked.store.params(
        kind=formula.survey_kind, first=first, last=last, lowest=formula.lowest, highest=formula.highest,
        survey=formula.survey,
    )  # fmt: skip
    found: dict[tuple[GroupKey, int], list[tuple[int, Fraction]]] = defaultdict(list)
    for account_id, at, score in asked.store.read(_ANSWERS, params):
        group, bucket = asked.placing.on_day(account_id, at), asked.bucket_of(at)
        if group is not None and bucket is not None:
            found[group, bucket].append((account_id, Fraction(score)))
    answers: ByBucket = defaultdict(dict)
    for (group, bucket), rows in found.items():
        answers[group][bucket] = replace(
            _answered(formula, [score for _, score in rows]), accounts=len({account for account, _ in rows})
        )
    return answers


def _answered(formula: Answers, scores: Sequence[Fraction]) -> Value:
    if formula.value == "mean":
        return values.estimated_mean(scores, min_n=formula.min_n)
    assert formula.at_least is not None
    content = sum(score >= formula.at_least for score in scores)
    return values.estimated_share(content, len(scores), min_n=formula.min_n)
