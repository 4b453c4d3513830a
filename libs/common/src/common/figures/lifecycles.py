"""From cases to values: what was entered, how long it took, how many moved on, what is open."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from common.catalogue.lifecycles import Answers, Conversion, Duration, Entered, Open, Share
from common.catalogue.models import Catalogue, Measure, Metric
from common.figures import values
from common.figures.buckets import Bucket, state_at
from common.figures.cases import Case, Entity, Placing, Told, cases, told
from common.figures.cells import Store
from common.figures.model import Value
from common.figures.office import Office, microseconds
from common.figures.slices import GroupKey
from common.figures.survival import quantile

Formula = Entered | Duration | Conversion | Open | Share | Answers
LIFECYCLES = (Entered, Duration, Conversion, Open, Share, Answers)
ByBucket = dict[GroupKey, dict[int, Value]]

DAY_US = 86_400_000_000
_UNIT_US = {"days": DAY_US, "hours": 3_600_000_000}
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Asked:
    """One metric of these formulas over buckets in order; gaps are allowed."""

    store: Store
    catalogue: Catalogue
    metric: Metric
    buckets: Sequence[Bucket]
    now: dt.datetime

    @property
    def placing(self) -> Placing:
        return Placing(self.store)

    @property
    def span(self) -> tuple[dt.datetime, dt.datetime]:
        return self.buckets[0].start, min(self.now, self.buckets[-1].end)

    def measure(self, name: str) -> Measure:
        return self.catalogue.measures[name]

    def bucket_of(self, at: dt.datetime) -> int | None:
        """The position of the bucket that holds an instant."""
        position = bisect_right(self.buckets, at, key=lambda bucket: bucket.start) - 1
        return position if position >= 0 and at < self.buckets[position].end else None


@dataclass(frozen=True, slots=True)
class Run:
    """From a start to an end, or waiting still; `left` is when it stopped to wait in vain."""

    account_id: int
    start: dt.datetime
    end: dt.datetime | None
    left: dt.datetime | None = None


def answer(formula: Formula, asked: Asked) -> ByBucket:
    if isinstance(formula, Open) or formula.window_days is None:
        return _answer(formula, asked)
    found: ByBucket = defaultdict(dict)
    calendar = asked.store.calendar
    for position, bucket in enumerate(asked.buckets):
        at = state_at(bucket, asked.now)
        if at is not None:
            end = calendar.days_before(at, formula.offset_days)
            window = Bucket(bucket.label, calendar.days_before(end, formula.window_days), end)
            for group, row in _answer(formula, replace(asked, buckets=[window])).items():
                found[group][position] = row[0]
    return found


def _answer(formula: Formula, asked: Asked) -> ByBucket:
    if isinstance(formula, Entered):
        return _entered(formula, asked)
    if isinstance(formula, Duration):
        return _durations(formula, asked)
    if isinstance(formula, Conversion):
        return _conversions(formula, asked)
    if isinstance(formula, Open):
        return _open(formula, asked)
    if isinstance(formula, Share):
        return _shares(formula, asked)
    return _answers(formula, asked)


def empty(formula: Formula, metric: Metric, *, begun: bool) -> Value:
    """Of a bucket without a case: counts are 0, also in the future; the rest is unknown."""
    if isinstance(formula, Entered) and formula.sum != "mean_amount":
        return Value(values.shown(Fraction(0), metric.unit), accounts=0)
    if not begun:
        return Value(None)
    if isinstance(formula, Open):
        return Value(values.shown(Fraction(0), metric.unit), accounts=0)
    if isinstance(formula, Answers) and formula.value == "mean":
        return values.estimated_mean([], min_n=formula.min_n)
    if isinstance(formula, Conversion | Share | Answers):
        return values.estimated_share(0, 0, min_n=formula.min_n)
    if isinstance(formula, Duration):
        return Value(None, 0, 0, n=0, low_n=formula.min_n > 0)
    return Value(None)


def _grouped(
    rows: Iterable[tuple[GroupKey | None, int | None, Run]],
) -> Mapping[tuple[GroupKey, int], list[Run]]:
    found: dict[tuple[GroupKey, int], list[Run]] = defaultdict(list)
    for group, bucket, run in rows:
        if group is not None and bucket is not None:
            found[group, bucket].append(run)
    return found


def _by_bucket(
    grouped: Mapping[tuple[GroupKey, int], list[Run]], value: Callable[[list[Run]], Value]
) -> ByBucket:
    found: ByBucket = defaultdict(dict)
    for (group, bucket), runs in grouped.items():
        found[group][bucket] = value(runs)
    return found


def _runs(formula: Duration | Conversion, asked: Asked) -> Iterator[Run]:
    """From start to end, each entity once, or each person that was named at the start."""
    measure = asked.measure(formula.measure)
    left = formula.left if isinstance(formula, Duration) else ()
    found = cases(asked.store, measure, (*formula.start, *formula.end, *left), asked.now, asked.span)
    by_person = isinstance(formula, Conversion) and formula.by_person
    for case in found.values():
        persons = {who for step, who in case.by_person if step in formula.start and who} if by_person else ()
        if isinstance(formula, Conversion) and persons:
            yield from (_run_of(case, person, formula) for person in sorted(persons))
        elif (start := case.start(formula.start)) is not None:
            yield Run(case.account_id, start, case.end(formula.end), case.end(left))


def _run_of(case: Case, person: int, formula: Conversion) -> Run:
    def first(steps: Sequence[str]) -> dt.datetime | None:
        return min((at for step in steps if (at := case.by_person.get((step, person)))), default=None)

    start = first(formula.start)
    assert start is not None
    return Run(case.account_id, start, first(formula.end))


def _durations(formula: Duration, asked: Asked) -> ByBucket:
    by_end = formula.cohort == "end"
    runs = [run for run in _runs(formula, asked) if run.start < asked.now and (run.end or not by_end)]
    if not runs:
        return {}
    measured = _clock(formula, asked, runs)
    unit = _UNIT_US[asked.metric.unit]
    share = Fraction(str(formula.quantile))

    def value(some: list[Run]) -> Value:
        ended = [measured(run) for run in some if run.end is not None]
        waiting = [measured(run) for run in some if run.end is None]
        found = quantile(ended, waiting, share)
        shown = (None if at is None else at / unit for at in (found.value, found.low, found.high))
        return Value(
            next(shown), len(ended), len(some), next(shown), next(shown), n=len(some),
            low_n=len(some) < formula.min_n, censored=len(waiting),
            exact=None if found.value is None else Fraction(found.value) / unit,
        )  # fmt: skip

    placing = asked.placing
    if by_end:
        rows = (
            (placing.on_day(run.account_id, run.end), asked.bucket_of(run.end), run)
            for run in runs
            if run.end
        )
    else:
        rows = (
            (placing.in_cohort(run.account_id, run.start), asked.bucket_of(run.start), run) for run in runs
        )
    return _by_bucket(_grouped(rows), value)


def _clock(formula: Duration, asked: Asked, runs: Sequence[Run]) -> Callable[[Run], int]:
    """Microseconds from start to end, to where it left, or to now; an end before the start took no time."""

    def until(run: Run) -> dt.datetime:
        return run.end or run.left or asked.now

    if formula.clock == "business":
        office = Office(asked.catalogue.settings, min(run.start for run in runs), asked.now)
        return lambda run: office.between(run.start, until(run))
    return lambda run: max(0, microseconds(until(run) - run.start))


def _conversions(formula: Conversion, asked: Asked) -> ByBucket:
    within = dt.timedelta(days=formula.within_days)

    def value(some: list[Run]) -> Value:
        matured = [run for run in some if run.start + within <= asked.now]
        moved_on = sum(run.end is not None and run.end < run.start + within for run in matured)
        young = len(some) - len(matured)
        return values.estimated_share(moved_on, len(matured), min_n=formula.min_n, censored=young)

    rows = (
        (asked.placing.in_cohort(run.account_id, run.start), asked.bucket_of(run.start), run)
        for run in _runs(formula, asked)
        if run.start < asked.now
    )
    return _by_bucket(_grouped(rows), value)


def _shares(formula: Share, asked: Asked) -> ByBucket:
    """Each entity by the first of the steps it took; of several at one instant the first in the formula."""
    measure = asked.measure(formula.measure)
    wanted = tuple(dict.fromkeys((*formula.among, formula.step)))
    found = cases(asked.store, measure, wanted, asked.now, asked.span)
    rows: list[tuple[GroupKey | None, int | None, Run]] = []
    for case in found.values():
        at = case.end(wanted)
        if at is not None:
            is_it = case.end((formula.step,)) == at
            place = asked.placing.on_day(case.account_id, at), asked.bucket_of(at)
            rows.append((*place, Run(case.account_id, at, at if is_it else None)))

    def value(some: list[Run]) -> Value:
        return values.estimated_share(
            sum(run.end is not None for run in some), len(some), min_n=formula.min_n
        )

    return _by_bucket(_grouped(rows), value)


def _entered(formula: Entered, asked: Asked) -> ByBucket:
    found: dict[tuple[GroupKey, int], list[tuple[int, Decimal | None]]] = defaultdict(list)
    for account_id, at, amount in _entries(formula, asked):
        group, bucket = asked.placing.on_day(account_id, at), asked.bucket_of(at)
        if group is not None and bucket is not None:
            found[group, bucket].append((account_id, amount))
    answers: ByBucket = defaultdict(dict)
    for (group, bucket), rows in found.items():
        answers[group][bucket] = _entered_value(formula, asked.metric, rows)
    return answers


def _entered_value(formula: Entered, metric: Metric, rows: Sequence[tuple[int, Decimal | None]]) -> Value:
    accounts = len({account_id for account_id, _ in rows})
    if formula.sum == "entities":
        return Value(len(rows), accounts=accounts)
    known = [amount for _, amount in rows if amount is not None]
    total = Fraction(sum(known, ZERO))
    if formula.sum == "amount":
        return Value(values.shown(total, metric.unit), n=len(rows), accounts=accounts)
    if not known:
        return Value(None, ZERO, 0, n=0, accounts=accounts)
    mean = values.shown(total / len(known), metric.unit)
    return Value(mean, values.shown(total, metric.unit), len(known), n=len(known), accounts=accounts)


def _entries(formula: Entered, asked: Asked) -> Iterator[tuple[int, dt.datetime, Decimal | None]]:
    """(account, when, worth) of every entity that took the step, at the first time."""
    measure = asked.measure(formula.measure)
    if formula.sum == "entities" and formula.labelled is None:
        for case in cases(asked.store, measure, (formula.step,), asked.now, asked.span).values():
            if (at := case.start((formula.step,))) is not None:
                yield case.account_id, at, None
        return
    for (account_id, _), events in told(asked.store, measure, asked.now, (formula.step, *asked.span)).items():
        entered = _state_when(events, formula.step)
        if entered is not None and (formula.labelled is None or formula.labelled in entered.labels):
            yield account_id, entered.at, entered.amount


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


def _open(formula: Open, asked: Asked) -> ByBucket:
    """A case counts at every instant after its start and not after its end, in the group its account is in then."""
    instants = [at for bucket in asked.buckets if (at := state_at(bucket, asked.now)) is not None]
    totals: dict[tuple[GroupKey, int], tuple[Decimal, set[int]]] = {}
    for account_id, start, end, worth in _open_runs(formula, asked) if instants else ():
        past = len(instants) if end is None else bisect_right(instants, end)
        for position in range(bisect_right(instants, start), past):
            at = instants[position]
            group = asked.placing.at(account_id, at)
            if group is not None:
                total, accounts = totals.setdefault((group, position), (ZERO, set()))
                accounts.add(account_id)
                totals[group, position] = total + worth(at), accounts
    answers: ByBucket = defaultdict(dict)
    for (group, position), (total, accounts) in totals.items():
        shown = values.shown(Fraction(total), asked.metric.unit)
        answers[group][position] = Value(shown, accounts=len(accounts))
    return answers


OpenRun = tuple[int, dt.datetime, dt.datetime | None, Callable[[dt.datetime], Decimal]]


def _open_runs(formula: Open, asked: Asked) -> Iterator[OpenRun]:
    measure = asked.measure(formula.measure)
    if formula.sum == "entities":
        found = cases(asked.store, measure, (*formula.start, *formula.end), asked.now)
        for case in found.values():
            if (start := case.end(formula.start)) is not None:
                yield case.account_id, start, case.end(formula.end), lambda _: Decimal(1)
        return
    events_of: Mapping[Entity, list[Told]] = told(asked.store, measure, asked.now)
    for (account_id, _), events in events_of.items():
        start = min((event.at for event in events if event.step in formula.start), default=None)
        end = min((event.at for event in events if event.step in formula.end), default=None)
        if start is not None:
            yield account_id, start, end, _worth(events)


def _worth(events: Sequence[Told]) -> Callable[[dt.datetime], Decimal]:
    """The last amount told strictly before an instant; 0 before there is one."""
    amounts = [(event.at, event.amount) for event in events if event.amount is not None]

    def at(instant: dt.datetime) -> Decimal:
        past = [amount for told_at, amount in amounts if told_at < instant]
        return past[-1] if past else ZERO

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
    found: dict[tuple[GroupKey, int], list[Fraction]] = defaultdict(list)
    for account_id, at, score in asked.store.read(_ANSWERS, params):
        group, bucket = asked.placing.on_day(account_id, at), asked.bucket_of(at)
        if group is not None and bucket is not None:
            found[group, bucket].append(Fraction(score))
    answers: ByBucket = defaultdict(dict)
    for (group, bucket), scores in found.items():
        if formula.value == "mean":
            answers[group][bucket] = values.estimated_mean(scores, min_n=formula.min_n)
        else:
            assert formula.at_least is not None
            content = sum(score >= formula.at_least for score in scores)
            answers[group][bucket] = values.estimated_share(content, len(scores), min_n=formula.min_n)
    return answers
