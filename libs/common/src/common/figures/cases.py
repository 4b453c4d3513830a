"""Cases: what happened to each entity of a lifecycle, and when. The statements, and where a case counts.

Everything is strictly before the instant of the question. Own staff's steps are left out unless the measure counts them.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from common.catalogue.lifecycles import FIRST_SEEN
from common.catalogue.models import Measure
from common.figures.cells import WHOLE, Store
from common.figures.slices import GroupKey

Entity = tuple[int, str]
"""(account id, the entity's name within it)."""


@dataclass(slots=True)
class Case:
    """When each step was taken first, by anybody and by each person; `said`: when it happens as last said, if at all."""

    account_id: int
    first: dict[str, dt.datetime] = field(default_factory=dict)
    by_person: dict[tuple[str, int], dt.datetime] = field(default_factory=dict)
    said: dict[str, dt.datetime | None] = field(default_factory=dict)

    def start(self, steps: Sequence[str]) -> dt.datetime | None:
        """Of the first of these steps that is known."""
        for step in steps:
            at = self.said[step] if step in self.said else self.first.get(step)
            if at is not None:
                return at
        return None

    def end(self, steps: Iterable[str]) -> dt.datetime | None:
        """The earliest of these steps."""
        return min((at for step in steps if (at := self.start((step,))) is not None), default=None)


@dataclass(frozen=True, slots=True)
class Told:
    """One event of an entity, as it was told. In the order of (time, source, id)."""

    step: str
    at: dt.datetime
    amount: Decimal | None
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Placing:
    """In which group an account's case counts."""

    store: Store

    def on_day(self, account_id: int, at: dt.datetime) -> GroupKey | None:
        """By the traits at the start of the event's local day, as counts do. None: in none that was asked for."""
        if self.store.slices is None:
            return WHOLE
        calendar = self.store.calendar
        return self.store.slices.group_at(account_id, calendar.day_start(calendar.day_of(at)))

    def in_cohort(self, account_id: int, start: dt.datetime) -> GroupKey | None:
        """By the traits when it started; by the first ones it was given where it had none yet."""
        if self.store.slices is None:
            return WHOLE
        return self.store.slices.group_at(account_id, start, or_first=True)

    def at(self, account_id: int, instant: dt.datetime) -> GroupKey | None:
        if self.store.slices is None:
            return WHOLE
        return self.store.slices.group_at(account_id, instant)


def cases(
    store: Store,
    measure: Measure,
    steps: Sequence[str],
    now: dt.datetime,
    among: tuple[dt.datetime, dt.datetime] | None = None,
) -> Mapping[Entity, Case]:
    """Every entity that took one of `steps`. `among`: entities that did so in that span are enough; more may come."""
    wanted = tuple(sorted(set(steps)))
    return store.once(
        ("cases", measure.name, wanted, now, among), lambda: _cases(store, measure, wanted, now, among)
    )


def told(
    store: Store,
    measure: Measure,
    now: dt.datetime,
    among: tuple[str, dt.datetime, dt.datetime] | None = None,
) -> Mapping[Entity, list[Told]]:
    """All events of each entity in their order. `among` (step, from, to): of those that took the step then."""
    return store.once(("told", measure.name, now, among), lambda: _told(store, measure, now, among))


def _cases(
    store: Store,
    measure: Measure,
    steps: Sequence[str],
    now: dt.datetime,
    among: tuple[dt.datetime, dt.datetime] | None,
) -> Mapping[Entity, Case]:
    found: dict[Entity, Case] = {}
    if FIRST_SEEN in steps:
        for account_id, at in store.read(_SEEN, store.params(now=now)):
            found[account_id, ""] = Case(account_id, {FIRST_SEEN: at})
    params = _params(store, measure, now) | {"steps": list(steps)}
    bounded = among is not None and bool(measure.entity)
    if bounded and among is not None:
        params |= {"first": among[0], "last": among[1]}
    statement = _MOMENTS.format(among=_AMONG if bounded else "", internal=_internal(measure))
    for account_id, entity, person_id, step, at in store.read(statement, params).fetchall():
        case = found.setdefault((account_id, entity), Case(account_id))
        case.first[step] = min(at, case.first.get(step, at))
        case.by_person[step, person_id] = at
    said = [step.name for step in measure.steps if step.instant and step.name in steps]
    if said:
        statement = _SAID.format(internal=_internal(measure))
        for account_id, entity, step, acts_at in store.read(statement, params | {"steps": said}):
            found[account_id, entity].said[step] = acts_at
    return found


def _told(
    store: Store, measure: Measure, now: dt.datetime, among: tuple[str, dt.datetime, dt.datetime] | None
) -> Mapping[Entity, list[Told]]:
    params = _params(store, measure, now)
    if among is not None:
        params |= {"steps": [among[0]], "first": among[1], "last": among[2]}
    statement = _TOLD.format(among=_AMONG if among else "", internal=_internal(measure))
    found: dict[Entity, list[Told]] = defaultdict(list)
    for account_id, entity, step, at, amount, labels in store.read(statement, params).fetchall():
        found[account_id, entity].append(Told(step, at, amount, labels or {}))
    return found


def _params(store: Store, measure: Measure, now: dt.datetime) -> dict[str, Any]:
    return store.params(measure=store.ids.get(f"{measure.name}_steps", -1), now=now)


def _internal(measure: Measure) -> str:
    return _NOT_INTERNAL if measure.exclude_internal else ""


_SEEN = """
select account_id, first_event_at from published.account_seen where tenant_id = %(tenant)s and first_event_at < %(now)s
"""
_NOT_INTERNAL = """
  and s.person_id not in (select person_id from published.person where tenant_id = %(tenant)s and is_internal)"""
_AMONG = """
  and (s.account_id, s.entity) in (
    select account_id, entity from published.step
    where tenant_id = %(tenant)s and measure_id = %(measure)s and step = any(%(steps)s) and at >= %(first)s and at < %(last)s
  )"""
_MOMENTS = """
select s.account_id, s.entity, s.person_id, s.step, min(s.at) from published.step s
where s.tenant_id = %(tenant)s and s.measure_id = %(measure)s and s.step = any(%(steps)s) and s.at < %(now)s{internal}{among}
group by s.account_id, s.entity, s.person_id, s.step"""
_SAID = """
select distinct on (s.account_id, s.entity, s.step) s.account_id, s.entity, s.step, s.acts_at from published.step s
where s.tenant_id = %(tenant)s and s.measure_id = %(measure)s and s.step = any(%(steps)s) and s.at < %(now)s{internal}
order by s.account_id, s.entity, s.step, s.at desc, s.source collate "C" desc, s.event_id collate "C" desc"""
_TOLD = """
select s.account_id, s.entity, s.step, s.at, s.amount, s.labels from published.step s
where s.tenant_id = %(tenant)s and s.measure_id = %(measure)s and s.at < %(now)s{internal}{among}
order by s.at, s.source collate "C", s.event_id collate "C"
"""
