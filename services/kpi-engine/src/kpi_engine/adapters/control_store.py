"""The control log in PostgreSQL, and how far each partition has applied it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, LiteralString

import orjson

from common.contracts.record import partition_of
from kpi_engine.adapters import raw_store
from kpi_engine.adapters.arrays import Instants, Int8s, Words
from kpi_engine.adapters.raw_store import RawEvents
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.control import Corrected, Entry, Named, Outcome

# An entry is applied after everything that arrived before it: then a correction never overtakes its event.
_NEXT = """
select l.tenant_id, t.slug, w.partition, l.seq, l.kind, coalesce(l.account, ''), coalesce(l.source, ''), coalesce(l.event_id, ''),
       coalesce(convert_to(l.body, 'UTF8'), ''::bytea), coalesce(l.person_hash, ''::bytea), coalesce(l.token, ''),
       coalesce(l.backfill_id::text, ''), l.created_at
from control.tenant t
cross join unnest(%(partitions)s::int[]) as w(partition)
join engine.progress r on r.topic = %(topic)s and r.partition = w.partition
left join engine.control_progress p on p.tenant_id = t.id and p.partition = w.partition
join control.control_log l on l.tenant_id = t.id and l.seq = coalesce(p.seq, 0) + 1
where r.applied_at >= l.created_at
order by l.tenant_id, w.partition
"""
_DONE = """
insert into engine.control_progress as p (tenant_id, partition, seq) values (%(tenant)s, %(partition)s, %(seq)s)
on conflict (tenant_id, partition) do update set seq = excluded.seq where p.seq = excluded.seq - 1
"""
_RESULT = """
insert into engine.control_result (tenant_id, seq, partition, state, code, message, counts)
values (%(tenant)s, %(seq)s, %(partition)s, %(state)s, %(code)s, %(message)s, %(counts)s::jsonb)
"""
_SUPERSEDE = """
insert into engine.superseded_event
  (tenant_id, account_id, person_id, type, source, event_id, event_at, ingested_at, body, seq)
select %(tenant)s, t.*, %(seq)s
from unnest(%(accounts)s, %(people)s, %(types)s, %(sources)s, %(ids)s, %(at)s, %(ingested)s, %(bodies)s) as t
"""
_CORRECTED = """
select coalesce(l.account, ''), l.source, l.event_id, l.kind from control.control_log l
join engine.control_result r on r.tenant_id = l.tenant_id and r.seq = l.seq and r.partition = %(partition)s and r.state = 'applied'
where l.tenant_id = %(tenant)s and l.kind in ('amendment', 'deletion') and l.seq < %(seq)s and l.seq > (
  select c.seq from control.control_log c
  where c.tenant_id = %(tenant)s and c.backfill_id = %(backfill)s and c.kind = 'backfill_closed')
order by l.seq
"""
# An account that was heard of only in what is taken out was never heard of.
_EMPTY = """
select a.id from engine.account a where a.tenant_id = %(tenant)s and a.id = any(%(accounts)s)
  and not exists (select from engine.account_seen s where s.account_id = a.id)
