"""The engine on a real database, fed from a log: every event counted once, whatever happens."""

import gc
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from common.auth.store import ensure_tenant
from common.catalogue import apply, load
from common.catalogue.loading import base_pack
from common.clock import FixedClock
from common.contracts.record import pack_events, pack_rejected, partition_of
from common.streams.memory import MemoryBroker, MemoryConsumer
from common.streams.port import InRecord, TopicPartition
from common.testing import wait_until
from kpi_engine.app import assemble
from kpi_engine.consumer.ahead import Batch
from kpi_engine.consumer.loop import Engine
from kpi_engine.metrics import EngineMetrics
from kpi_engine.ports.errors import EngineStopped, Fenced
from kpi_engine.settings import Settings

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
EVENTS, REJECTED, PARTITIONS = "events", "rejected", 2
Connection = psycopg.Connection[tuple[Any, ...]]


def event(number: int, **changes: object) -> dict[str, Any]:
    at = NOW - timedelta(minutes=number)
    base = {
        "specversion": "1.0",
        "id": f"e{number}",
        "source": "app",
        "type": "user.logged_in",
        "subject": "acme",
    }
    return base | {"time": at.isoformat(), "data": {"user": f"u{number % 3}"}} | changes


@dataclass
class World:
    url: str
    broker: MemoryBroker
    clock: FixedClock
    connection: Connection
    opened: list[Connection] = field(default_factory=list)
    events: str = EVENTS  # the topic

    def send(self, *events: dict[str, Any] | bytes, tenant: str = "default", packed: int = 3) -> None:
        """Append events as ingest would: packed per partition, in order."""
        by_partition: dict[int, list[bytes]] = {}
        for sent in events:
            body = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
            account = "" if isinstance(sent, bytes) else str(sent.get("subject") or "")
            by_partition.setdefault(partition_of(tenant, account, PARTITIONS), []).append(body)
        producer, stamp = self.broker.producer(), int(self.clock.now().timestamp() * 1_000_000)
        for partition, bodies in by_partition.items():
            for at in range(0, len(bodies), packed):
                producer.send(
                    pack_events(self.events, partition, tenant, stamp, bodies[at : at + packed])
                ).result()

    def engine(
        self, consumer: MemoryConsumer | None = None, registry: CollectorRegistry | None = None
    ) -> Engine:
        connection = psycopg.connect(self.url, autocommit=True, options="-c timezone=UTC")
        self.opened.append(connection)
        settings = Settings.model_validate(
            {"DATABASE_URL": self.url, "KAFKA_BOOTSTRAP_SERVERS": "-", "BELLWETHER_EVENTS_TOPIC": self.events,
             "BELLWETHER_REJECTED_TOPIC": REJECTED, "batch_seconds": 5, "piece_events": 4, "filter_bits_log2": 16, "recent_ids": 1_000}
        )  # fmt: skip
        metrics = EngineMetrics(registry or CollectorRegistry())
        engine = assemble(settings, connection, consumer or self.broker.consumer(), self.clock, metrics)
        engine.start()
        return engine

    def drain(self, engine: Engine) -> None:
        while engine.step().events:
            continue

    def one(self, query: str, *parameters: object) -> Any:
        row = self.connection.execute(query, parameters).fetchone()
        assert row is not None
        return row[0] if len(row) == 1 else row

    def counted(self) -> int:
        return int(
            self.one(
                """select coalesce(sum(h.value), 0) from engine.measure_hour h
                   join engine.measure m on m.id = h.measure_id where m.name = 'events'"""
            )
        )

    def fates(self) -> list[tuple[str, str]]:
        rows = self.connection.execute("select fates from engine.fate order by seq").fetchall()
        return sorted((fate["id"], fate["fate"]) for (fates,) in rows for fate in fates)


@pytest.fixture
def world(postgres_url: str) -> Iterator[World]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        ensure_tenant(connection, "default")
        apply(connection, "default", load(base_pack()))
        made = World(
            postgres_url, MemoryBroker({EVENTS: PARTITIONS, REJECTED: 1}), FixedClock(NOW), connection
        )
        yield made
        for opened in made.opened:
            opened.close()


