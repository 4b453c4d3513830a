"""Events through the product's own engine into a real PostgreSQL, as a load of history: taken as known when it happened.

The engine is whole, with the log in memory in place of Kafka and a clock of ours.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice

import psycopg
from benchmarks.bases.calendar import DAYS, FIRST_DAY
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
select %s, id, 'simulated history', %s, %s, %s + interval '1 minute' from control.tenant where slug = %s"""
_COUNTED = """select a.account, sum(h.value) from published.measure_hour h join published.measure m using (tenant_id, measure_id)
join published.account a using (tenant_id, account_id) where m.measure = 'events' group by 1"""
_RISK = """select a.account, r.day, r.probability from published.risk_day r join published.account a using (tenant_id, account_id)
order by r.day"""


def load(
    url: str,
    catalogue: Catalogue,
    events: Iterable[tuple[str, bytes]],
    stops: Sequence[tuple[int, datetime]] = (),
) -> None:
    """Accounts with their events, in order, into a migrated database; every event is applied when it returns.

    `stops`: (how many events had come, when). There the clock stands still and every account's state is computed from them alone, so that
    what the engine keeps of risk from day to day is what it would have kept then.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        ensure_tenant(connection, TENANT)
        apply(connection, TENANT, catalogue)
        connection.execute(_LOAD, (uuid.uuid4(), at(0, 0), NOW, NOW, TENANT))
    broker, clock = MemoryBroker({EVENTS_TOPIC: PARTITIONS, REJECTED_TOPIC: 1}), FixedClock(at(0, 0))
    waiting, come = iter(events), 0
    with _engine(url, broker, clock) as engine:
        for count, when in [*stops, (None, NOW)]:
            clock.advance(when - clock.now())
            some = waiting if count is None else islice(waiting, count - come)
            broker.producer().send_all(list(_packed(some, when)))
            come = count or come
            _drain(engine)


def _drain(engine: Engine) -> None:
    """Until every event is applied and no account is due any more."""
    idle = 0
    while idle < 2:
        engine.quiet_work_now()
        done = engine.step()
        idle = 0 if done.events or done.computed else idle + 1


def _packed(events: Iterable[tuple[str, bytes]], when: datetime) -> Iterator[OutRecord]:
    waiting: dict[int, list[bytes]] = {partition: [] for partition in range(PARTITIONS)}
    for account, body in events:
        home = partition_of(TENANT, account, PARTITIONS)
        waiting[home].append(body)
        if len(waiting[home]) == PACK:
            yield _record(home, waiting[home], when)
            waiting[home].clear()
    yield from (_record(partition, rest, when) for partition, rest in waiting.items() if rest)


def _record(partition: int, bodies: Iterable[bytes], when: datetime) -> OutRecord:
    return pack_events(EVENTS_TOPIC, partition, TENANT, round(when.timestamp() * 1_000_000), list(bodies))


@contextmanager
def _engine(url: str, broker: MemoryBroker, clock: FixedClock) -> Iterator[Engine]:
    settings = Settings.model_validate({"DATABASE_URL": url, "KAFKA_BOOTSTRAP_SERVERS": "-"})
    with psycopg.connect(url, autocommit=True, options="-c timezone=UTC -c jit=off") as connection:
        metrics = EngineMetrics(CollectorRegistry())
        engine = assemble(settings, connection, broker.consumer(), clock, metrics)
        engine.start()
        yield engine


def counted(url: str) -> Mapping[str, int]:
    """Events of each account as the product counts them."""
    with psycopg.connect(url) as connection:
        return {str(name): int(count) for name, count in connection.execute(_COUNTED).fetchall()}


def risk_by_day(url: str) -> Mapping[str, Sequence[float | None]]:
    """By account; on each day what was last computed before it."""
    found: dict[str, list[float | None]] = {}
    with psycopg.connect(url) as connection:
        for account, day, probability in connection.execute(_RISK):
            its = found.setdefault(account, [None] * DAYS)
            start = max((day - FIRST_DAY).days, 0)
            its[start:] = [probability] * len(its[start:])
    return found
