"""A base's past as replays read it, made of its lines alone: without an engine and a database, so that large bases can be judged.

`differences` holds such a past against the one that the product itself kept of the same lines.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import numpy.typing as npt
from benchmarks.bases.base import Base
from benchmarks.bases.calendar import DAYS, FIRST_DAY
from benchmarks.bases.events import DAY_SECONDS, Told
from benchmarks.bases.plan import at
from benchmarks.bases.tracking import Spell

from alerts.domain.past import Events
from alerts.domain.said_days import Calendar, Computed, Rates
from alerts.domain.signal_days import can_be_counted
from alerts.ports.history import AccountHistory, TenantHistory
from common.catalogue import cel
from common.catalogue.models import Catalogue, Measure
from common.context.quiet import Context
from common.context.quiet import Known as KnownContext
from common.contracts.known import KnownCounts
from common.figures.mrr import Change
from common.signals.said import INVOICES, PLANS, SURVEYS, TICKETS, Answer, Step
from common.tracking.reads import LEAST_SHARE
from common.tracking.windows import Span
from kpi_engine.domain.buckets import LocalTime
from kpi_engine.domain.steps import Rules, read_steps, rules_of

NOW = at(DAYS, 0) - timedelta(seconds=1)
# Numbers of people are of one account each.
_PEOPLE_APART = 100_000
_UPDATES = frozenset({"account.created", "account.updated"})


class _Event(msgspec.Struct):
    id: str
    source: str
    type: str
    time: datetime
    data: dict[str, Any]


_decoded = msgspec.json.Decoder(_Event).decode


def remembered(base: Base, catalogue: Catalogue, faults: Sequence[Spell]) -> TenantHistory:
    """All of a base; every event was known when it happened."""
    context = _context(catalogue, faults)
    measures = [one for one in catalogue.measures.values() if can_be_counted(one)]
    accounts = [
        _account(number, told, catalogue, measures, context)
        for number, told in enumerate(sorted(base.told, key=lambda one: one.account.name), 1)
    ]
    ends = [at(day + 1, 0) for day in range(DAYS - 1)]
    calendar = Calendar(FIRST_DAY, ZoneInfo(catalogue.settings.timezone), [*ends, NOW])
    rates = Rates(catalogue.settings.currency, {})
    return TenantHistory(calendar, accounts, KnownCounts(assumed=len(base.lines)), rates)


def _context(catalogue: Catalogue, faults: Sequence[Spell]) -> Context:
    """As `common.context.reading` makes it of what the database knows."""
    outages = tuple(
        Span(spell.broken.since, at(spell.over, 0) if spell.over < DAYS else NOW)
        for spell in faults
        if spell.broken.share >= LEAST_SHARE
        and spell.broken.renamed_to is None
        and any(catalogue.is_activity(kind) for kind in spell.broken.types)
    )
    settings = catalogue.settings
    known = KnownContext(
        ZoneInfo(settings.timezone),
        FIRST_DAY,
        (NOW + timedelta(days=2)).date(),
        settings.holidays,
        (),
        outages,
    )
    return Context(known)


def _account(
    number: int, told: Told, catalogue: Catalogue, measures: Sequence[Measure], context: Context
) -> AccountHistory:
    events = [_decoded(line.body) for line in sorted(told.lines)]
    traits = sorted(
        (one for event in events for one in _traits(event)), key=lambda one: (one[1], one[0], *one[3:])
    )
    answers = sorted(
        (event.time, event.source, event.id, str(event.data.get("user")), float(event.data["score"]))
        for event in events
        if event.type == "survey.responded" and event.data["kind"] == "nps"
    )
    quiet = context.quiet(number, {name: value for _, name, value, *_ in traits})
    people = {user: n for n, user in enumerate(sorted({user for *_, user, _ in answers}), 1)}
    return AccountHistory(
        number,
        told.account.name,
        _events(number, events, catalogue, measures),
        [(when, name, value) for when, name, value, *_ in traits],
        [_change(event) for event in events if event.type.startswith("subscription.")],
        [Answer(people[user], when, score) for when, _, _, user, score in answers],
        _steps(told, rules_of(catalogue.measures[name] for name in (INVOICES, PLANS, SURVEYS, TICKETS))),
        Computed(quiet=quiet),
        {},
    )


def _steps(told: Told, rules: Rules) -> dict[str, list[Step]]:
    """By measure and in order, read as the engine reads them."""
    found: dict[str, list[tuple[tuple[datetime, str, str], Step]]] = {}
    for line in told.lines:
        event = _decoded(line.body)
        for taken in read_steps(0, event.type, line.body, rules.get(event.type, ()), LocalTime("UTC")):
            step = Step(taken.entity, taken.step, event.time, taken.labels)
            found.setdefault(taken.measure, []).append(((event.time, event.source, event.id), step))
    return {name: [step for _, step in sorted(its, key=lambda one: one[0])] for name, its in found.items()}


def _traits(event: _Event) -> Iterator[tuple[datetime, str, Any, str, str]]:
    said: dict[str, Any] = {}
    if event.type in _UPDATES:
        said = event.data["traits"]
        if event.type == "account.created":
            said = {"closed": None, "closed_at": None, "closed_reason": None, **said}
    elif event.type == "account.closed":
        at_text = event.time.isoformat().replace("+00:00", "Z")
        said = {"closed": True, "closed_at": at_text, "closed_reason": event.data["reason"]}
    yield from ((event.time, name, value, event.source, event.id) for name, value in said.items())


def _change(event: _Event) -> Change:
    said = event.data
    return Change(
        said["subscription"], _instant(said, "effective_at") or event.time, event.time, event.source, event.id,
        event.type.partition(".")[2],  # type: ignore[arg-type]
        Decimal(said["mrr"]) if "mrr" in said else None, _instant(said, "term_end"), said.get("currency"),
        said.get("product"), _instant(said, "notice_deadline"), Decimal(str(said["seats"])) if "seats" in said else None,
    )  # fmt: skip


def _instant(said: dict[str, Any], name: str) -> datetime | None:
    return datetime.fromisoformat(said[name]) if name in said else None


def _events(
    number: int, events: Sequence[_Event], catalogue: Catalogue, measures: Sequence[Measure]
) -> Events:
    """Those alike in one element, as `Events` wants them."""
    is_activity = {kind: catalogue.is_activity(kind) for kind in {event.type for event in events}}
    people: dict[str, int] = {}
    person = np.array(
        [people.setdefault(user, len(people) + 1) if user else 0 for user in _users(events)], np.int64
    )
    is_use = np.array([is_activity[event.type] for event in events], np.bool_)
    marks = {one.name: _marked(one, events, is_activity) for one in measures}
    is_named = is_use | np.any([marks[one.name] for one in measures if one.is_distinct], axis=0)
    day = np.array([(event.time - at(0, 0)) // timedelta(seconds=DAY_SECONDS) for event in events], np.int64)
    named = np.where((person > 0) & is_named, person + number * _PEOPLE_APART, 0)
    complaints = _marked(catalogue.measures["complaints"], events, is_activity)
    table = np.column_stack([named, day, is_use, complaints, *marks.values()]).astype(np.int64)
    alike, counts = np.unique(table, axis=0, return_counts=True)
    flags = [column.astype(np.bool_) for column in alike.T[2:]]
    return Events(
        alike[:, 0], alike[:, 1], alike[:, 1], flags[0], flags[1], counts.astype(np.int64),
        dict(zip(marks, flags[2:], strict=True)),
    )  # fmt: skip


def _users(events: Sequence[_Event]) -> Iterator[str | None]:
    return (event.data.get("user") for event in events)


def _marked(
    measure: Measure, events: Sequence[_Event], is_activity: dict[str, bool]
) -> npt.NDArray[np.bool_]:
    """Which events it counts; nobody of a base is internal."""
    counted = {
        kind for kind, active in is_activity.items()
        if (active if measure.activity else "*" in measure.event_types or kind in measure.event_types)
    }  # fmt: skip
    where = cel.compile_event(measure.where) if measure.where else None
    return np.array(
        [
            event.type in counted and (where is None or where.for_event(event.type, event.data) is True)
            for event in events
        ],
        np.bool_,
    )


@dataclass(frozen=True)
class _Summary:
    """What of an account must be alike, whatever numbers its people have."""

    days: dict[str, list[int]]
    traits: list[Any]
    changes: list[Change]
    answers: list[Any]
    quiet: frozenset[Any]

    @staticmethod
    def of(one: AccountHistory) -> "_Summary":
        events = one.events
        flags = {
            "": np.ones(len(events.day), np.bool_),
            "use": events.is_use,
            "complaint": events.is_complaint,
        }
        named = {f"{name}, of people": its & (events.person != 0) for name, its in events.marks.items()}
        days = {
            name: np.bincount(events.day[its], events.count[its], DAYS).astype(int).tolist()
            for name, its in {**flags, **events.marks, **named}.items()
        }
        return _Summary(
            days, list(map(tuple, one.traits)), sorted(one.changes, key=lambda change: change.order), [(its.at, its.score) for its in one.answers], frozenset(one.computed.quiet)
        )  # fmt: skip


def differences(ours: TenantHistory, kept: TenantHistory) -> list[str]:
    """Accounts of which the lines and the product's own past say different things, and where."""
    theirs = {one.name: _Summary.of(one) for one in kept.accounts}
    mine = {one.name: _Summary.of(one) for one in ours.accounts}
    names = sorted(mine.keys() | theirs.keys())
    return [
        f"{name}: {', '.join(_apart(mine[name], theirs[name])) if name in mine and name in theirs else 'on one side only'}"
        for name in names
        if mine.get(name) != theirs.get(name)
    ]


def _apart(one: _Summary, other: _Summary) -> Iterator[str]:
    yield from (f"days of {name}" for name in sorted(one.days) if one.days[name] != other.days.get(name))
    parts = ("traits", "changes", "answers", "quiet")
    yield from (part for part in parts if getattr(one, part) != getattr(other, part))
