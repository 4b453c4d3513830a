"""Raw events by arrival, and what could not be counted."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt
from psycopg import sql

from common.contracts.bodies import pack_bodies
from kpi_engine.adapters.arrays import Instants, Int8s, Words
from kpi_engine.adapters.past_events import past_events
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.domain.buckets import instant
from kpi_engine.domain.decode import Place, Poisoned, about_of
from kpi_engine.domain.ordering import order_by
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.stores import ConflictRow, Sought

Int64s = npt.NDArray[np.int64]

# An account page unpacks whole chunks, so they are small; a chunk costs a row, so they are not smaller.
CHUNK_EVENTS = 500
CHUNK_BYTES = 500_000
_MAKING_ROOM = 0x64_61_79_73
_INSERT = """
insert into engine.raw_chunk (tenant_id, arrived_at, event_from, event_to, accounts, account_ids, person_ids, types, event_at,
                              ingested_at, bodies)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %b)
"""


class EventStore:
    """Writes raw events, rejected ones and conflicts in the caller's transaction."""

    def __init__(self) -> None:
        self._days: set[date] = set()
        self._partitioned: bool | None = None

    def prepare(self, connection: Connection, ingested_at_us: Iterable[int]) -> None:
        """Make room for these days of arrival, in a transaction of its own, where raw events lie in native partitions."""
        if self._partitioned is None:
            row = connection.execute(
                "select relkind = 'p' from pg_class where oid = 'engine.raw_chunk'::regclass"
            ).fetchone()
            self._partitioned = bool(row and row[0])
        days = {_day(us // 1_000_000) for us in ingested_at_us} - self._days
        if self._partitioned:
            for day in sorted(days):
                _create_partition(connection, day)
        self._days |= days

    def write(self, connection: Connection, batch: TenantBatch) -> None:
        """Store new events in chunks, each account's beside each other."""
        order = order_by(batch.account_ids, np.arange(len(batch.account_ids)))
        for chunk in _cut(order, batch.bodies):
            connection.execute(_INSERT, _row(batch, chunk))

    def reject(self, connection: Connection, rows: Sequence[tuple[str, int | None, Poisoned]]) -> None:
        """Keep what could not be counted: (stage, tenant, event); writing the same place again changes nothing."""
        if not rows:
            return
        abouts = [about_of(bad.body) for *_, bad in rows]
        connection.execute(
            """insert into engine.rejected (stage, tenant_id, received_at, code, message, body, topic, partition, "offset", index,
                                            event_id, source, type, account)
               select * from unnest(%s::text[], %s::int[], %s, %s::text[], %s::text[], %s::bytea[], %s::text[], %s::int[], %s::int8[],
                                    %s::int[], %s::text[], %s::text[], %s::text[], %s::text[])
               on conflict do nothing""",
            (
                Words([stage for stage, *_ in rows]),
                [tenant_id for _, tenant_id, _ in rows],
                Instants(np.array([bad.received_at_us for *_, bad in rows], np.int64)),
                Words([bad.code for *_, bad in rows]),
                Words([bad.message for *_, bad in rows]),
                [bad.body for *_, bad in rows],
                *_places([bad.place for *_, bad in rows]),
                Words([about.id for about in abouts]),
                Words([about.source for about in abouts]),
                Words([about.type for about in abouts]),
                Words([about.subject for about in abouts]),
            ),
        )

    def replayed(self, connection: Connection, replays: Sequence[tuple[int, int]]) -> None:
        """Note that rejected events (tenant, id) were sent again, corrected."""
        for tenant_id, rejected_id in replays:
            connection.execute(
                "update engine.rejected set replayed_at = now() where tenant_id = %s and id = %s and replayed_at is null",
                (tenant_id, rejected_id),
            )

    def conflicts(self, connection: Connection, tenant_id: int, rows: Sequence[ConflictRow]) -> None:
        """Record events whose identity was known with another body."""
        if not rows:
            return
        connection.execute(
            """insert into engine.conflict (tenant_id, account, source, event_id, received_at, body, topic, partition, "offset", index)
               select %s::int, * from unnest(%s::text[], %s::text[], %s::text[], %s, %s::text[], %s::text[], %s::int[], %s::int8[], %s::int[])
               on conflict do nothing""",
            (
                tenant_id,
                Words([row.account for row in rows]),
                Words([row.source for row in rows]),
                Words([row.event_id for row in rows]),
                Instants(np.array([row.received_at_us for row in rows], np.int64)),
                Words([row.body for row in rows]),
                *_places([row.place for row in rows]),
            ),
        )

    def first_bodies(
        self, connection: Connection, tenant_id: int, sought: Sequence[Sought]
    ) -> list[bytes | None]:
        """Return the bodies with which identities of a tenant were first counted, where that happened within the time that each
        allows and raw events are still kept."""
        if not sought:
            return []
        first = min(one.event_at_us - one.within_us for one in sought)
        last = max(one.event_at_us + one.within_us for one in sought)
        accounts = sorted({one.account_id for one in sought})
        found: dict[tuple[int, str, str], tuple[int, bytes]] = {}
        wanted = {(one.account_id, one.source, one.event_id) for one in sought}
        for past in past_events(connection, tenant_id, accounts, None, instant(first), instant(last)):
            columns = (past.account_ids.tolist(), past.identities, past.event_at_us.tolist(), past.bodies)
            for account_id, who, at_us, body in zip(*columns, strict=True):
                if (key := (account_id, who.source, who.id)) in wanted:
                    found[key] = (at_us, body)
        return [_within(one, found.get((one.account_id, one.source, one.event_id))) for one in sought]


def _within(one: Sought, found: tuple[int, bytes] | None) -> bytes | None:
    if found is None or abs(found[0] - one.event_at_us) > one.within_us:
        return None
    return found[1]


def _places(places: Sequence[Place]) -> tuple[object, ...]:
    """Topic, partition, offset and index, each as a column."""
    numbers = np.array([(place.partition, place.offset, place.index) for place in places], np.int64)
    return (Words([place.topic for place in places]), *(Int8s(numbers[:, i]) for i in range(3)))


def _cut(order: Int64s, bodies: Sequence[bytes]) -> Iterator[Int64s]:
    """Cut positions into chunks of a bounded number of events and bytes."""
    sizes = np.cumsum(np.fromiter(map(len, bodies), np.int64, len(order))[order])
    start, taken = 0, 0
    while start < len(order):
        end = int(np.searchsorted(sizes, taken + CHUNK_BYTES, side="right"))
        end = min(max(end, start + 1), start + CHUNK_EVENTS)
        yield order[start:end]
        start, taken = end, int(sizes[end - 1])


def _row(batch: TenantBatch, chunk: Int64s) -> tuple[object, ...]:
    at, stamps, accounts = batch.event_at_us[chunk], batch.ingested_at_us[chunk], batch.account_ids[chunk]
    positions = chunk.tolist()
    return (
        batch.tenant_id,
        instant(int(stamps.max())),
        instant(int(at.min())),
        instant(int(at.max())),
        Int8s(np.unique(accounts)),
        Int8s(accounts),
        Int8s(batch.person_ids[chunk]),
        Words([batch.types[i] for i in positions]),
        Instants(at),
        Instants(stamps),
        pack_bodies([batch.bodies[i] for i in positions]),
    )


def _day(epoch_seconds: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=epoch_seconds)).date()


def _create_partition(connection: Connection, day: date) -> None:
    with connection.transaction():
        # Of two that create at once `if not exists` lets one fail, and engines meet a new day at the same midnight.
        connection.execute("select pg_advisory_xact_lock(%s)", (_MAKING_ROOM,))
        connection.execute(
            sql.SQL(
                "create table if not exists {} partition of engine.raw_chunk for values from ({}) to ({})"
            ).format(
                sql.Identifier("engine", f"raw_chunk_{day:%Y%m%d}"),
                sql.Literal(f"{day}T00:00:00Z"),
                sql.Literal(f"{day + timedelta(days=1)}T00:00:00Z"),
            )
        )