def test_every_event_counts_once_and_is_kept(world: World) -> None:
    world.send(*(event(n, subject=f"account-{n % 5}") for n in range(40)))
    world.drain(world.engine())
    assert world.counted() == 40
    assert world.one("select count(*) from published.raw_event") == 40
    assert world.one("select count(*) from engine.account") == 5
    assert world.one("select count(*) from engine.account_state") == 5


def test_who_catches_up_stores_the_arrivals_of_several_days_in_one_batch(world: World) -> None:
    for day in range(3):
        world.send(event(day))
        world.clock.advance(timedelta(days=1))
    engine = world.engine()
    steps = []
    while applied := engine.step().events:
        steps.append(applied)
    assert (steps, world.counted()) == ([3], 3)
    assert world.one("select count(distinct ingested_at::date) from published.raw_event") == 3


def test_a_repeated_event_is_a_duplicate_in_the_batch_later_and_after_a_restart(world: World) -> None:
    engine = world.engine()
    world.send(event(1), event(1), event(2))
    world.drain(engine)
    world.send(event(2))
    world.drain(engine)
    world.send(event(1), event(3))
    world.drain(world.engine())
    assert world.counted() == 3
    assert world.fates() == [("e1", "accepted"), ("e1", "duplicate"), ("e1", "duplicate"), ("e2", "accepted"),
                             ("e2", "duplicate"), ("e3", "accepted")]  # fmt: skip


def test_the_same_id_with_another_body_is_a_conflict_and_the_first_stands(world: World) -> None:
    engine = world.engine()
    world.send(event(1))
    world.drain(engine)
    world.send(event(1, data={"user": "someone-else"}), event(1, data={"user": "u1"}))
    reordered = json.dumps(dict(reversed(event(1).items())), indent=1).encode()
    producer = world.broker.producer()
    partition = partition_of("default", "acme", PARTITIONS)
    producer.send(pack_events(EVENTS, partition, "default", int(NOW.timestamp() * 1e6), [reordered])).result()
    world.drain(engine)
    assert world.counted() == 1
    assert world.fates() == [("e1", "accepted"), ("e1", "conflict"), ("e1", "duplicate"), ("e1", "duplicate")]
    assert "someone-else" in world.one("select body from engine.conflict")


def test_many_events_sent_again_are_told_apart_in_one_batch(world: World) -> None:
    engine = world.engine()
    first = [event(n, subject=f"account-{n % 7}", data={"user": f"u{n}", "n": n}) for n in range(300)]
    world.send(*first)
    world.drain(engine)
    rewritten = [dict(reversed(one.items())) for one in first[:150]]
    changed = [one | {"data": {"user": "somebody-else"}} for one in first[150:]]
    world.send(*rewritten, *changed)
    world.drain(engine)
    assert world.counted() == 300
    assert world.one("select count(*), count(distinct event_id) from engine.conflict") == (150, 150)
    assert world.one(
        "select min(event_id), bool_and(strpos(body, 'somebody-else') > 0) from engine.conflict"
    ) == (
        "e150",
        True,
    )


def test_many_refused_events_are_kept_each_with_its_reason(world: World) -> None:
    bad = [
        event(n, type="subscription.started", data={"subscription": "s", "mrr": "1", "currency": f"X{n}"})
        for n in range(200)
    ]
    world.send(event(900), *bad)
    world.drain(world.engine())
    assert world.counted() == 1
    assert world.one(
        'select count(*), count(distinct message), count(distinct ("offset", index)), min(account), min(code) from engine.rejected'
    ) == (200, 200, 200, "acme", "currency-unknown")


