"""Steps of lifecycles. Rows are only added, or their instant moved back: any order and any batches leave the same figures."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from common.contracts.instants import microseconds
from kpi_engine.adapters.arrays import Instants, Int8s, Words
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.domain.ordering import order_by, starts
from kpi_engine.domain.steps import StepTaken
from kpi_engine.domain.steps_moved import StepMoved
from kpi_engine.ports.connection import Connection

Int64s = npt.NDArray[np.int64]

_INSERT = """
insert into engine.step (tenant_id, measure_id, account_id, entity, step, at, source, event_id, person_id, acts_at, amount, labels)
select %(tenant_id)s, t.measure, t.account, t.entity, t.step, t.at, t.source, t.id, t.person, t.acts_at::timestamptz,
       t.amount::numeric, t.labels::jsonb
from unnest(%(measures)s, %(accounts)s, %(entities)s, %(steps)s, %(at)s, %(sources)s, %(ids)s, %(persons)s, %(acts_at)s,
            %(amounts)s, %(labels)s)
  as t(measure, account, entity, step, at, source, id, person, acts_at, amount, labels)
on conflict do nothing
"""
_OF_PEOPLE = """
select s.measure_id, s.step, s.account_id, s.entity, s.at, s.source, s.event_id, s.acts_at, s.person_id
from unnest(%(accounts)s::int8[], %(persons)s::int8[]) as p(account_id, person_id)
join engine.step s on s.account_id = p.account_id and s.person_id = p.person_id
"""
_INSERT_EARLIER = """
insert into engine.first_step as kept (tenant_id, measure_id, account_id, person_id, step, at)
select %(tenant_id)s, %(measure_id)s, t.account_id, t.person_id, %(step)s, t.at
from unnest(%(accounts)s, %(persons)s, %(at)s) as t(account_id, person_id, at)
on conflict (measure_id, account_id, person_id, step) do update set at = excluded.at where excluded.at < kept.at
"""
_DELETE = """
delete from engine.step s using unnest(%(measures)s, %(accounts)s, %(at)s, %(sources)s, %(ids)s) as d(measure, account, at, source, id)
where s.measure_id = d.measure and s.account_id = d.account and s.at = d.at and s.source = d.source and s.event_id = d.id
"""
_DELETE_FIRST = """
delete from engine.first_step s using unnest(%(accounts)s, %(persons)s, %(at)s) as d(account, person, at)
where s.measure_id = %(measure_id)s and s.account_id = d.account and s.person_id = d.person and s.step = %(step)s and s.at = d.at
returning s.account_id, s.person_id, s.at
"""
# By the key of each, whatever the planner knows of the table: by the index that begins with measure and step it would read all of them.
_FIRSTS_KNOWN = """
select t.account_id, t.person_id, s.at from unnest(%(accounts)s::int8[], %(persons)s::int8[]) as t(account_id, person_id)
cross join lateral (
  select at from engine.first_step
  where measure_id = %(measure_id)s and account_id = t.account_id and person_id = t.person_id and step || '' = %(step)s offset 0
) as s
"""
_FIRSTS_OF_PEOPLE = """
select s.measure_id, s.step, s.account_id, s.person_id, s.at
from unnest(%(accounts)s::int8[], %(persons)s::int8[]) as p(account_id, person_id)
join engine.first_step s on s.measure_id = any(%(measures)s) and s.account_id = p.account_id and s.person_id = p.person_id
"""
_MOST_KNOWN = 50_000
Known = dict[tuple[int, str, int], int]
"""(measure, step, person; where nobody is named the account, below 0) -> an instant of theirs that is stored, in microseconds."""


def add_steps(
    conn: Connection, batch: TenantBatch, steps: Sequence[StepTaken], ids: Mapping[str, int]
) -> None:
    if not steps:
        return
    indices = np.array([step.index for step in steps], np.int64)
    id_of = {step.measure: ids[f"{step.measure}_steps"] for step in steps}
    conn.execute(
        _INSERT,
        {
            "tenant_id": batch.tenant_id,
            "measures": Int8s(np.array([id_of[step.measure] for step in steps], np.int64)),
            "accounts": Int8s(batch.account_ids[indices]),
            "entities": Words([step.entity for step in steps]),
            "steps": Words([step.step for step in steps]),
            "at": Instants(batch.event_at_us[indices]),
            "sources": Words([batch.sources[step.index] for step in steps]),
            "ids": Words([batch.ids[step.index] for step in steps]),
            "persons": Int8s(batch.person_ids[indices]),
            "acts_at": Words([step.acts_at.isoformat() if step.acts_at else None for step in steps]),
            "amounts": Words([None if step.amount is None else str(step.amount) for step in steps]),
            "labels": Words(
                [msgspec.json.encode(step.labels).decode() if step.labels else None for step in steps]
            ),
        },
    )


def remove_steps(
    conn: Connection, batch: TenantBatch, steps: Sequence[StepTaken], ids: Mapping[str, int]
) -> None:
    if not steps:
        return
    indices = np.array([step.index for step in steps], np.int64)
    parameters = {
        "measures": Int8s(np.array([ids[f"{step.measure}_steps"] for step in steps], np.int64)),
        "accounts": Int8s(batch.account_ids[indices]),
        "at": Instants(batch.event_at_us[indices]),
        "sources": Words([batch.sources[step.index] for step in steps]),
        "ids": Words([batch.ids[step.index] for step in steps]),
    }
    conn.execute(_DELETE, parameters)


def steps_of_people(
    conn: Connection, people: Mapping[int, int], ids: Mapping[str, int]
) -> dict[int, list[StepMoved]]:
    """By person, the stored steps of the measures of `ids`; `people`: each with their account."""
    named = {measure_id: name.removesuffix("_steps") for name, measure_id in ids.items()}
    found: dict[int, list[StepMoved]] = defaultdict(list)
    parameters = {"accounts": list(people.values()), "persons": list(people)}
    for measure_id, step, account, entity, at, source, event_id, acts_at, person in conn.execute(
        _OF_PEOPLE, parameters
    ):
        if measure_id in named:
            taken = StepMoved(
                named[measure_id], step, account, entity, microseconds(at), source, event_id, acts_at
            )
            found[person].append(taken)
    return found


def firsts_known(
    conn: Connection, measure_id: int, step: str, people: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], int]:
    """When each (account, person) took the step first, in microseconds, of those of whom it is known."""
    parameters = {
        "measure_id": measure_id,
        "step": step,
        "accounts": [account for account, _ in people],
        "persons": [person for _, person in people],
    }
    rows = conn.execute(_FIRSTS_KNOWN, parameters)
    return {(account, person): microseconds(at) for account, person, at in rows}


def firsts_of_people(
    conn: Connection, people: Mapping[int, int], ids: Mapping[str, int], measures: Iterable[str]
) -> Iterator[tuple[str, str, int, int, int]]:
    """(measure, step, account, person, when) of what is known of these people; `people`: each with their account."""
    named = {ids[f"{name}_steps"]: name for name in measures}
    parameters = {"accounts": list(people.values()), "persons": list(people), "measures": list(named)}
    for measure_id, step, account, person, at in conn.execute(_FIRSTS_OF_PEOPLE, parameters) if named else ():
        yield named[measure_id], step, account, person, microseconds(at)


Rows = Sequence[tuple[int, int, int]]
"""(account, person, when in microseconds)"""


class FirstSteps:
    """Steps of which only the first by each person is kept. Remembers what is stored, to ask about none of it again."""

    def __init__(self) -> None:
        self._known: Known = {}
        self._fresh: Known = {}

    def add(
        self,
        conn: Connection,
        batch: TenantBatch,
        measure_id: int,
        step: str,
        indices: Int64s,
        about_to: Callable[[Rows], None] | None = None,
    ) -> None:
        """`indices`: the batch's events that are the step. Nothing is written when all of them came later than known ones; else
        `about_to` is told first of those that may be earlier."""
        rows = [
            (key, account, person, at_us)
            for account, person, at_us in _firsts(batch, indices)
            if at_us < self._known.get(key := (measure_id, step, person or -account), at_us + 1)
        ]
        if not rows:
            return
        if about_to is not None:
            about_to([(account, person, at_us) for _, account, person, at_us in rows])
        conn.execute(
            _INSERT_EARLIER,
            {
                "tenant_id": batch.tenant_id,
                "measure_id": measure_id,
                "step": step,
                "accounts": Int8s(np.array([account for _, account, _, _ in rows], np.int64)),
                "persons": Int8s(np.array([person for _, _, person, _ in rows], np.int64)),
                "at": Instants(np.array([at_us for _, _, _, at_us in rows], np.int64)),
            },
        )
        self._fresh.update((key, at_us) for key, _, _, at_us in rows)

    def remove(
        self, conn: Connection, batch: TenantBatch, measure_id: int, step: str, indices: Int64s
    ) -> Rows:
        """Deletes the firsts that these events were. Returns whose they were: theirs have to be looked for again."""
        parameters = {
            "measure_id": measure_id,
            "step": step,
            "accounts": Int8s(batch.account_ids[indices]),
            "persons": Int8s(batch.person_ids[indices]),
            "at": Instants(batch.event_at_us[indices]),
        }
        lost = [
            (account, person, microseconds(at))
            for account, person, at in conn.execute(_DELETE_FIRST, parameters)
        ]
        for account, person, _ in lost:
            self._known.pop((measure_id, step, person or -account), None)
        return lost

    def forget_all(self) -> None:
        """For when somebody else may have deleted rows."""
        self._known.clear()

    def committed(self) -> None:
        if len(self._known) + len(self._fresh) > _MOST_KNOWN:
            self._known.clear()
        self._known.update(self._fresh)
        self._fresh.clear()

    def rolled_back(self) -> None:
        self._fresh.clear()


def _firsts(batch: TenantBatch, indices: Int64s) -> Iterator[tuple[int, int, int]]:
    """Account, person and first instant of everyone among these events."""
    accounts, persons, at_us = (
        batch.account_ids[indices],
        batch.person_ids[indices],
        batch.event_at_us[indices],
    )
    if not len(indices):
        return iter(())
    order = order_by(accounts, persons)
    accounts, persons, at_us = accounts[order], persons[order], at_us[order]
    first = np.flatnonzero(starts(accounts, persons))
    earliest = np.minimum.reduceat(at_us, first)
    return zip(accounts[first].tolist(), persons[first].tolist(), earliest.tolist(), strict=True)
