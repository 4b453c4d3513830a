"""Who was seen on which day: stores new days, and finds the known days around them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import LiteralString

import numpy as np
import numpy.typing as npt

from kpi_engine.adapters.arrays import Dates, Int8s, int8s
from kpi_engine.domain.coverage import NEVER_AFTER, NEVER_BEFORE
from kpi_engine.domain.ordering import order_by, starts
from kpi_engine.domain.seen import SeenKeys
from kpi_engine.ports.connection import Connection

Int64s = npt.NDArray[np.int64]

# person_id of the rows that say when the account itself was seen; 0 is somebody unnamed.
ACCOUNT_ITSELF = -1
_DAY_BITS = 20
_LARGEST_ENTITY = 1 << 42

# A given window bounds the search, so that its price does not depend on how long the history is.
_FOUND = """
select array_send(array_agg(account_id)), array_send(array_agg(person_id)),
       array_send(array_agg((day - date '1970-01-01')::int8)),
       array_send(array_agg(coalesce((before - date '1970-01-01')::int8, %(never_before)s))),
       array_send(array_agg(coalesce((after - date '1970-01-01')::int8, %(never_after)s)))
from (
  select fresh.*,
    (select p.day from engine.presence p
     where p.measure_id = %(measure_id)s and p.account_id = fresh.account_id and p.person_id = fresh.person_id
       and p.day < fresh.day and p.day >= fresh.day - %(reach)s order by p.day desc limit 1) as before,
    (select p.day from engine.presence p
     where p.measure_id = %(measure_id)s and p.account_id = fresh.account_id and p.person_id = fresh.person_id
       and p.day > fresh.day and p.day <= fresh.day + %(reach)s order by p.day limit 1) as after
  from fresh
) as found
"""
_GIVEN = "unnest(%(accounts)s::int8[], %(persons)s::int8[], %(days)s)"
_INSERT_NEW: LiteralString = f"""
insert into engine.presence (tenant_id, measure_id, account_id, person_id, day)
select %(tenant_id)s, %(measure_id)s, a, p, d from {_GIVEN} as given(a, p, d)
"""
# The search sees the table as it was before the insert: the days known so far.
_INSERT: LiteralString = (
    f"""
