"""Stored raw events by identity: found, and taken out of their chunks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from common.catalogue.models import Catalogue
from common.contracts.bodies import pack_bodies, unpack_bodies
from kpi_engine.adapters.arrays import Instants, Int8s, Words, instants, int8s
from kpi_engine.adapters.past_events import identity_of
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.domain.buckets import EARLIEST, LATEST, instant
from kpi_engine.ports.connection import Connection

Int64s = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
Named = Mapping[int, frozenset[tuple[str, str]]]
"""Of each account (source, id) of events; 0 is the tenant itself."""

_CHUNKS = """
select chunk_id, arrived_at, array_send(account_ids), array_send(person_ids), types, array_send(event_at),
       array_send(ingested_at), bodies
from engine.raw_chunk
where tenant_id = %(tenant)s and accounts && %(accounts)s and event_to >= %(from)s and event_from <= %(to)s
order by chunk_id for update
"""
_REWRITE = """
update engine.raw_chunk set event_from = %(from)s, event_to = %(to)s, accounts = %(accounts)s, account_ids = %(account_ids)s,
  person_ids = %(person_ids)s, types = %(types)s, event_at = %(event_at)s, ingested_at = %(ingested_at)s, bodies = %(bodies)s
where chunk_id = %(chunk)s and arrived_at = %(arrived_at)s
"""
_DROP = "delete from engine.raw_chunk where chunk_id = %(chunk)s and arrived_at = %(arrived_at)s"


@dataclass(frozen=True, slots=True)
class RawEvents:
    """Raw events as columns; index i is the same event in every one."""

    account_ids: Int64s
    person_ids: Int64s
    types: list[str]
    event_at_us: Int64s
    ingested_at_us: Int64s
    sources: list[str]
    ids: list[str]
    bodies: list[bytes]
    through: int = 0
    """The chunk up to which `pieces` had read."""

    def __len__(self) -> int:
        return len(self.types)

    def batch(
        self, tenant_id: int, catalogue: Catalogue, partition: int, internal: Iterable[int]
    ) -> TenantBatch:
        """As a batch of one partition, in which `internal` people are marked so."""
        return TenantBatch(
            tenant_id,
            catalogue,
            np.full(len(self), partition, np.int16),
            self.account_ids,
            self.person_ids,
            np.isin(self.person_ids, list(internal)),
            self.types,
            self.event_at_us,
            self.sources,
            self.ids,
            self.bodies,
            self.ingested_at_us,
        )


@dataclass(frozen=True, slots=True)
class _Chunk:
    chunk_id: int
    arrived_at: datetime
    account_ids: Int64s
    person_ids: Int64s
    types: list[str]
    event_at_us: Int64s
    ingested_at_us: Int64s
    bodies: list[bytes]


_NEXT_CHUNKS = """
select chunk_id, arrived_at, array_send(account_ids), array_send(person_ids), types, array_send(event_at),
       array_send(ingested_at), bodies
