"""A database with one tenant, and batches of events written into it the way the engine does."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import psycopg

from common.catalogue.models import Catalogue
from common.clock import Clock
from common.contracts.instants import microseconds
from kpi_engine.adapters import arrays
from kpi_engine.adapters.event_store import EventStore
from kpi_engine.adapters.figures_store import FigureWriter, WriteResult
from kpi_engine.adapters.raw_store import take_out
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.domain.moved import Pile
from kpi_engine.domain.seen import SeenKeys

INGESTED_AT = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Ev:
    """An event as a test writes it; no account: the tenant's own."""

    type: str
    at: datetime
    id: str
    account: str = ""
    user: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    source: str = "test"

    @property
    def body(self) -> bytes:
        return json.dumps(self.json).encode()

    @property
    def json(self) -> dict[str, Any]:
        named = {"user": self.user} if self.user else {}
        event = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "time": self.at.isoformat(),
            "data": {**named, **self.data},
        }
        return {**event, "subject": self.account} if self.account else event

    @property
    def order(self) -> tuple[datetime, str, str]:
        return (self.at, self.source, self.id)


class Stage:
    def __init__(self, url: str, catalogue: Catalogue, clock: Clock) -> None:
        self.conn = psycopg.connect(url, autocommit=True, options="-c timezone=UTC")
        arrays.register(self.conn)
        self.catalogue = catalogue
        self.clock = clock
        self.writer = self._new_writer()
        self.tenant_id = self._one("insert into control.tenant (slug, name) values ('t', 't') returning id")
        self.events = EventStore()

    def reset(self, catalogue: Catalogue | None = None) -> None:
        """Forgets everything that was written."""
        tables = self.conn.execute(
            "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = 'engine'"
        ).fetchall()
        # A hundred times faster than truncating them, for as little as tests write.
        self.conn.execute("; ".join(f"delete from {name}" for (name,) in tables))
        self.catalogue = catalogue or self.catalogue
        self.writer = self._new_writer()

    def _new_writer(self) -> FigureWriter:
        """With a memory so small that it forgets all the time."""
        return FigureWriter(self.clock, SeenKeys(8))

    def close(self) -> None:
        self.conn.close()

    def write(self, events: Sequence[Ev], *, raw_first: bool = True, fails: bool = False) -> WriteResult:
        """One batch, one transaction. With `fails` it is rolled back at its end."""
        batch = self.batch(events)
        self.events.prepare(self.conn, batch.ingested_at_us.tolist())
        with self.conn.transaction(force_rollback=fails):
            if raw_first:
                self._write_raw(batch)
            result = self.writer.write(self.conn, batch)
            if not raw_first:
                self._write_raw(batch)
        if fails:
            self.writer.rolled_back()
        else:
            self.writer.committed()
        return result

    def write_pieces(self, pieces: Iterable[Sequence[Ev]]) -> None:
        """Pieces of one transaction, as the engine writes them: each knows what those before it brought, and cells are stored once."""
        pile = Pile()
        with self.conn.transaction():
            for events in pieces:
                batch = self.batch(events)
                self.events.prepare(self.conn, batch.ingested_at_us.tolist())
                self._write_raw(batch)
                self.writer.add(self.conn, batch, None, pile)
                self.writer.committed()
            self.writer.put(self.conn, self.tenant_id, pile)
        self.writer.committed()

    def retract(self, events: Sequence[Ev]) -> WriteResult:
        """Takes stored events out again, as one batch and transaction of each partition would."""
        named: dict[int, set[tuple[str, str]]] = defaultdict(set)
        for event in events:
            named[self.account(event.account)].add((event.source, event.id))
        with self.conn.transaction():
            raw = take_out(self.conn, self.tenant_id, {a: frozenset(its) for a, its in named.items()})
            internal = self.conn.execute("select id from engine.person where is_internal").fetchall()
            batch = raw.batch(self.tenant_id, self.catalogue, 0, [person for (person,) in internal])
            homes = dict(self.rows("select id, partition from engine.account"))
            partitions = [homes.get(account, partition_of("")) for account in raw.account_ids.tolist()]
            batch = replace(batch, partitions=np.array(partitions, np.int16))
            assert len(raw) == len(events)
            result = self.writer.retract(self.conn, batch)
        self.writer.committed()
        return result

    def batch(self, events: Sequence[Ev]) -> TenantBatch:
        named = {name: self.account(name) for name in dict.fromkeys(event.account for event in events)}
        met = {
            (account, user): self.person(named[account], user)
            for account, user in dict.fromkeys((event.account, event.user) for event in events)
        }
        accounts = [named[event.account] for event in events]
        people = [met[event.account, event.user] for event in events]
        internal = {
            person for (person,) in self.conn.execute("select id from engine.person where is_internal")
        }
        return TenantBatch(
            tenant_id=self.tenant_id,
            catalogue=self.catalogue,
            partitions=np.array([partition_of(event.account) for event in events], np.int16),
            account_ids=np.array(accounts, np.int64),
            person_ids=np.array(people, np.int64),
            internal=np.array([person in internal for person in people], np.bool_),
            types=[event.type for event in events],
            event_at_us=np.array([microseconds(event.at) for event in events], np.int64),
            sources=[event.source for event in events],
            ids=[event.id for event in events],
            bodies=[event.body for event in events],
            ingested_at_us=np.full(len(events), microseconds(INGESTED_AT), np.int64),
        )

    def account(self, name: str) -> int:
        if not name:
            return 0
        return self._one(
            """insert into engine.account (tenant_id, name, partition) values (%s, %s, %s)
               on conflict (tenant_id, name) do update set name = excluded.name returning id""",
            (self.tenant_id, name, partition_of(name)),
        )

    def person(self, account: int, name: str | None) -> int:
        if not name or not account:
            return 0
        return self._one(
            """insert into engine.person (tenant_id, account_id, name) values (%s, %s, %s)
               on conflict (account_id, name, tenant_id) do update set name = excluded.name returning id""",
            (self.tenant_id, account, name),
        )

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        return self.conn.execute(statement, parameters).fetchall()

    def _one(self, statement: str, parameters: Sequence[object] = ()) -> int:
        row = self.conn.execute(statement, parameters).fetchone()
        assert row is not None
        return int(row[0])

    def _write_raw(self, batch: TenantBatch) -> None:
        self.events.write(self.conn, batch)


def partition_of(account: str) -> int:
    return len(account) % 3


MEASURE_CELLS = """
select m.name, coalesce(a.name, ''), v.{bucket}, v.value from engine.{table} v
join engine.measure m on m.id = v.measure_id left join engine.account a on a.id = v.account_id where v.value <> 0
"""
TOTAL_CELLS = """
select m.name, v.partition, v.{bucket}, v.value from engine.{table} v
join engine.measure m on m.id = v.measure_id where v.value <> 0
"""


def cells(stage: Stage, table: str) -> dict[tuple[Any, ...], Any]:
    """Stored cells that aren't 0, by (measure, account name or partition, bucket)."""
    bucket = "bucket" if table.endswith("_hour") else "day"
    template = MEASURE_CELLS if table.startswith("measure") else TOTAL_CELLS
    rows = stage.rows(template.format(table=table, bucket=bucket))
    return {row[:3]: row[3] for row in rows}


def split(events: Iterable[Ev], cuts: Iterable[int]) -> list[list[Ev]]:
    """The events in order, cut into batches at these positions."""
    items = list(events)
    edges = sorted({0, len(items), *(cut % (len(items) + 1) for cut in cuts)})
    return [items[a:b] for a, b in pairwise(edges)]
