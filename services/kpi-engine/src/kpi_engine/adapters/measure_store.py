"""Measures: their ids, and their stored cells."""

from collections.abc import Callable, Mapping
from typing import LiteralString

import numpy as np

from kpi_engine.adapters.arrays import Dates, Instants, Int8s, Int64s
from kpi_engine.domain.buckets import day_of_number, instant
from kpi_engine.domain.cells import BigCells, Rows, combined
from kpi_engine.domain.measures import Changes
from kpi_engine.ports.connection import Connection

_INSERT_MEASURES = """
insert into engine.measure (tenant_id, name, origin)
select %(tenant_id)s, * from unnest(%(names)s::text[], %(origins)s::int[]) on conflict do nothing
"""
_SELECT_MEASURES = """
select m.name, m.origin, m.id from engine.measure m join unnest(%(names)s::text[], %(origins)s::int[]) as w(name, origin)
on m.name = w.name and m.origin = w.origin where m.tenant_id = %(tenant_id)s
"""

# A statement's parameters lie in memory three times while they are sent.
ROWS_AT_ONCE = 65_536
# Sorted input, so that neighbouring rows meet the same pages, and two writers would lock in one order.
_ADD: Mapping[str, LiteralString] = {
    "measure_hour": """
insert into engine.measure_hour as kept (tenant_id, measure_id, account_id, bucket, value)
select %(tenant_id)s, m, o, b, v from unnest(%(measures)s::int8[], %(owners)s::int8[], %(buckets)s, %(values)s) as t(m, o, b, v)
on conflict (measure_id, account_id, bucket) do update set value = kept.value + excluded.value
""",
    "measure_day": """
insert into engine.measure_day as kept (tenant_id, measure_id, account_id, day, value)
select %(tenant_id)s, m, o, b, v from unnest(%(measures)s::int8[], %(owners)s::int8[], %(buckets)s, %(values)s) as t(m, o, b, v)
on conflict (measure_id, account_id, day) do update set value = kept.value + excluded.value
""",
    "total_hour": """
insert into engine.total_hour as kept (tenant_id, measure_id, partition, bucket, value)
select %(tenant_id)s, m, o, b, v from unnest(%(measures)s::int8[], %(owners)s::int8[], %(buckets)s, %(values)s) as t(m, o, b, v)
on conflict (measure_id, partition, bucket) do update set value = kept.value + excluded.value
""",
    "total_day": """
insert into engine.total_day as kept (tenant_id, measure_id, partition, day, value)
select %(tenant_id)s, m, o, b, v from unnest(%(measures)s::int8[], %(owners)s::int8[], %(buckets)s, %(values)s) as t(m, o, b, v)
on conflict (measure_id, partition, day) do update set value = kept.value + excluded.value
""",
}


class MeasureIds:
    """Ids by (tenant, name, origin), made on first use. What a transaction made is remembered only once it is committed."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str, int], int] = {}
        self._pending: dict[tuple[int, str, int], int] = {}

    def of(self, conn: Connection, tenant_id: int, origins: Mapping[str, int]) -> dict[str, int]:
        """Ids by name. `origins`: names of rows, each with the version that brought its definition."""
        missing = sorted((name, of) for name, of in origins.items() if self._id(tenant_id, name, of) is None)
        if missing:
            parameters = {
                "tenant_id": tenant_id,
                "names": [name for name, _ in missing],
                "origins": [of for _, of in missing],
            }
            conn.execute(_INSERT_MEASURES, parameters)
            for name, origin, measure_id in conn.execute(_SELECT_MEASURES, parameters):
                self._pending[tenant_id, name, origin] = measure_id
        return {name: self._known_id(tenant_id, name, of) for name, of in origins.items()}

    def committed(self) -> None:
        self._known.update(self._pending)
        self._pending.clear()

    def rolled_back(self) -> None:
        self._pending.clear()

    def _id(self, tenant_id: int, name: str, origin: int) -> int | None:
        key = (tenant_id, name, origin)
        return self._known.get(key, self._pending.get(key))

    def _known_id(self, tenant_id: int, name: str, origin: int) -> int:
        found = self._id(tenant_id, name, origin)
        assert found is not None
        return found


def add_changes(conn: Connection, tenant_id: int, changes: Changes, partitions: "PartitionOf") -> set[int]:
    """Adds to the stored cells and to the totals of their partitions. Returns the ids of the measures that changed."""
    touched: set[int] = set()
    for cells, table, total in (
        (changes.hours, "measure_hour", "total_hour"),
        (changes.days, "measure_day", "total_day"),
    ):
        rows = cells.rows()
        _add_rows(conn, tenant_id, table, rows)
        owners = partitions.of(rows.owners)
        _add_rows(conn, tenant_id, total, combined([rows.measures, owners, rows.buckets, rows.values]))
        touched.update(np.unique(rows.measures).tolist())
    for big, table, total in (
        (changes.big_hours, "measure_hour", "total_hour"),
        (changes.big_days, "measure_day", "total_day"),
    ):
        touched |= _add_big(conn, tenant_id, big, table, total, partitions)
    return touched


class PartitionOf:
    """The partition of each account of a batch."""

    def __init__(self, accounts: Int64s, partitions: Int64s) -> None:
        """`accounts` ascending, each once."""
        self._accounts, self._partitions = accounts, partitions

    def of(self, accounts: Int64s) -> Int64s:
        return self._partitions[np.searchsorted(self._accounts, accounts)]


def _buckets(table: str) -> Callable[[Int64s], Dates | Instants]:
    return Instants if table.endswith("_hour") else Dates


def _add_rows(conn: Connection, tenant_id: int, table: str, rows: Rows) -> None:
    for begin in range(0, len(rows), ROWS_AT_ONCE):
        some = slice(begin, begin + ROWS_AT_ONCE)
        parameters = {
            "tenant_id": tenant_id,
            "measures": Int8s(rows.measures[some]),
            "owners": Int8s(rows.owners[some]),
            "buckets": _buckets(table)(rows.buckets[some]),
            "values": Int8s(rows.values[some]),
        }
        conn.execute(_ADD[table], parameters)


def _add_big(
    conn: Connection, tenant_id: int, cells: BigCells, table: str, total: str, partitions: PartitionOf
) -> set[int]:
    rows = list(cells.rows())
    totals = BigCells()
    for measure, owner, bucket, value in rows:
        totals.add(measure, int(partitions.of(np.array([owner]))[0]), bucket, value)
    for name, values in ((table, rows), (total, list(totals.rows()))):
        _add_big_rows(conn, tenant_id, name, values)
    return {measure for measure, *_ in rows}


def _add_big_rows(
    conn: Connection, tenant_id: int, table: str, rows: list[tuple[int, int, int, int]]
) -> None:
    """Values of any size travel as text."""
    if not rows:
        return
    measures, owners, buckets, values = zip(*rows, strict=True)
    hourly = table.endswith("_hour")
    parameters = {
        "tenant_id": tenant_id,
        "measures": list(measures),
        "owners": list(owners),
        "buckets": [instant(b) if hourly else day_of_number(b) for b in buckets],
        "values": [str(value) for value in values],
    }
    statement = _ADD[table].replace("%(values)s", "%(values)s::numeric[]")
    conn.execute(statement, parameters)