from engine.raw_chunk where tenant_id = %(tenant)s and accounts && %(accounts)s and chunk_id > %(after)s
order by chunk_id limit 50
"""


def pieces(conn: Connection, tenant_id: int, account_ids: Sequence[int], events: int) -> Iterator[RawEvents]:
    """All stored events of accounts (0: the tenant's own), about so many at a time."""
    wanted = np.array(sorted(account_ids), np.int64)
    parts: list[RawEvents] = []
    after, size = 0, 0
    while True:
        parameters = {"tenant": tenant_id, "accounts": Int8s(wanted), "after": after}
        rows = conn.execute(_NEXT_CHUNKS, parameters, binary=True).fetchall()
        for row in rows:
            chunk = _chunk(row)
            after = chunk.chunk_id
            found = np.flatnonzero(np.isin(chunk.account_ids, wanted)).tolist()
            parts.append(_columns(chunk, found, {i: identity_of(chunk.bodies[i]) for i in found}))
            size += len(found)
            if size >= events:
                yield replace(_joined(parts), through=after)
                parts, size = [], 0
        if not rows:
            break
    if parts:
        yield replace(_joined(parts), through=after)


def take_out(
    conn: Connection, tenant_id: int, named: Named, first: datetime = EARLIEST, last: datetime = LATEST
) -> RawEvents:
    """Remove these events from their chunks and return them; those that aren't stored are left out.

    A chunk stays locked until the transaction ends: engines of other partitions may want another event of it.
    """
    parts: list[RawEvents] = []
    for chunk in _chunks(conn, tenant_id, np.array(sorted(named), np.int64), first, last):
        who = {
            position: identity_of(chunk.bodies[position])
            for position in np.flatnonzero(np.isin(chunk.account_ids, list(named))).tolist()
        }
        found = [
            position
            for position, (source, event_id) in who.items()
            if (source, event_id) in named[int(chunk.account_ids[position])]
        ]
        if found:
            parts.append(_columns(chunk, found, who))
            _remove(conn, chunk, found)
    return _joined(parts)


def _chunks(
    conn: Connection, tenant_id: int, accounts: Int64s, first: datetime, last: datetime
) -> Iterator[_Chunk]:
    parameters = {"tenant": tenant_id, "accounts": Int8s(accounts), "from": first, "to": last}
    for row in conn.execute(_CHUNKS, parameters, binary=True).fetchall():
        yield _chunk(row)


def _chunk(row: tuple[Any, ...]) -> _Chunk:
    chunk_id, arrived_at, owners, people, types, at, stamps, packed = row
    return _Chunk(
        chunk_id,
        arrived_at,
        int8s(owners),
        int8s(people),
        types,
        instants(at),
        instants(stamps),
        unpack_bodies(packed),
    )


def _columns(chunk: _Chunk, found: list[int], who: Mapping[int, tuple[str, str]]) -> RawEvents:
    return RawEvents(
        chunk.account_ids[found],
        chunk.person_ids[found],
        [chunk.types[i] for i in found],
        chunk.event_at_us[found],
        chunk.ingested_at_us[found],
        [who[i][0] for i in found],
        [who[i][1] for i in found],
        [chunk.bodies[i] for i in found],
    )


def _remove(conn: Connection, chunk: _Chunk, found: list[int]) -> None:
    kept = np.ones(len(chunk.types), np.bool_)
    kept[found] = False
    key = {"chunk": chunk.chunk_id, "arrived_at": chunk.arrived_at}
    if not kept.any():
        conn.execute(_DROP, key)
        return
    at = chunk.event_at_us[kept]
    positions = np.flatnonzero(kept).tolist()
    conn.execute(
        _REWRITE,
        {
            **key,
            "from": instant(int(at.min())),
            "to": instant(int(at.max())),
            "accounts": Int8s(np.unique(chunk.account_ids[kept])),
            "account_ids": Int8s(chunk.account_ids[kept]),
            "person_ids": Int8s(chunk.person_ids[kept]),
            "types": Words([chunk.types[i] for i in positions]),
            "event_at": Instants(at),
            "ingested_at": Instants(chunk.ingested_at_us[kept]),
            "bodies": pack_bodies([chunk.bodies[i] for i in positions]),
        },
    )


def _joined(parts: list[RawEvents]) -> RawEvents:
    nothing = np.zeros(0, np.int64)
    return RawEvents(
        np.concatenate([nothing, *(part.account_ids for part in parts)]),
        np.concatenate([nothing, *(part.person_ids for part in parts)]),
        [name for part in parts for name in part.types],
        np.concatenate([nothing, *(part.event_at_us for part in parts)]),
        np.concatenate([nothing, *(part.ingested_at_us for part in parts)]),
        [source for part in parts for source in part.sources],
        [event_id for part in parts for event_id in part.ids],
        [body for part in parts for body in part.bodies],
    )