def test_an_account_follows_its_segment_once_the_rest_of_it_is_loaded(world: World) -> None:
    def active(account: str, days: range, users: int) -> list[dict[str, Any]]:
        return [
            event(0, id=f"{account}-{day}-{user}", subject=account, data={"user": f"u{user}"})
            | {"time": (NOW - timedelta(days=day)).isoformat()}
            for day in days
            for user in range(users)
        ]

    def of_segment(name: str) -> float | None:
        found: float | None = world.one(
            """select (figures ->> 'segment_login_trend')::float8 from engine.account_state s
               join engine.account a on a.id = s.account_id where a.name = %s""",
            name,
        )
        return found

    engine = world.engine()
    members = [event(90 + n, type="account.updated", subject=name, data={"traits": {"segment": "x"}})
               for n, name in enumerate(("acme", "bolt"))]  # fmt: skip
    world.send(*members, *active("acme", range(1, 11), 1), *active("acme", range(30, 40), 1))
    world.drain(engine)
    assert of_segment("acme") == 0
    world.send(*active("bolt", range(1, 9), 60), *active("bolt", range(30, 40), 60))
    world.drain(engine)

    def settled() -> bool:
        world.clock.advance(timedelta(seconds=1))
        engine.step()
        return [of_segment("acme"), of_segment("bolt")] == [pytest.approx(490 / 610 - 1)] * 2

    wait_until(settled, 60)


def test_the_same_id_of_another_account_or_source_is_another_event(world: World) -> None:
    world.send(event(1), event(1, subject="globex"), event(1, source="crm"))
    world.drain(world.engine())
    assert world.counted() == 3


@pytest.mark.parametrize("poison", [b"[]", b"{", b'{"id":1}', b"\x00\xff\xfe", b'{"id":"a"}'])
def test_what_cannot_be_read_is_set_aside_and_its_partition_goes_on(world: World, poison: bytes) -> None:
    producer = world.broker.producer()
    headers = pack_events(EVENTS, 0, "default", int(NOW.timestamp() * 1e6), [b"{}"]).headers
    bad = pack_events(EVENTS, 0, "default", 1, [poison])
    world.send(event(1, subject=account_of(0)))
    producer.send(type(bad)(EVENTS, 0, None, poison, headers)).result()
    producer.send(type(bad)(EVENTS, 0, None, b"junk", ())).result()
    world.send(event(2, subject=account_of(0)))
    world.drain(world.engine())
    assert world.counted() == 2
    assert world.one("select count(*) from engine.rejected where stage = 'engine'") == 2
    assert (
        world.one("select next_offset from engine.progress where topic = %s and partition = 0", EVENTS) == 4
    )


def account_of(partition: int) -> str:
    return next(f"a{n}" for n in range(100) if partition_of("default", f"a{n}", PARTITIONS) == partition)


def test_an_event_the_database_cannot_store_is_isolated_alone(world: World) -> None:
    # A name that no index page of PostgreSQL can hold: ingest lets none of this length through.
    endless = "".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(200))
    bad = json.dumps(event(2, data={"user": endless})).encode()
    nul = json.dumps(event(3, data={"user": "u", "note": "a\0b"})).encode()
    producer = world.broker.producer()
    good = [json.dumps(event(n)).encode() for n in (1, 4)]
    partition = partition_of("default", "acme", PARTITIONS)
    bodies = [good[0], bad, nul, good[1]]
    producer.send(pack_events(EVENTS, partition, "default", int(NOW.timestamp() * 1e6), bodies)).result()
    world.drain(world.engine())
    assert world.counted() == 3
    assert world.one("select code, index, type from engine.rejected") == (
        "event-poisoned",
        1,
        "user.logged_in",
    )


def test_who_makes_the_last_statement_fail_is_found_though_nobody_waits_for_its_answer(world: World) -> None:
    world.connection.execute("alter table engine.change add check (not ('complaints' = any (measures)))")
    bad = event(7, type="complaint.filed", data={"complaint": "c1"})
    world.send(*(event(n) for n in range(3)), bad, event(8), packed=5)
    world.drain(world.engine())
    assert world.one("select code, event_id from engine.rejected") == ("event-poisoned", "e7")
    assert world.counted() == 4


def test_pieces_of_a_batch_know_of_each_other_and_are_undone_together(world: World) -> None:
    endless = "".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(200))
    days = [
        event(n, data={"user": "u"}) | {"time": (NOW - n * timedelta(days=1)).isoformat()} for n in range(12)
    ]
    engine = world.engine()
    world.send(*days, event(0, data={"user": "u"}), days[3], packed=1)
    assert engine.step().duplicates == 2
    world.send(*(event(n) for n in range(20, 32)), event(99, data={"user": endless}), event(20), packed=1)
    world.drain(engine)
    assert (world.counted(), world.one("select code, event_id from engine.rejected")) == (
        24,
        ("event-poisoned", "e99"),
    )
    assert sorted(fate for _, fate in world.fates()).count("duplicate") == 3
    rolling = """select sum(d.value) from engine.measure_day d join engine.measure m on m.id = d.measure_id
                 where m.name = 'active_users_28d' and d.day <= %s"""
    assert world.one(rolling, NOW.date()) == 4


