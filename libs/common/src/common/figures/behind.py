"""Which events of an account count for a metric's figure in a bucket: what is read, from when to when, and as what. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from common.catalogue.derived import Derived
from common.catalogue.economics import (
    AtRisk,
    Attained,
    Benefit,
    Lifetime,
    NpsChange,
    NpsWave,
    Recorded,
    RelativeTrend,
    Repeated,
    RiskResolved,
    Unaided,
)
from common.catalogue.lifecycles import (
    FIRST_SEEN,
    SEATS,
    Answers,
    Churn,
    Committed,
    Conversion,
    Coverage,
    Duration,
    Entered,
    MovedOn,
    Open,
    Qualified,
    Renewal,
    Seats,
    Share,
    Silence,
)
from common.catalogue.models import (
    Catalogue,
    Measure,
    Metric,
    Movement,
    Nps,
    Ratio,
    Rolling,
    SemiAdditive,
    Simple,
    Term,
)
from common.figures.buckets import Bucket, sample_day, state_at
from common.figures.calendar import DAY, Calendar, add_months
from common.figures.histories import CLOSED

Kept = Literal["events", "steps", "subscriptions", "seats", "answers", "traits", "first"]
"""Where it is kept which events count: in the events themselves, or in what the engine made of them."""

ANSWER_DAYS = 180  # how long an answer to a relationship survey stands
LAPSE = 30 * DAY  # how long a term may be overdue
_SILENCE = 180 * DAY  # the past that tells an account's usual gap


@dataclass(frozen=True, slots=True)
class Reads:
    """Events in [first, last), `first` None: from the beginning. `part`: what they are of the figure.

    `steps`: only these. `of_started`: only of entities that took one of these steps in [first, last), whenever they took
    theirs; `still_open`: only of those that took none of these by `last`; `by_person`: each person of an entity by themselves, where
    its cases begin anew. `first_of`: only the first of these steps that an entity took; with `of_started`, it started by that one.
    `kind` of surveys; `survey`: only this one; `scores`: only from the one to the other; `latest`: of each person the last
    one about the relationship only, with `by_wave` of each wave of each survey. `trait` that must have been set: the last time before `last`, or every time since `first`. `period`: a label that
    says for which days an event is, instead of its time. `labelled`: only events with this label; `labelled_by_then`: only
    of entities that had this one by the event.
    """

    part: str
    kept: Kept
    first: dt.datetime | None
    last: dt.datetime
    measure: str | None = None
    steps: tuple[str, ...] = ()
    of_started: tuple[str, ...] = ()
    still_open: tuple[str, ...] = ()
    first_of: tuple[str, ...] = ()
    by_person: bool = False
    kind: str | None = None
    survey: str | None = None
    scores: tuple[int | None, int | None] = (None, None)
    trait: str | None = None
    latest: bool = False
    by_wave: bool = False
    period: str | None = None
    labelled: str | None = None
    labelled_by_then: str | None = None
    zone: dt.tzinfo = dt.UTC


def reads(
    metric: Metric, catalogue: Catalogue, calendar: Calendar, bucket: Bucket, now: dt.datetime
) -> list[Reads]:
    """Nothing of a bucket that has not begun. A formula that isn't known here reads its measures up to the bucket's end."""
    at = state_at(bucket, now)
    if at is None:
        return []
    asking = _Asking(metric, catalogue, calendar, bucket, at, now)
    formula = metric.formula
    for kinds, made in _BY_FORMULA:
        if isinstance(formula, kinds):
            return list(made(asking, formula))
    return [asking.of_measure(name, "value", None, at) for name in _measures(formula, catalogue)]


def is_of_tenant(metric: Metric, catalogue: Catalogue) -> bool:
    """Whether only events that belong to no account count."""
    names = [] if isinstance(metric.formula, Derived) else _measures(metric.formula, catalogue)
    kinds = [kind for name in names for kind in _types(catalogue.measures[name])]
    return bool(kinds) and all(catalogue.is_tenant_level(kind) for kind in kinds)


def _types(measure: Measure) -> Iterator[str]:
    yield from measure.event_types
    for step in measure.steps:
        yield from step.event_types


@dataclass(frozen=True, slots=True)
class _Asking:
    metric: Metric
    catalogue: Catalogue
    calendar: Calendar
    bucket: Bucket
    at: dt.datetime
    now: dt.datetime

    def of_measure(self, name: str, part: str, first: dt.datetime | None, last: dt.datetime) -> Reads:
        measure = self.catalogue.measures[name]
        kept: Kept = {"mrr": "subscriptions", "steps": "steps", "nps": "answers"}.get(measure.agg, "events")  # type: ignore[assignment]
        return Reads(part, kept, first, last, name, kind="nps" if measure.agg == "nps" else None)

    def told_when_taken(self, measure: str, steps: tuple[str, ...]) -> tuple[str, ...]:
        """The steps, where all of them happen when they are told; none where an event names the time, for then the last one stands."""
        dated = {step.name for step in self.catalogue.measures[measure].steps if step.instant}
        return () if FIRST_SEEN in steps or not dated.isdisjoint(steps) else steps

    def days(self, days: int, offset: int = 0) -> tuple[dt.datetime, dt.datetime]:
        """The local days that end `offset` days before the sample's end."""
        day = sample_day(self.calendar, self.bucket, self.now)
        assert day is not None, "the bucket has begun"
        last = day - offset * DAY
        return self.calendar.day_start(last - (days - 1) * DAY), self.calendar.day_start(last + DAY)

    def span(self, formula: Any) -> tuple[dt.datetime, dt.datetime]:
        """Of a formula that may be about the days before the bucket's end instead of the bucket."""
        if formula.window_days is None:
            return self.bucket.start, self.at
        end = self.calendar.days_before(self.at, formula.offset_days)
        return self.calendar.days_before(end, formula.window_days), end


