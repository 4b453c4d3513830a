"""Cases: what happened to each entity of a lifecycle, and when. The statements.

Everything is strictly before the instant of the question. Of steps that are a customer's doing, own staff's are left out.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from common.catalogue.lifecycles import FIRST_SEEN
from common.catalogue.models import Measure
from common.figures.anew import by_case
from common.figures.cells import Store
from common.figures.instants import micros
from common.figures.own_staff import counted, params_of
from common.figures.rates import rates

Entity = tuple[int, str]
"""(account id, the entity's name within it)."""


CURRENCY = "currency"  # the label that the engine keeps beside an amount


@dataclass(slots=True)
class Case:
    """When each step was taken first; `said`: when it happens as last said, if at all."""

    account_id: int
    first: dict[str, dt.datetime] = field(default_factory=dict)
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
    """One event of an entity, as it was told. In the order of (time, source, id).

    `amount`: in the tenant's currency, by the rate of the event's local day; not a number where there is no rate.
    `person_id`: 0 where nobody is named.
    """

    step: str
    at: dt.datetime
    amount: Decimal | None
    labels: Mapping[str, str]
    person_id: int = 0


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant of a case: of the first of `steps` that is known, or with `earliest` the earliest of them; of none, none."""

    steps: tuple[str, ...]
    earliest: bool = True

    def of(self, case: Case) -> dt.datetime | None:
        return case.end(self.steps) if self.earliest else case.start(self.steps)


Moments = tuple[Any, ...]
"""(account id, entity, then an instant in microseconds or None for every moment asked for)."""


def cases(
    store: Store,
    measure: Measure,
    steps: Sequence[str],
    now: dt.datetime,
    among: tuple[dt.datetime, dt.datetime] | None = None,
) -> Mapping[Entity, Case]:
    """Every entity that took one of `steps`. `among`: entities that did so in that span, or said that they do, are enough; more may come."""
    wanted = tuple(sorted(set(steps)))
    return store.once(
        ("cases", measure.name, wanted, now, among), lambda: _cases(store, measure, wanted, now, among)
    )


def moments(
    store: Store,
    measure: Measure,
    wanted: Sequence[Moment],
    now: dt.datetime,
    among: tuple[dt.datetime, dt.datetime] | None = None,
) -> Sequence[Moments]:
    """Of every case for which the first moment is known. `among`: entities that took a step of it then are enough."""
    key = ("moments", measure.name, *wanted, now, among)
    if any(step.new_case for step in measure.steps):
        return store.once(key, lambda: list(_of_cases(store, measure, wanted, now, among)))
    steps = {step for moment in wanted for step in moment.steps}
    if not any(step.instant and step.name in steps for step in measure.steps):
        return store.once(key, lambda: _moments(store, measure, wanted, now, among))
    found = []
    for (account_id, entity), case in cases(store, measure, sorted(steps), now, among).items():
        instants = [moment.of(case) for moment in wanted]
        if instants[0] is not None:
            found.append((account_id, entity, *(None if at is None else micros(at) for at in instants)))
    return found


def told(
    store: Store,
    measure: Measure,
    now: dt.datetime,
    among: tuple[tuple[str, ...], dt.datetime, dt.datetime] | None = None,
) -> Mapping[Entity, list[Told]]:
    """All events of each entity in their order. `among` (steps, from, to): of those that took one of the steps then."""
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
    said = [step.name for step in measure.steps if step.instant and step.name in steps]
    params = _params(store, measure, now) | {"steps": list(steps), "said": said}
    within = ""
    if among is not None and measure.entity:
        params |= {"first": among[0], "last": among[1]}
        within = _AMONG_SAID
    for account_id, entity, step, at in store.read(_MOMENTS.format(among=within), params).fetchall():
        case = found.setdefault((account_id, entity), Case(account_id))
        case.first[step] = at
    if said:
        for account_id, entity, step, acts_at in store.read(_SAID.format(among=within), params):
            found[account_id, entity].said[step] = acts_at
    return found


def _told(
    store: Store,
    measure: Measure,
    now: dt.datetime,
    among: tuple[tuple[str, ...], dt.datetime, dt.datetime] | None,
) -> Mapping[Entity, list[Told]]:
    params = _params(store, measure, now)
    if among is not None:
        params |= {"steps": list(among[0]), "first": among[1], "last": among[2]}
    statement = _TOLD.format(among=_AMONG if among else "")
    by_day, day_of = rates(store), store.calendar.day_of
    found: dict[Entity, list[Told]] = defaultdict(list)
    for account_id, entity, step, at, said, labels, person in store.read(statement, params).fetchall():
        currency = labels.get(CURRENCY) if labels and said is not None else None
        amount = said if currency is None else by_day.converted(said, currency, day_of(at))
        found[account_id, entity].append(Told(step, at, amount, labels or {}, person))
    return found


def _moments(
    store: Store,
    measure: Measure,
    wanted: Sequence[Moment],
    now: dt.datetime,
    among: tuple[dt.datetime, dt.datetime] | None,
) -> Sequence[Moments]:
    """One row an entity, made by the database; instants stay whole numbers."""
    steps = tuple(dict.fromkeys(step for moment in wanted for step in moment.steps))
    named = {f"step_{number}": step for number, step in enumerate(steps)}
    columns = [_column(moment, steps) for moment in wanted]
    params = (
        _params(store, measure, now)
        | named
        | {"steps": list(wanted[0].steps), "all_steps": list(steps), "first_seen": FIRST_SEEN}
    )
    if among is not None:
        params |= {"first": among[0], "last": among[1]}
    bounded = (
        among is not None and bool(measure.entity) and store.read(_MOSTLY_OLDER, params).fetchone() == (True,)
    )
    statement = _ENTITIES.format(
        source=_WITH_FIRST_SEEN if FIRST_SEEN in steps else "published.step",
        columns=", ".join(columns),
        known=columns[0],
        among=_AMONG if bounded else "",
    )
    return store.read_instants(statement, params).fetchall()


def _of_cases(
    store: Store,
    measure: Measure,
    wanted: Sequence[Moment],
    now: dt.datetime,
    among: tuple[dt.datetime, dt.datetime] | None,
) -> Iterator[Moments]:
    """The same where an entity may have several cases, one row a case."""
    span = None if among is None else (wanted[0].steps, *among)
    for (account_id, entity), events in told(store, measure, now, span).items():
        for case in by_case(measure, events):
            first = Case(account_id, _firsts(case))
            instants = [moment.of(first) for moment in wanted]
            if instants[0] is not None:
                yield (account_id, entity, *(None if at is None else micros(at) for at in instants))


def _firsts(events: Iterable[Told]) -> dict[str, dt.datetime]:
    """When each step was taken first, of events in order."""
    found: dict[str, dt.datetime] = {}
    for event in events:
        found.setdefault(event.step, event.at)
    return found


def _column(moment: Moment, steps: Sequence[str]) -> str:
    if not moment.steps:
        return "null::timestamptz"
    parts = [f"min(s.at) filter (where s.step = %(step_{steps.index(step)})s)" for step in moment.steps]
    return f"{'least' if moment.earliest else 'coalesce'}({', '.join(parts)})"


def _params(store: Store, measure: Measure, now: dt.datetime) -> dict[str, Any]:
    return store.params(
        measure=store.ids.get(f"{measure.name}_steps", -1), now=now, **params_of(measure, store.catalogue)
    )


_SEEN = """
select account_id, first_event_at from published.account_seen where tenant_id = %(tenant)s and first_event_at < %(now)s
"""
_COUNTED = f"and ({counted('s')})"
_AMONG = """
  and (s.account_id, s.entity) in (
    select account_id, entity from published.step
    where tenant_id = %(tenant)s and measure_id = %(measure)s and step = any(%(steps)s) and at >= %(first)s and at < %(last)s
  )"""
# Also those that said in another span that they take one of the steps in this one.
_AMONG_SAID = """
  and (s.account_id, s.entity) in (
    select account_id, entity from published.step
    where tenant_id = %(tenant)s and measure_id = %(measure)s and step = any(%(steps)s) and at >= %(first)s and at < %(last)s
    union all
    select account_id, entity from published.step
    where tenant_id = %(tenant)s and measure_id = %(measure)s and step = any(%(said)s) and acts_at >= %(first)s and acts_at < %(last)s
  )"""
# That an account was heard of is a step of a lifecycle without entities, taken by nobody.
_WITH_FIRST_SEEN = """(
  select tenant_id, measure_id, account_id, entity, person_id, step, at from published.step
  union all
  select tenant_id, %(measure)s, account_id, '', 0, %(first_seen)s, first_event_at from published.account_seen
)"""
_ENTITIES = f"""
select s.account_id, s.entity, {{columns}} from {{source}} s
where s.tenant_id = %(tenant)s and s.measure_id = %(measure)s and s.step = any(%(all_steps)s) and s.at < %(now)s {_COUNTED}{{among}}
group by s.account_id, s.entity having {{known}} is not null"""
# Looking entities up costs more than reading all of them, unless most of them are out of the question.
_MOSTLY_OLDER = """
select count(*) filter (where at < %(first)s) > count(*) filter (where at >= %(first)s) from published.step
where tenant_id = %(tenant)s and measure_id = %(measure)s and step = any(%(steps)s) and at < %(last)s"""
_MOMENTS = f"""
select s.account_id, s.entity, s.step, min(s.at) from published.step s
where s.tenant_id = %(tenant)s and s.measure_id = %(measure)s and s.step = any(%(steps)s) and s.at < %(now)s {_COUNTED}{{among}}
group by s.account_id, s.entity, s.step"""
_SAID = f"""
select distinct on (s.account_id, s.entity, s.step) s.account_id, s.entity, s.step, s.acts_at from published.step s
where s.tenant_id = %(tenant)s and s.measure_id = %(measure)s and s.step = any(%(said)s) and s.at < %(now)s {_COUNTED}{{among}}
order by s.account_id, s.entity, s.step, s.at desc, s.source collate "C" desc, s.event_id collate "C" desc"""
_TOLD = f"""
select s.account_id, s.entity, s.step, s.at, s.amount, s.labels, s.person_id from published.step s
where s.tenant_id = %(tenant)s and s.measure_id = %(measure)s and s.at < %(now)s {_COUNTED}{{among}}
order by s.at, s.source collate "C", s.event_id collate "C"
"""
