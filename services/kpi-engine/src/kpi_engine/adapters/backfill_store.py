"""Backfills in PostgreSQL: staged records, and the identities that each brought."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from common.contracts.bodies import pack_bodies, unpack_bodies
from kpi_engine.domain.decode import Staged
from kpi_engine.domain.identity import ENTRY
from kpi_engine.ports.backfills import Displaced, StagedRecord
from kpi_engine.ports.connection import Connection

# Also what arrived before the close was asked for, but is read after it, belongs to the backfill.
_TAKES = """
select b.state = 'open' or coalesce(p.seq, 0) < l.seq from control.backfill b
left join control.control_log l on l.tenant_id = b.tenant_id and l.backfill_id = b.id and l.kind = 'backfill_closed'
left join engine.control_progress p on p.tenant_id = b.tenant_id and p.partition = %(partition)s
where b.id::text = %(backfill)s and b.tenant_id = %(tenant)s
"""
_STAGE = """
insert into engine.staged (backfill_id, tenant_id, partition, "offset", ingested_at_us, events, bodies, entries)
values (%(backfill)s, %(tenant)s, %(partition)s, %(offset)s, %(stamp)s, %(events)s, %(bodies)s, %(entries)s) on conflict do nothing
"""
_RECORDS = """
select "offset", ingested_at_us, events, bodies, entries from engine.staged
where backfill_id = %(backfill)s and partition = %(partition)s and ("offset", ingested_at_us) > (%(after)s, %(stamp)s)
order by "offset", ingested_at_us limit 200
"""
_DAY_US = 86_400_000_000


class BackfillStore:
    """Backfills port on PostgreSQL."""

    def stage(self, connection: Connection, tenant_id: int, staged: Staged) -> bool:
        key = {
            "backfill": staged.backfill_id,
            "tenant": tenant_id,
            "partition": staged.place.partition,
            "offset": staged.place.offset,
        }
        row = connection.execute(_TAKES, key).fetchone()
        if row is None or not row[0]:
            return False
        connection.execute(
            _STAGE,
            {
                **key,
                "stamp": staged.ingested_at_us,
                "events": len(staged.bodies),
                "bodies": pack_bodies(staged.bodies),
                "entries": None if staged.entries is None else staged.entries.tobytes(),
            },
        )
        return True

    def records(
        self, connection: Connection, backfill_id: str, partition: int, events: int
    ) -> Iterator[list[StagedRecord]]:
        piece: list[StagedRecord] = []
        size, after = 0, (-1, 0)
        while True:
            parameters = {
                "backfill": backfill_id,
                "partition": partition,
                "after": after[0],
                "stamp": after[1],
            }
            rows = connection.execute(_RECORDS, parameters, binary=True).fetchall()
            for offset, stamp, count, packed, entries in rows:
                who = None if entries is None else np.frombuffer(entries, ENTRY)
                piece.append(StagedRecord(offset, stamp, unpack_bodies(packed), who))
                size, after = size + count, (offset, stamp)
                if size >= events:
                    yield piece
                    piece, size = [], 0
            if not rows:
                break
        if piece:
            yield piece

    def arrivals(self, connection: Connection, backfill_id: str, partition: int) -> list[int]:
        rows = connection.execute(
            "select min(ingested_at_us) from engine.staged where backfill_id = %s and partition = %s group by ingested_at_us / %s",
            (backfill_id, partition, _DAY_US),
        )
        return [int(stamp) for (stamp,) in rows]

    def bring(
        self,
        connection: Connection,
        tenant_id: int,
        backfill_id: str,
        partition: int,
        identities: Sequence[bytes],
    ) -> None:
        connection.execute(
            """insert into engine.backfill_id (partition, identity, backfill_id, tenant_id)
               select %s, i, %s, %s from unnest(%s::bytea[]) as i
               on conflict (partition, identity) do update
                 set backfill_id = excluded.backfill_id, free = false, displaced = null, displaced_at_us = null""",
            (partition, backfill_id, tenant_id, list(identities)),
        )

    def brought(
        self, connection: Connection, backfill_id: str, partition: int, identities: Sequence[bytes]
    ) -> Mapping[bytes, Displaced | None]:
        rows = connection.execute(
            """select identity, displaced, displaced_at_us from engine.backfill_id
               where partition = %s and identity = any(%s::bytea[]) and backfill_id = %s and not free""",
            (partition, list(identities), backfill_id),
        )
        return {
            bytes(identity): None if body is None else Displaced(bytes(body), stamp)
            for identity, body, stamp in rows
        }

    def all_brought(self, connection: Connection, backfill_id: str, partition: int) -> int:
        row = connection.execute(
            "select count(*) from engine.backfill_id where backfill_id = %s and partition = %s and not free",
            (backfill_id, partition),
        ).fetchone()
        return int(row[0]) if row else 0

    def give_free(self, connection: Connection, partition: int, identities: Sequence[bytes]) -> None:
        connection.execute(
            """update engine.backfill_id set free = true, displaced = null, displaced_at_us = null
               where partition = %s and identity = any(%s::bytea[])""",
            (partition, list(identities)),
        )

    def keep(self, connection: Connection, partition: int, identities: Sequence[bytes]) -> None:
        connection.execute(
            "delete from engine.backfill_id where partition = %s and identity = any(%s::bytea[])",
            (partition, list(identities)),
        )

    def any_closed(self, connection: Connection, tenant_id: int) -> bool:
        row = connection.execute(
            "select exists (select from control.backfill where tenant_id = %s and state <> 'open')",
            (tenant_id,),
        ).fetchone()
        return bool(row and row[0])

    def special(
        self, connection: Connection, tenant_id: int, partition: int, identities: Sequence[bytes]
    ) -> Mapping[bytes, bool]:
        rows = connection.execute(
            """select identity, free from engine.backfill_id
               where partition = %s and identity = any(%s::bytea[]) and tenant_id = %s""",
            (partition, list(identities), tenant_id),
        )
        return {bytes(identity): free for identity, free in rows}

    def displace(self, connection: Connection, partition: int, events: Mapping[bytes, Displaced]) -> None:
        connection.execute(
            """update engine.backfill_id b set displaced = d.body, displaced_at_us = d.at_us
               from unnest(%s::bytea[], %s::bytea[], %s::int8[]) as d(identity, body, at_us)
               where b.partition = %s and b.identity = d.identity and b.displaced is null and not b.free""",
            (
                list(events),
                [event.body for event in events.values()],
                [event.ingested_at_us for event in events.values()],
                partition,
            ),
        )

    def counted(self, connection: Connection, partition: int, identities: Sequence[bytes]) -> None:
        connection.execute(
            "delete from engine.backfill_id where partition = %s and identity = any(%s::bytea[]) and free",
            (partition, list(identities)),
        )
