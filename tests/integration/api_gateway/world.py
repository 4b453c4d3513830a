"""A small world in the engine's tables, filled as the engine would, and a gateway that serves it on a real socket."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import psycopg
import uvicorn

from api_gateway.app import Gateway, build
from api_gateway.settings import EventSettings, GatewaySettings, SharedSettings
from common import catalogue
from common.auth.keys import mint
from common.auth.store import ensure_tenant, insert_key
from common.contracts.bodies import pack_bodies
from common.testing import wait_until
from kpi_engine.adapters.event_store import EventStore

ROOT = Path(__file__).parents[3]
TOPIC = "bellwether.events.v1"
# A chunk of one event, as the engine writes it.
RAW_CHUNK_OF_ONE = """
insert into engine.raw_chunk
  (tenant_id, arrived_at, event_from, event_to, accounts, account_ids, person_ids, types, event_at, ingested_at, bodies)
values (%(tenant)s, %(now)s, %(at)s, %(at)s, array[%(account)s::int8], array[%(account)s::int8], array[0::int8],
        array[%(type)s], array[%(at)s::timestamptz], array[%(now)s::timestamptz], %(body)s)
"""
# Accounts count in figures by account from the day of their first event.
HEARD_OF_SINCE = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass
class Tenant:
    """A tenant as its users know it: ids, and one key per scope."""

    id: int
    slug: str
    keys: Mapping[str, str]

    def headers(self, scope: str = "read") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[scope]}"}


@dataclass
class World:
    """Writes what the engine and the alerts service would. Every method is one committed transaction."""

    url: str
    batches: dict[int, int] = field(default_factory=dict)

    @contextmanager
    def connect(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """One transaction on the world's own connection."""
        with self._connection.transaction():
            yield self._connection

    @cached_property
    def _connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.url, options="-c timezone=UTC", autocommit=True)

    def close(self) -> None:
        self._connection.close()

    def tenant(self, slug: str, *, with_catalogue: bool = True) -> Tenant:
        with self.connect() as connection:
            tenant_id = ensure_tenant(connection, slug)
            minted = {
                scope: mint(scope, tenant_id, slug, f"{scope} key")
                for scope in ("read", "act", "admin", "ingest")
            }
            for one in minted.values():
                insert_key(connection, one.row)
            if with_catalogue:
                catalogue.apply(connection, slug, catalogue.load(ROOT / "catalogue"))
        return Tenant(tenant_id, slug, {scope: one.text for scope, one in minted.items()})

    def account(self, tenant: Tenant, name: str, *, partition: int = 0, mrr: str = "0", **known: Any) -> int:
        """Create an account with its state; `traits`, `figures` and instants as given."""
        now = datetime.now(UTC)
        with self.connect() as connection:
            row = connection.execute(
                "insert into engine.account (tenant_id, name, partition) values (%s, %s, %s) returning id",
                (tenant.id, name, partition),
            ).fetchone()
            assert row is not None
            self._moved(connection, tenant)
            connection.execute(
                """insert into engine.account_state (account_id, tenant_id, traits, figures, mrr, first_event_at, last_event_at,
                   last_activity_at, newest_ingest_at, computed_at, as_of, due_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
                (
                    row[0], tenant.id, json.dumps(known.get("traits", {})), json.dumps(known.get("figures", {})), mrr, HEARD_OF_SINCE, now,
                    known.get("last_activity_at", now), now, now, now, now + timedelta(days=1),
                ),
            )  # fmt: skip
        return int(row[0])

    def event(
        self,
        tenant: Tenant,
        account_id: int,
        event_id: str,
        at: datetime,
        type_: str = "feature.used",
        **data: Any,
    ) -> None:
        """Store an accepted event."""
        body = json.dumps(
            {
                "specversion": "1.0",
                "id": event_id,
                "source": "test",
                "type": type_,
                "time": at.isoformat(),
                "data": data,
            }
        )
        now = datetime.now(UTC)
        with self.connect() as connection:
            EventStore().prepare(connection, [int(now.timestamp() * 1_000_000)])
            self._moved(connection, tenant)
            connection.execute(
                RAW_CHUNK_OF_ONE,
                {
                    "tenant": tenant.id,
                    "account": account_id,
                    "type": type_,
                    "at": at,
                    "now": now,
                    "body": body.encode(),
                },
            )

    def chunk(self, tenant: Tenant, account_id: int, events: Sequence[tuple[str, datetime]]) -> None:
        """Store accepted events (id, time) of one account as one chunk, as a load brings them."""
        ids, times = zip(*events, strict=True)
        bodies = [
            json.dumps(
                {"id": name, "source": "test", "type": "feature.used", "time": at.isoformat(), "data": {}}
            ).encode()
            for name, at in events
        ]
        now = datetime.now(UTC)
        with self.connect() as connection:
            EventStore().prepare(connection, [int(now.timestamp() * 1_000_000)])
            self._moved(connection, tenant)
            connection.execute(
                """insert into engine.raw_chunk (tenant_id, arrived_at, event_from, event_to, accounts, account_ids, person_ids, types,
                                                 event_at, ingested_at, bodies)
                   select %(tenant)s, %(now)s, %(from)s, %(to)s, array[%(account)s::int8], array_fill(%(account)s::int8, array[%(n)s]),
                          array_fill(0::int8, array[%(n)s]), array_fill('feature.used'::text, array[%(n)s]), %(times)s::timestamptz[],
                          array_fill(%(now)s::timestamptz, array[%(n)s]), %(bodies)s""",
                {
                    "tenant": tenant.id, "account": account_id, "now": now, "n": len(ids), "from": min(times), "to": max(times),
                    "times": list(times), "bodies": pack_bodies(bodies),
                },
            )  # fmt: skip

    def _moved(self, connection: psycopg.Connection[tuple[Any, ...]], tenant: Tenant) -> None:
        """Figures of a tenant are others from now on."""
        connection.execute(
            """insert into engine.standing (tenant_id, partition, batch_no) values (%s, 0, 1)
               on conflict (tenant_id, partition) do update set batch_no = engine.standing.batch_no + 1""",
            (tenant.id,),
        )

    def goes(self, *account_ids: int) -> None:
        """Take the last of these accounts away, as the engine does with their last events."""
        with self.connect() as connection, connection.transaction():
            connection.execute(
                "delete from engine.account_state where account_id = any(%s)", (list(account_ids),)
            )
            connection.execute(
                "update engine.account set gone_at = now() where id = any(%s)", (list(account_ids),)
            )

    def change(
        self,
        tenant: Tenant,
        account_ids: list[int],
        partition: int = 0,
        mrr: str | None = None,
        computed: list[int] | None = None,
    ) -> int:
        """Commit a batch that touched these accounts, computed all of them or those, and wake the readers."""
        number = self.batches.get(partition, 0) + 1
        self.batches[partition] = number
        with self.connect() as connection:
            self._moved(connection, tenant)
            if mrr is not None:
                connection.execute(
                    "update engine.account_state set mrr = %s where account_id = any(%s)", (mrr, account_ids)
                )
            connection.execute(
                "insert into engine.change (partition, batch_no, tenant_id, account_ids, computed_ids, measures, events, as_of) values (%s, %s, %s, %s, %s, '{}', 1, %s)",
                (
                    partition,
                    number,
                    tenant.id,
                    account_ids,
                    account_ids if computed is None else computed,
                    datetime.now(UTC),
                ),
            )
            connection.execute(
                """insert into engine.progress (topic, partition, partitions, batch_no, applied_at) values (%s, %s, 6, %s, %s)
                   on conflict (topic, partition) do update set batch_no = excluded.batch_no, applied_at = excluded.applied_at""",
                (TOPIC, partition, number, datetime.now(UTC)),
            )
            connection.execute("select pg_notify('bellwether_change', %s)", (f"{partition}:{number}",))
        return number

    def count(
        self, tenant: Tenant, account_id: int, measure: str, at: datetime, value: int, partition: int = 0
    ) -> None:
        """Add to an hourly measure of an account and to its total, by hour and by day."""
        bucket = at.replace(minute=0, second=0, microsecond=0)
        with self.connect() as connection:
            self._moved(connection, tenant)
            measure_id = self._measure(connection, tenant, measure)
            connection.execute(
                """insert into engine.measure_hour values (%s, %s, %s, %s, %s)
                   on conflict (measure_id, account_id, bucket) do update set value = engine.measure_hour.value + excluded.value""",
                (tenant.id, measure_id, account_id, bucket, value),
            )
            connection.execute(
                """insert into engine.total_hour values (%s, %s, %s, %s, %s)
                   on conflict (measure_id, partition, bucket) do update set value = engine.total_hour.value + excluded.value""",
                (tenant.id, measure_id, partition, bucket, value),
            )
        self.count_day(tenant, account_id, measure, at, value, partition)

    def count_day(
        self, tenant: Tenant, account_id: int, measure: str, at: datetime, value: int, partition: int = 0
    ) -> None:
        """Add to a daily measure of an account and to its total."""
        with self.connect() as connection:
            self._moved(connection, tenant)
            measure_id = self._measure(connection, tenant, measure)
            connection.execute(
                """insert into engine.measure_day values (%s, %s, %s, %s, %s)
                   on conflict (measure_id, account_id, day) do update set value = engine.measure_day.value + excluded.value""",
                (tenant.id, measure_id, account_id, at.date(), value),
            )
            connection.execute(
                """insert into engine.total_day values (%s, %s, %s, %s, %s)
                   on conflict (measure_id, partition, day) do update set value = engine.total_day.value + excluded.value""",
                (tenant.id, measure_id, partition, at.date(), value),
            )

    def case(
        self,
        tenant: Tenant,
        account_id: int,
        severity: str = "warning",
        opened_at: datetime | None = None,
        words: str = "logins fell",
    ) -> str:
        """Open a case with one firing alert."""
        case_id, at = f"case_{tenant.slug}_{account_id}", opened_at or datetime.now(UTC)
        with self.connect() as connection:
            connection.execute(
                """insert into alerts."case" (id, tenant_id, account_id, status, origin, severity, opened_at, updated_at)
                   values (%s, %s, %s, 'open', 'live', %s, %s, %s)""",
                (case_id, tenant.id, account_id, severity, at, at),
            )
            connection.execute(
                """insert into alerts.alert (id, tenant_id, account_id, rule, state, reason, severity, case_id, since_at, fired_at, label, evidence,
                   figures, updated_at) values (%s, %s, %s, 'usage_fell', 'firing', 'fired', %s, %s, %s, %s, 'Use fell', %s, '{}', %s)""",
                (f"alert_{case_id}", tenant.id, account_id, severity, case_id, at, at, words, at),
            )
        self.case_changed(tenant, case_id, account_id)
        return case_id

    def case_changed(self, tenant: Tenant, case_id: str, account_id: int) -> None:
        with self.connect() as connection:
            connection.execute("update alerts.change_seq set last = last + 1")
            connection.execute(
                "insert into alerts.change (seq, tenant_id, case_id, account_id) select last, %s, %s, %s from alerts.change_seq",
                (tenant.id, case_id, account_id),
            )

    @staticmethod
    def _measure(connection: psycopg.Connection[tuple[Any, ...]], tenant: Tenant, name: str) -> int:
        connection.execute(
            "insert into engine.measure (tenant_id, name) values (%s, %s) on conflict do nothing",
            (tenant.id, name),
        )
        row = connection.execute(
            "select id from engine.measure where tenant_id = %s and name = %s", (tenant.id, name)
        ).fetchone()
        assert row is not None
        return int(row[0])


@dataclass
class Served:
    """A gateway that runs; `client` speaks to it without a key."""

    gateway: Gateway
    url: str
    client: httpx.Client

    def get(self, path: str, tenant: Tenant, scope: str = "read", **headers: str) -> httpx.Response:
        return self.client.get(path, headers={**tenant.headers(scope), **headers})

    def post(
        self, path: str, tenant: Tenant, body: Any, scope: str = "read", **headers: str
    ) -> httpx.Response:
        return self.client.post(path, json=body, headers={**tenant.headers(scope), **headers})


@contextmanager
def serving(database_url: str, events: EventSettings | None = None, **settings: Any) -> Iterator[Served]:
    """Run a gateway on a free port until the block ends."""
    shared = SharedSettings(database_url=database_url)
    gateway = build(shared, GatewaySettings(**settings), events or EventSettings())
    config = uvicorn.Config(
        gateway.app, host="127.0.0.1", port=0, ws="none", log_level="warning", timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="gateway")
    thread.start()
    wait_until(lambda: server.started, 60, "the gateway to start")
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200, 60, "the gateway to be ready")
        yield Served(gateway, url, client)
    gateway.end()
    server.should_exit = True
    thread.join(60)
    assert not thread.is_alive(), "the gateway did not end"
