"""Engine and alerts on one database and one clock, fed from a log: what happens, as its people hear of it."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from prometheus_client import CollectorRegistry
from tests.integration.alerts.conftest import Watcher
from tests.integration.alerts.world import SECRET, TOPIC, World

from common.catalogue.models import Receiver, Routing
from common.contracts.record import pack_events, partition_of
from common.streams.memory import MemoryBroker
from common.tracking.windows import HOUR
from kpi_engine.adapters.directory import Directory
from kpi_engine.adapters.tracking_store import TrackingStore
from kpi_engine.app import assemble
from kpi_engine.consumer.loop import Engine
from kpi_engine.domain.arrivals import GROUPS
from kpi_engine.metrics import EngineMetrics
from kpi_engine.settings import Settings as EngineSettings
from kpi_engine.use_cases.track import Tracker

REJECTED = "rejected"
TEAM = Receiver(name="team", kind="webhook", url="http://127.0.0.1:9/", secret=SECRET)
Happening = tuple[datetime, str, str, dict[str, Any]]
"""When, at which account, what, and its data."""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass
class Whole:
    """`world.clock` is everybody's."""

    world: World
    watcher: Watcher
    engine: Engine
    broker: MemoryBroker
    connection: psycopg.Connection[tuple[Any, ...]]
    sent: int = 0
    tracker: Tracker = field(init=False)

    def __post_init__(self) -> None:
        names = Directory()
        names.refresh_definitions(self.connection)
        self.tracker = Tracker(names, TrackingStore(), self.world.clock, TOPIC)

    def works_under(self, routing: Routing | None = None, **changes: Any) -> None:
        """The base pack with these changes in force."""
        self.world.apply("acme", routing or Routing(receivers=(TEAM,)), **changes)
        # Accounts that are there when definitions change are due by the machine's clock, so it is done before there are any.
        self.settle()

    def go_to(self, moment: datetime) -> None:
        self.world.clock.advance(moment - self.world.now)

    def send(self, happenings: Iterable[Happening], source: str = "app") -> None:
        """What happened reaches ingest now."""
        by_partition: dict[int, list[bytes]] = {}
        for moment, account, kind, data in happenings:
            self.sent += 1
            event = {
                "specversion": "1.0", "id": f"e{self.sent}", "source": source, "type": kind, "subject": account,
                "time": moment.isoformat(), "data": data,
            }  # fmt: skip
            by_partition.setdefault(partition_of("acme", account, 1), []).append(json.dumps(event).encode())
        stamp = int(self.world.now.timestamp() * 1_000_000)
        for partition, bodies in by_partition.items():
            for start in range(0, len(bodies), 500):
                packed = pack_events(TOPIC, partition, "acme", stamp, bodies[start : start + 500])
                self.broker.producer().send(packed).result()

    def settle(self) -> None:
        """The engine applies all that came, computes who is due and judges the hours that are over; then alerts look."""
        self.engine.quiet_work_now()
        while self.engine.step().events:
            continue
        idle = 0
        while idle < 2:
            self.engine.quiet_work_now()
            applied = self.engine.step()
            idle = 0 if applied.events or applied.computed else idle + 1
        # The database's own clock is the machine's.
        self.connection.execute("update engine.progress set updated_at = applied_at")
        self.tracker.step(self.connection)
        self.watcher.follow()

    def load(self, happenings: Iterable[Happening]) -> None:
        """History, as `bellwether load` brings it."""
        with self.world.loading():
            self.send(happenings)
            self.settle()
        self.world.pass_time(seconds=1)
        self.settle()
        self.settle()

    def usual_arrivals(self, first: datetime, until: datetime, *kinds: str, each: int = 4) -> None:
        """What the engine counted in [first, until): `each` events of every group of accounts an hour, on weekdays from 8 to 18 o'clock."""
        self.connection.execute(
            "insert into engine.arrival_hour (tenant_id, hour, partition, source, type, groups) "
            "select %s, h, 0, 'app', k, array_fill(%s::int8, array[%s]) "
            "from generate_series(%s, %s, interval '1 hour') h, unnest(%s::text[]) k "
            "where extract(isodow from h) < 6 and extract(hour from h) between 8 and 17 on conflict do nothing",
            (self.world.tenant_id, each, GROUPS, first, until - HOUR, list(kinds)),
        )

    @property
    def notices(self) -> list[str]:
        return self.world.notices()

    def told(self, kind: str) -> list[dict[str, Any]]:
        """The bodies of notices of one type."""
        rows = self.world.rows("select body from alerts.notification where type = %s order by id", kind)
        return [json.loads(body) for (body,) in rows]

    def figures(self, account: str) -> dict[str, Any]:
        rows = self.world.rows("select figures from published.account where account = %s", account)
        return dict(rows[0][0])

    def tracking(self) -> list[tuple[str, str, str]]:
        rows = self.world.rows("select kind, name, state from published.tracking order by 1, 2")
        return [(kind, name, state) for kind, name, state in rows]


@contextmanager
def whole_of(world: World, new_watcher: Callable[[], Watcher]) -> Iterator[Whole]:
    broker = MemoryBroker({TOPIC: 1, REJECTED: 1})
    world.connection.execute("delete from engine.progress")
    # The engine makes the days of raw events itself.
    world.connection.execute("drop table if exists engine.raw_chunk_any")
    with psycopg.connect(world.url, autocommit=True, options="-c timezone=UTC") as connection:
        settings = EngineSettings.model_validate(
            {"DATABASE_URL": world.url, "KAFKA_BOOTSTRAP_SERVERS": "-", "BELLWETHER_EVENTS_TOPIC": TOPIC,
             "BELLWETHER_REJECTED_TOPIC": REJECTED, "batch_seconds": 5, "filter_bits_log2": 16, "recent_ids": 1_000}
        )  # fmt: skip
        metrics = EngineMetrics(CollectorRegistry())
        engine = assemble(settings, connection, broker.consumer(), world.clock, metrics)
        engine.start()
        yield Whole(world, new_watcher(), engine, broker, connection)


def every_workday(
    first: datetime,
    last: datetime,
    people: Mapping[str, Sequence[str]],
    kind: str = "user.logged_in",
    hour: int = 9,
) -> Iterator[Happening]:
    """Everybody logs in once on each weekday at that hour (UTC), first and last day included."""
    for number in range((last.date() - first.date()).days + 1):
        day = first.replace(hour=hour, minute=0) + timedelta(days=number)
        if day.weekday() < 5:
            for account, users in people.items():
                for n, user in enumerate(users):
                    yield day + timedelta(minutes=n), account, kind, {"user": user}