def test_the_later_events_are_the_fewer_accounts_are_brought_up_to_date_with_them(world: World) -> None:
    engine = world.engine()
    computed = []
    for late in (1, 30, 0):
        world.send(*(event(100 * late + n, subject=f"account-{late}-{n}") for n in range(20)))
        world.clock.advance(timedelta(seconds=late))
        computed.append(engine.step().computed)
    # Of 50: a twentieth of them, one at least, and all.
    assert computed == [3, 1, 50]
    world.drain(engine)
    assert world.one("select count(*) from engine.account_state") == 60


def test_an_event_with_nul_in_a_name_is_refused_by_that_reason(world: World) -> None:
    # NUL is valid in JSON, and in no text that PostgreSQL can hold.
    bodies = [json.dumps(event(1)).encode(), json.dumps(event(2, type="x\0y")).encode()]
    partition = partition_of("default", "acme", PARTITIONS)
    world.broker.producer().send(
        pack_events(EVENTS, partition, "default", int(NOW.timestamp() * 1e6), bodies)
    ).result()
    world.drain(world.engine())
    assert world.counted() == 1
    assert world.one("select code, index, type from engine.rejected") == ("event-nul", 1, "x\ufffdy")


def test_what_ingest_refused_is_kept_with_its_reason(world: World) -> None:
    stamp = int(NOW.timestamp() * 1e6)
    refused = pack_rejected(
        REJECTED, "default", stamp, "event-id-missing", "the event has no id", b'{"source":"s"}'
    )
    world.broker.producer().send(refused).result()
    engine = world.engine()
    engine.step()
    assert world.one("select stage, code, source from engine.rejected") == ("ingest", "event-id-missing", "s")
    assert [fate for _, fate in [("", f) for (f,) in world.connection.execute(
        "select jsonb_array_elements(fates) ->> 'fate' from engine.fate")]] == ["rejected"]  # fmt: skip
    assert world.one("select replayed_at from engine.rejected") is None
    number, again = world.one("select id from engine.rejected"), json.dumps(event(1)).encode()
    world.broker.producer().send(pack_events(EVENTS, 0, "default", stamp, [again], number)).result()
    world.drain(engine)
    assert world.one("select replayed_at is not null from engine.rejected")


def test_events_of_an_unknown_tenant_are_set_aside(world: World) -> None:
    world.send(event(1), tenant="nobody")
    world.drain(world.engine())
    assert world.one("select code from engine.rejected") == "tenant-unknown"


def test_an_engine_that_lost_its_partitions_cannot_commit(world: World) -> None:
    first = world.engine()
    world.send(event(1))
    world.drain(first)
    second = world.engine()
    second.step()
    world.send(event(2))
    with pytest.raises(Fenced):
        first.step()
    world.drain(second)
    assert world.counted() == 2


def test_a_topic_that_was_created_again_stops_the_engine_by_name(world: World) -> None:
    world.send(event(1))
    world.drain(world.engine())
    world.broker = MemoryBroker({EVENTS: PARTITIONS, REJECTED: 1})
    with pytest.raises(EngineStopped) as stopped:
        world.engine().step()
    assert stopped.value.code == "topic-recreated"


def test_an_engine_that_may_not_have_one_of_its_partitions_is_not_ready_while_it_ends(world: World) -> None:
    world.drain(world.engine())
    known = world.broker.topic_ids[EVENTS]
    world.broker = MemoryBroker({EVENTS: PARTITIONS, REJECTED: 1})
    world.broker.topic_ids[EVENTS] = known
    engine = world.engine()
    with pytest.raises(EngineStopped, match=REJECTED):
        engine.step()
    assert engine.owns_nothing() is not None