def _simple(asking: _Asking, formula: Simple) -> Iterator[Reads]:
    yield asking.of_measure(formula.measure, "value", asking.bucket.start, asking.bucket.end)


def _rolling(asking: _Asking, formula: Rolling) -> Iterator[Reads]:
    yield asking.of_measure(formula.measure, "value", *asking.days(formula.window_days))


def _ratio(asking: _Asking, formula: Ratio) -> Iterator[Reads]:
    sides: tuple[tuple[str, Term], ...] = (
        ("numerator", formula.numerator),
        ("denominator", formula.denominator),
    )
    for part, term in sides:
        yield asking.of_measure(term.measure, part, *asking.days(term.window_days, term.offset_days))


def _nps(asking: _Asking, formula: Nps) -> Iterator[Reads]:
    read = asking.of_measure(formula.measure, "value", *asking.days(ANSWER_DAYS))
    yield replace(read, latest=True)


def _state(asking: _Asking, formula: SemiAdditive) -> Iterator[Reads]:
    if asking.catalogue.measures[formula.measure].agg == "mrr":
        yield asking.of_measure(formula.measure, "value", None, asking.at)
    else:
        yield asking.of_measure(formula.measure, "value", None, asking.days(1)[1])


def _movement(asking: _Asking, formula: Movement) -> Iterator[Reads]:
    start = asking.bucket.start
    if formula.months is not None:
        start = _months_before(asking, formula.months)
    yield asking.of_measure(formula.measure, "start", None, start)
    yield asking.of_measure(formula.measure, "movement", start, asking.at)


def _months_before(asking: _Asking, months: int) -> dt.datetime:
    local = asking.at.astimezone(asking.calendar.zone)
    day = add_months(local.date(), -months)
    if asking.at == asking.calendar.day_start(local.date()):
        return asking.calendar.day_start(day)
    return dt.datetime.combine(day, local.time(), asking.calendar.zone).astimezone(dt.UTC)


def _entered(asking: _Asking, formula: Entered) -> Iterator[Reads]:
    first, last = asking.span(formula)
    first_of = asking.told_when_taken(formula.measure, (formula.step,))
    for read in _steps(formula.measure, "value", (formula.step,), first, last):
        yield replace(read, first_of=first_of, labelled_by_then=formula.labelled)


def _from_to(asking: _Asking, formula: Duration | Conversion) -> Iterator[Reads]:
    """Those who started in the span, and what became of them at any time; or the other way round."""
    first, last = asking.span(formula)
    by_end = isinstance(formula, Duration) and formula.cohort == "end"
    chosen, others = (formula.end, formula.start) if by_end else (formula.start, formula.end)
    names = ("end", "start") if by_end else ("start", "end")
    left = formula.left if isinstance(formula, Duration) else ()
    by_person = isinstance(formula, Conversion) and formula.by_person
    # Of several starts the first that is named counts, not the earliest.
    is_one = by_end or len(chosen) == 1
    first_of = asking.told_when_taken(formula.measure, chosen) if is_one and not by_person else ()
    for read in _steps(formula.measure, names[0], chosen, first, last):
        yield replace(read, first_of=first_of)
    for more in _steps(formula.measure, names[1], (*others, *left), first, last):
        if more.kept == "first":
            yield replace(more, first=None, last=asking.now)
        else:
            yield replace(more, of_started=chosen, first_of=first_of, by_person=by_person)


