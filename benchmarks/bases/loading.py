"""Events through the product's own engine into a real PostgreSQL, as a load of history: taken as known when it happened.

The engine is whole, with the log in memory in place of Kafka and a clock that stands at the end of the simulated days.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import psycopg
from benchmarks.bases.calendar import DAYS
from benchmarks.bases.plan import at
from benchmarks.bed import TENANT
from prometheus_client import CollectorRegistry

from common.auth.store import ensure_tenant
from common.catalogue import Catalogue, apply
from common.clock import FixedClock
from common.contracts.record import EVENTS_TOPIC, REJECTED_TOPIC, OutRecord, pack_events, partition_of
from common.streams.memory import MemoryBroker
from kpi_engine.app import assemble
from kpi_engine.consumer.loop import Engine
from kpi_engine.metrics import EngineMetrics
from kpi_engine.settings import Settings

PARTITIONS = 2
PACK = 500
NOW = at(DAYS, 0)
_LOAD = """insert into control.load (id, tenant_id, description, started_at, heartbeat_at, ended_at)
select %s, id, 'simulated history', %s - interval '1 minute', %s, %s + interval '1 minute' from control.tenant where slug = %s"""
_COUNTED = """select a.account, sum(h.value) from published.measure_hour h join published.measure m using (tenant_id, measure_id)
join published.account a using (tenant_id, account_id) where m.measure = 'events' group by 1"""


def load(url: str, catalogue: Catalogue, events: Iterable[tuple[str, bytes]]) -> None:
    """Accounts with their events, in order, into a migrated database; every event is applied when it returns."""
    with psycopg.connect(url, autocommit=True) as connection:
        ensure_tenant(connection, TENANT)
        apply(connection, TENANT, catalogue)
        connection.execute(_LOAD, (uuid.uuid4(), NOW, NOW, NOW, TENANT))
    broker = MemoryBroker({EVENTS_TOPIC: PARTITIONS, REJECTED_TOPIC: 1})
    broker.producer().send_all(list(_packed(events)))
    with _engine(url, broker) as engine:
        while engine.step().events:
            continue


def _packed(events: Iterable[tuple[str, bytes]]) -> Iterator[OutRecord]:
    waiting: dict[int, list[bytes]] = {partition: [] for partition in range(PARTITIONS)}
    for account, body in events:
        home = partition_of(TENANT, account, PARTITIONS)
        waiting[home].append(body)
        if len(waiting[home]) == PACK:
            yield _record(home, waiting[home])
            waiting[home].clear()
    yield from (_record(partition, rest) for partition, rest in waiting.items() if rest)


def _record(partition: int, bodies: Iterable[bytes]) -> OutRecord:
    return pack_events(EVENTS_TOPIC, partition, TENANT, round(NOW.timestamp() * 1_000_000), list(bodies))


@contextmanager
def _engine(url: str, broker: MemoryBroker) -> Iterator[Engine]:
    settings = Settings.model_validate({"DATABASE_URL": url, "KAFKA_BOOTSTRAP_SERVERS": "-"})
    with psycopg.connect(url, autocommit=True, options="-c timezone=UTC -c jit=off") as connection:
        metrics = EngineMetrics(CollectorRegistry())
        engine = assemble(settings, connection, broker.consumer(), FixedClock(NOW), metrics)
        engine.start()
        yield engine


def counted(url: str) -> Mapping[str, int]:
    """Events of each account as the product counts them."""
    with psycopg.connect(url) as connection:
        return {str(name): int(count) for name, count in connection.execute(_COUNTED).fetchall()}