def test_another_number_of_partitions_stops_the_engine_by_name(world: World) -> None:
    world.send(event(1))
    world.drain(world.engine())
    ids = world.broker.topic_ids
    world.broker = MemoryBroker({EVENTS: PARTITIONS + 1, REJECTED: 1})
    world.broker.topic_ids = ids
    with pytest.raises(EngineStopped) as stopped:
        world.engine().step()
    assert stopped.value.code == "partitions-changed"


def test_records_deleted_unread_stop_the_engine_by_name(world: World) -> None:
    world.send(event(1, subject=account_of(0)), event(2, subject=account_of(0)), packed=1)
    world.broker.delete_before(TopicPartition(EVENTS, 0), 1)
    with pytest.raises(EngineStopped) as stopped:
        world.engine().step()
    assert stopped.value.code == "offset-gone"


def test_an_account_is_due_again_when_only_time_passed(world: World) -> None:
    engine = world.engine()
    world.send(event(1))
    world.drain(engine)
    before = world.one("select computed_at from engine.account_state")
    world.clock.advance(timedelta(days=20))
    computed: Callable[[], datetime] = lambda: world.one("select computed_at from engine.account_state")  # noqa: E731
    for _ in range(5):
        engine.quiet_work_now()
        engine.step()
    assert computed() > before
    assert world.one("select (figures ->> 'days_silent')::int from engine.account_state") == 20


def test_the_change_feed_names_every_touched_account_and_new_ones(world: World) -> None:
    engine = world.engine()
    world.send(event(1), event(2, subject="globex"))
    world.drain(engine)
    rows = world.connection.execute("select distinct unnest(account_ids) from engine.change").fetchall()
    known = world.connection.execute("select id from engine.account").fetchall()
    assert sorted(rows) == sorted(known)
    numbers = world.connection.execute(
        "select partition, batch_no from engine.change order by 1, 2"
    ).fetchall()
    assert len(numbers) == len(set(numbers))


class Circular(MemoryConsumer):
    """Leaves behind what Kafka's client does: an exception that holds its own frame, and so all frames above."""

    def poll(self, timeout_seconds: float, max_records: int) -> list[InRecord]:
        try:
            raise TimeoutError  # noqa: TRY301
        except TimeoutError as error:
            circle = error
        assert circle.__traceback__ is not None
        return super().poll(timeout_seconds, max_records)


def test_memory_does_not_wait_for_the_collector(world: World) -> None:
    engine = world.engine(Circular(world.broker))
    gc.collect()
    gc.disable()
    try:
        for round_of in range(5):
            world.send(*(event(10 * round_of + n) for n in range(9)), packed=1)
            world.drain(engine)
        batches = [one for one in gc.get_objects() if isinstance(one, Batch)]
    finally:
        gc.enable()
    assert len(batches) > 5, "nothing is left behind any more: nothing needs to be emptied"
    assert [len(batch.records) for batch in batches if batch.records or batch.first] == []


class Restless(MemoryConsumer):
    """The group is divided anew at every third poll: everything is given up, and taken again from where it was committed."""

    polls = 0

    def poll(self, timeout_seconds: float, max_records: int) -> list[InRecord]:
        self.polls += 1
        if self.polls % 3 == 0 and self._revoked is not None and self._assigned is not None:
            self._revoked(self._owned)
            self._assigned(self._owned)
        return super().poll(timeout_seconds, max_records)

    def subscribe(
        self,
        topics: Sequence[str],
        assigned: Callable[[Sequence[TopicPartition]], None],
        revoked: Callable[[Sequence[TopicPartition]], None],
    ) -> None:
        super().subscribe(topics, assigned, revoked)
        self._assigned = assigned


def test_what_was_read_ahead_is_forgotten_when_its_partition_moves(world: World) -> None:
    """Nothing is lost, counted twice or out of order, wherever between polls the partitions move."""
    engine = world.engine(Restless(world.broker))
    engine._limits = replace(engine._limits, events=2)
    world.send(*(event(n, subject=f"account-{n % 7}") for n in range(60)), packed=1)
    for _ in range(300):
        engine.step()
        if world.counted() == 60:
            break
    assert world.counted() == 60
    assert world.one("select count(*) from published.raw_event") == 60