with fresh as (
  insert into engine.presence (tenant_id, measure_id, account_id, person_id, day)
  select %(tenant_id)s, %(measure_id)s, a, p, d
  from {_GIVEN} as given(a, p, d)
  on conflict do nothing
  returning account_id, person_id, day
)"""
    + _FOUND
)
_DELETE: LiteralString = f"""
delete from engine.presence as p using {_GIVEN} as given(a, e, d)
where p.measure_id = %(measure_id)s and p.account_id = a and p.person_id = e and p.day = d
"""
_NEIGHBOURS: LiteralString = (
    f"with fresh as (select * from {_GIVEN} as given(account_id, person_id, day))" + _FOUND
)


@dataclass(frozen=True, slots=True)
class FreshDays:
    """Days that were not known before, in the order of (account, person, day), with the known days around each."""

    accounts: Int64s
    persons: Int64s
    days: Int64s
    before: Int64s
    after: Int64s

    def __len__(self) -> int:
        return len(self.days)

    def where(self, mask: npt.NDArray[np.bool_]) -> "FreshDays":
        return FreshDays(
            self.accounts[mask], self.persons[mask], self.days[mask], self.before[mask], self.after[mask]
        )


class PresenceStore:
    """Remembers lately stored days, so that the database is not asked about them again; only once they are committed."""

    def __init__(self, seen: SeenKeys) -> None:
        self._seen = seen
        self._pending: list[tuple[int, Int64s]] = []

    def committed(self) -> None:
        for tag, keys in self._pending:
            self._seen.add(tag, keys)
        self._pending.clear()

    def rolled_back(self) -> None:
        self._pending.clear()

    def add(
        self,
        conn: Connection,
        tenant_id: int,
        measure_id: int,
        accounts: Int64s,
        persons: Int64s,
        days: Int64s,
        reach_days: int,
        new_from: int | None = None,
    ) -> FreshDays:
        """Stores the days of (account, person) that are new. `reach_days` is the longest window that will be asked for.

        Repeats in the input are welcome. Of people from `new_from` on no day is known yet, so none is looked for.
        """
        order = order_by(accounts, persons, days)
        accounts, persons, days = accounts[order], persons[order], days[order]
        once = starts(accounts, persons, days)
        accounts, persons, days = accounts[once], persons[once], days[once]
        tag, keys, packable = _keys(measure_id, accounts, persons, days)
        unknown = ~(packable & self._seen.holds(tag, keys))
        self._pending.append((tag, keys[unknown & packable]))
        new = unknown & (persons >= new_from) if new_from is not None else np.zeros(len(days), np.bool_)
        old = unknown & ~new
        fresh = _insert(conn, tenant_id, measure_id, (accounts[old], persons[old], days[old]), reach_days)
        if not new.any():
            return fresh
        return _both(
            fresh, _insert_new(conn, tenant_id, measure_id, (accounts[new], persons[new], days[new]))
        )

    def remove(
        self,
        conn: Connection,
        measure_id: int,
        accounts: Int64s,
        entities: Int64s,
        days: Int64s,
        reach_days: int,
    ) -> FreshDays:
        """Deletes these days. Returns those that were known, with the days around each that stay known."""
        if not len(days):
            return FreshDays(days, days, days, days, days)
        parameters = {
            "measure_id": measure_id,
            "accounts": Int8s(accounts),
            "persons": Int8s(entities),
            "days": Dates(days),
            "reach": max(reach_days, 1),
            "never_before": NEVER_BEFORE,
            "never_after": NEVER_AFTER,
        }
        conn.execute(_DELETE, parameters)
        self.forget(measure_id, accounts, entities, days)
        return _fresh(conn, _NEIGHBOURS, parameters)

    def forget(self, measure_id: int, accounts: Int64s, entities: Int64s, days: Int64s) -> None:
        """For rows that were deleted."""
        tag, keys, _ = _keys(measure_id, accounts, entities, days)
        self._seen.forget(tag, keys)

    def forget_all(self) -> None:
        """For when somebody else may have deleted rows."""
        self._seen.clear()


def _keys(
    measure_id: int, accounts: Int64s, persons: Int64s, days: Int64s
) -> tuple[int, Int64s, npt.NDArray[np.bool_]]:
    """A person's id stands for the account too. Ids too large to be packed with a day are simply not remembered."""
    itself = bool(len(persons)) and int(persons[0]) == ACCOUNT_ITSELF
    entities = np.where(persons > 0, persons, accounts)
    keys = (entities << _DAY_BITS) | (days & ((1 << _DAY_BITS) - 1))
    keys = np.where(persons > 0, keys, -keys)
    return -measure_id if itself else measure_id, keys, entities < _LARGEST_ENTITY


def _insert(
    conn: Connection, tenant_id: int, measure_id: int, given: tuple[Int64s, Int64s, Int64s], reach_days: int
) -> FreshDays:
    accounts, persons, days = given
    if not len(days):
        return FreshDays(days, days, days, days, days)
    parameters = {
        "tenant_id": tenant_id,
        "measure_id": measure_id,
        "accounts": Int8s(accounts),
        "persons": Int8s(persons),
        "days": Dates(days),
        "reach": max(reach_days, 1),
        "never_before": NEVER_BEFORE,
        "never_after": NEVER_AFTER,
    }
    return _fresh(conn, _INSERT, parameters)


def _insert_new(
    conn: Connection, tenant_id: int, measure_id: int, given: tuple[Int64s, Int64s, Int64s]
) -> FreshDays:
    accounts, persons, days = given
    parameters = {
        "tenant_id": tenant_id,
        "measure_id": measure_id,
        "accounts": Int8s(accounts),
        "persons": Int8s(persons),
        "days": Dates(days),
    }
    conn.execute(_INSERT_NEW, parameters)
    return FreshDays(*given, np.full_like(days, NEVER_BEFORE), np.full_like(days, NEVER_AFTER))


def _both(one: FreshDays, other: FreshDays) -> FreshDays:
    columns = [
        np.concatenate([getattr(one, column.name), getattr(other, column.name)])
        for column in fields(FreshDays)
    ]
    accounts, persons, days, *_ = columns
    order = order_by(accounts, persons, days)
    return FreshDays(*(column[order] for column in columns))


def _fresh(conn: Connection, statement: LiteralString, parameters: Mapping[str, object]) -> FreshDays:
    row = conn.execute(statement, parameters, binary=True).fetchone()
    assert row is not None
    accounts, persons, days, before, after = map(int8s, row)
    order = order_by(accounts, persons, days)
    return FreshDays(accounts[order], persons[order], days[order], before[order], after[order])