"""
# What is told stays until it is told anew, which is in a moment.
_FORGET_TOLD: tuple[LiteralString, ...] = tuple(
    f"""update engine.{table} set risk = risk || '{{"corrected": true}}' where account_id = any(%(accounts)s) and risk is not null"""
    for table in ("account_state", "further_risk")
)
_DROP: tuple[LiteralString, ...] = (
    "delete from engine.account_state where account_id = any(%(gone)s)",
    "delete from engine.health_day where account_id = any(%(gone)s)",
    "delete from engine.further_risk where account_id = any(%(gone)s)",
    "delete from engine.renewal where account_id = any(%(gone)s)",
    "delete from engine.risk_day where account_id = any(%(gone)s)",
    "delete from engine.person where account_id = any(%(gone)s)",
    # The row stays, out of sight: what others keep of the account names it by its id, and it may be heard of again.
    "update engine.account set gone_at = now() where id = any(%(gone)s)",
)


class ControlStore:
    """Control port on PostgreSQL."""

    def next_entries(self, connection: Connection, topic: str, partitions: Sequence[int]) -> list[Entry]:
        parameters = {"topic": topic, "partitions": list(partitions)}
        return [Entry(*_entry(row)) for row in connection.execute(_NEXT, parameters).fetchall()]

    def done(self, connection: Connection, entry: Entry, outcome: Outcome) -> None:
        key = {"tenant": entry.tenant_id, "partition": entry.partition, "seq": entry.seq}
        if connection.execute(_DONE, key).rowcount != 1:
            raise RuntimeError(f"entry {entry.seq} was applied twice in partition {entry.partition}")
        if outcome.concerned:
            connection.execute(
                _RESULT,
                {
                    **key,
                    "state": "refused" if outcome.code else "applied",
                    "code": outcome.code,
                    "message": outcome.message,
                    "counts": orjson.dumps(outcome.counts).decode(),
                },
            )

    def account(
        self, connection: Connection, entry: Entry, name: str, partitions: int
    ) -> tuple[int | None, int]:
        if name:
            row = connection.execute(
                "select id, partition from engine.account where tenant_id = %s and name = %s",
                (entry.tenant_id, name),
            ).fetchone()
            if row is not None:
                return int(row[0]), int(row[1])
        # Events go where the name leads that they are sent under.
        return (None if name else 0), partition_of(entry.tenant, entry.account, partitions)

    def rewrite(self, connection: Connection, entry: Entry, account: str, body: bytes) -> None:
        connection.execute(
            """update control.control_log set account = nullif(%s, ''), body = nullif(convert_from(%s, 'UTF8'), '')
               where tenant_id = %s and seq = %s""",
            (account, body, entry.tenant_id, entry.seq),
        )

    def corrected_since(self, connection: Connection, entry: Entry, partition: int) -> Corrected:
        parameters = {
            "tenant": entry.tenant_id,
            "partition": partition,
            "seq": entry.seq,
            "backfill": entry.backfill_id,
        }
        rows = connection.execute(_CORRECTED, parameters)
        return {(account, source, event_id): kind for account, source, event_id, kind in rows}

    def take_out(self, connection: Connection, tenant_id: int, named: Named) -> RawEvents:
        return raw_store.take_out(connection, tenant_id, named)

    def supersede(self, connection: Connection, tenant_id: int, seq: int, batch: TenantBatch) -> None:
        connection.execute(
            _SUPERSEDE,
            {
                "tenant": tenant_id,
                "seq": seq,
                "accounts": Int8s(batch.account_ids),
                "people": Int8s(batch.person_ids),
                "types": Words(batch.types),
                "sources": Words(batch.sources),
                "ids": Words(batch.ids),
                "at": Instants(batch.event_at_us),
                "ingested": Instants(batch.ingested_at_us),
                "bodies": Words([body.decode() for body in batch.bodies]),
            },
        )

    def drop_empty(self, connection: Connection, tenant_id: int, accounts: Iterable[int]) -> set[int]:
        rows = connection.execute(_EMPTY, {"tenant": tenant_id, "accounts": list(accounts)})
        gone = {int(account) for (account,) in rows}
        if gone:
            for statement in _DROP:
                connection.execute(statement, {"gone": list(gone)})
        return gone

    def forget_told(self, connection: Connection, accounts: Iterable[int]) -> None:
        for statement in _FORGET_TOLD:
            connection.execute(statement, {"accounts": list(accounts)})

    def raw_from(self, connection: Connection, tenant_id: int) -> datetime | None:
        row = connection.execute(
            "select raw_from from engine.retained where tenant_id = %s", (tenant_id,)
        ).fetchone()
        return None if row is None else row[0]


def _entry(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)