def _open(asking: _Asking, formula: Open) -> Iterator[Reads]:
    for read in _steps(formula.measure, "value", formula.start, None, asking.at):
        first_of = asking.told_when_taken(formula.measure, formula.start)
        yield replace(read, still_open=formula.end, first_of=first_of)


def _share(asking: _Asking, formula: Share) -> Iterator[Reads]:
    first, last = asking.span(formula)
    others = tuple(step for step in formula.among if step != formula.step)
    first_of = asking.told_when_taken(formula.measure, (formula.step, *others))
    for part, steps in (("numerator", (formula.step,)), ("denominator", others)):
        for read in _steps(formula.measure, part, steps, first, last):
            yield replace(read, first_of=first_of)


def _moved_on(asking: _Asking, formula: MovedOn) -> Iterator[Reads]:
    steps = (formula.step,) if formula.step else ()
    yield from _steps(formula.measure, "start", steps, asking.bucket.start, asking.at)
    last = asking.at + formula.within_days * DAY
    yield from _steps(formula.measure, "next", (), asking.bucket.start, last)


def _steps(
    measure: str, part: str, steps: Sequence[str], first: dt.datetime | None, last: dt.datetime
) -> Iterator[Reads]:
    """That an account was first heard of is no step that is kept."""
    kept = tuple(step for step in dict.fromkeys(steps) if step != FIRST_SEEN)
    if kept or not steps:
        yield Reads(part, "steps", first, last, measure, kept)
    if FIRST_SEEN in steps:
        yield Reads(part, "first", first, last)


def _answers(asking: _Asking, formula: Answers) -> Iterator[Reads]:
    first, last = asking.span(formula)
    scores = formula.lowest, formula.highest
    kind, survey = formula.survey_kind, formula.survey
    yield Reads("value", "answers", first, last, kind=kind, survey=survey, scores=scores)


def _derived(asking: _Asking, formula: Derived) -> Iterator[Reads]:
    for name in formula.metrics:
        metric = asking.catalogue.metrics[name]
        for read in reads(metric, asking.catalogue, asking.calendar, asking.bucket, asking.now):
            yield replace(read, part=name)


def _committed(asking: _Asking, formula: Committed) -> Iterator[Reads]:
    yield asking.of_measure(formula.measure, "value", None, asking.at)


def _renewal(asking: _Asking, formula: Renewal) -> Iterator[Reads]:
    yield asking.of_measure(formula.measure, "value", None, asking.now)


def _churn(asking: _Asking, formula: Churn) -> Iterator[Reads]:
    yield asking.of_measure(formula.measure, "start", None, asking.bucket.start)
    yield asking.of_measure(formula.measure, "movement", asking.bucket.start, asking.at)
    if formula.of in ("avoidable", "coded"):
        yield Reads("reason", "traits", None, asking.now, trait="closed_reason")
    if formula.invoices is not None and formula.of == "involuntary":
        first = asking.bucket.start - formula.within_days * DAY
        # What leads to a lapse fails after the term's end, to which it is dated.
        yield asking.of_measure(formula.invoices, "numerator", first, min(asking.at + LAPSE, asking.now))


def _qualified(asking: _Asking, formula: Qualified) -> Iterator[Reads]:
    for condition in formula.conditions:
        yield asking.of_measure(condition.measure, "value", *asking.days(condition.window_days))


def _seats(asking: _Asking, formula: Seats) -> Iterator[Reads]:
    windows = formula.windows if formula.of == "adopted" else 1
    yield asking.of_measure(formula.measure, "numerator", *asking.days(formula.window_days * windows))
    start = asking.days(1)[0]
    for trait in (formula.trait, CLOSED):
        yield Reads("denominator", "traits", None, start, trait=trait)
    if formula.trait == SEATS:
        yield Reads("denominator", "seats", None, start)


def _silence(asking: _Asking, formula: Silence) -> Iterator[Reads]:
    first, last = asking.days(1)
    yield asking.of_measure(formula.measure, "value", first - _SILENCE, last)


def _coverage(asking: _Asking, formula: Coverage) -> Iterator[Reads]:
    yield from _steps(formula.measure, "numerator", (formula.step,), None, asking.at)
    for trait in (formula.owner, CLOSED):
        yield Reads("denominator", "traits", None, asking.at, trait=trait)


def _recorded(asking: _Asking, formula: Recorded) -> Iterator[Reads]:
    first, last = (
        asking.calendar.days_before(at, formula.offset_days)
        for at in (asking.bucket.start, asking.bucket.end)
    )
    for read in _steps(formula.measure, "value", (formula.step,), first, last):
        yield replace(read, period=formula.period, labelled=formula.labelled, zone=asking.calendar.zone)


def _unaided(asking: _Asking, formula: Unaided) -> Iterator[Reads]:
    first, last = asking.span(formula)
    yield from _steps(formula.measure, "denominator", (formula.step,), first, last)
    for read in _steps(formula.measure, "aided", formula.without, first, last):
        yield replace(read, of_started=(formula.step,))


def _repeated(asking: _Asking, formula: Repeated) -> Iterator[Reads]:
    yield from _steps(formula.measure, "denominator", (formula.step,), asking.bucket.start, asking.at)
    yield from _steps(formula.measure, "before", (formula.step,), None, asking.bucket.start)


def _attained(asking: _Asking, formula: Attained) -> Iterator[Reads]:
    yield from _steps(formula.measure, "value", (), None, asking.at)


def _benefit(asking: _Asking, formula: Benefit) -> Iterator[Reads]:
    first = asking.at - formula.valid_days * DAY
    yield from _steps(formula.measure, "numerator", (formula.step,), first, asking.at)
    yield asking.of_measure(formula.mrr, "denominator", None, asking.at)


def _lifetime(asking: _Asking, formula: Lifetime) -> Iterator[Reads]:
    yield asking.of_measure(formula.measure, "value", None, asking.at)


def _at_risk(asking: _Asking, formula: AtRisk) -> Iterator[Reads]:
    yield asking.of_measure(formula.measure, "value", None, asking.now)
    yield Reads("value", "traits", None, asking.now, trait=CLOSED)


def _risk_resolved(asking: _Asking, formula: RiskResolved) -> Iterator[Reads]:
    last = min(asking.now, asking.at + formula.within_days * DAY)
    if formula.trait is not None:
        yield Reads("value", "traits", asking.bucket.start, last, trait=formula.trait)
    yield asking.of_measure(formula.measure, "value", None, last)


def _relative(asking: _Asking, formula: RelativeTrend) -> Iterator[Reads]:
    days = formula.window_days
    yield asking.of_measure(formula.measure, "numerator", *asking.days(days))
    yield asking.of_measure(formula.measure, "denominator", *asking.days(days, days))


def _nps_change(asking: _Asking, formula: NpsChange) -> Iterator[Reads]:
    starts = asking.calendar.days_before(asking.bucket.start, ANSWER_DAYS), asking.bucket.start
    for part, span in (("start", starts), ("end", asking.days(ANSWER_DAYS))):
        yield replace(asking.of_measure(formula.measure, part, *span), latest=True)


def _nps_wave(asking: _Asking, formula: NpsWave) -> Iterator[Reads]:
    read = asking.of_measure(formula.measure, "value", asking.bucket.start, asking.at)
    yield replace(read, latest=True, by_wave=True)


_Made = Callable[[_Asking, Any], Iterator[Reads]]
_BY_FORMULA: tuple[tuple[type | tuple[type, ...], _Made], ...] = (
    (Simple, _simple), (Rolling, _rolling), (Ratio, _ratio), (Nps, _nps), (SemiAdditive, _state), (Movement, _movement),
    (Entered, _entered), ((Duration, Conversion), _from_to), (Open, _open), (Share, _share), (MovedOn, _moved_on),
    (Answers, _answers), (Derived, _derived), (Committed, _committed), (Renewal, _renewal), (Churn, _churn),
    (Qualified, _qualified), (Seats, _seats), (Silence, _silence), (Coverage, _coverage),
    (Recorded, _recorded), (Unaided, _unaided), (Repeated, _repeated), (Attained, _attained), (Benefit, _benefit),
    (Lifetime, _lifetime), (AtRisk, _at_risk), (RiskResolved, _risk_resolved), (RelativeTrend, _relative),
    (NpsChange, _nps_change), (NpsWave, _nps_wave),
)  # fmt: skip


def _measures(formula: Any, catalogue: Catalogue) -> list[str]:
    """All measures that a formula names, wherever it does."""
    return sorted({text for text in _texts(formula.model_dump(mode="json")) if text in catalogue.measures})


def _texts(dumped: object) -> Iterator[str]:
    if isinstance(dumped, str):
        yield dumped
    elif isinstance(dumped, Mapping):
        for value in dumped.values():
            yield from _texts(value)
    elif isinstance(dumped, list):
        for value in dumped:
            yield from _texts(value)


def counted_types(measure: Measure) -> frozenset[str] | None:
    """The types of event that a measure counts; None where any type may count."""
    if measure.activity or measure.agg == "active_accounts" or "*" in measure.event_types:
        return None
    return frozenset(measure.event_types)
