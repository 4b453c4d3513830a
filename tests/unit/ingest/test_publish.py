"""Publishing: packing, order, acknowledgement, bounds, on the log in memory and on one that answers when told."""

import asyncio
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from prometheus_client import CollectorRegistry

from common.contracts.record import OutRecord, unpack_events
from common.errors import Unavailable
from common.streams.memory import MemoryBroker
from common.streams.port import Position, Producer, TopicPartition
from ingest.metrics import Metrics
from ingest.use_cases.admission import Budget, Share
from ingest.use_cases.publish import Pace, Publisher

T = TypeVar("T")


class HeldLog:
    """A log that holds every record until it is told what becomes of it."""

    def __init__(self) -> None:
        self.held: list[tuple[OutRecord, Future[Position]]] = []
        self.handed_over: list[int] = []
        self.again = asyncio.Event()

    def send(self, record: OutRecord) -> "Future[Position]":
        done: Future[Position] = Future()
        self.held.append((record, done))
        return done

    def send_all(self, records: Sequence[OutRecord]) -> "list[Future[Position]]":
        if self.handed_over:
            self.again.set()
        self.handed_over.append(len(records))
        return [self.send(record) for record in records]

    def confirm(self) -> None:
        held, self.held = self.held, []
        for record, done in held:
            done.set_result(Position(record.topic, record.partition, 0))

    def fail(self) -> None:
        held, self.held = self.held, []
        for _, done in held:
            done.set_exception(Unavailable("kafka-unavailable", "told to fail"))

    def partitions(self, topic: str) -> int:
        return 6

    def flush(self, timeout_seconds: float) -> None: ...

    def close(self, timeout_seconds: float) -> None: ...


def run(test: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(test)


def made(producer: Producer, limit: int = 10**6, pace: Pace | None = None) -> tuple[Publisher, Budget]:
    budget = Budget(limit, lambda _: None)
    metrics = Metrics(CollectorRegistry())
    pace = pace or Pace(record_bytes=100, linger_seconds=0.001)
    return Publisher(producer, "events", pace, budget, lambda: datetime.now(UTC), metrics), budget


async def settle() -> None:
    """Let everything that is due on the loop run."""
    for _ in range(5):
        await asyncio.sleep(0)


def bodies_in(broker: MemoryBroker, partition: int) -> list[bytes]:
    records = broker.logs[TopicPartition("events", partition)]
    return [bytes(body) for r in records for body in unpack_events(r.value, r.headers).bodies]


def test_all_events_of_a_request_are_durable_in_order_when_it_returns() -> None:
    broker = MemoryBroker({"events": 2})
    publisher, budget = made(broker.producer())
    bodies = [b'{"n":%d}' % n for n in range(60)]
    run(publisher.publish("acme", {0: bodies[:30], 1: bodies[30:]}))
    assert bodies_in(broker, 0) == bodies[:30]
    assert bodies_in(broker, 1) == bodies[30:]
    assert len(broker.logs[TopicPartition("events", 0)]) > 1
    assert budget.held_bytes == 0


def test_requests_that_wait_for_one_partition_share_a_record() -> None:
    async def scenario() -> list[OutRecord]:
        log = HeldLog()
        publisher, _ = made(log, pace=Pace(record_bytes=10_000, linger_seconds=60))
        first = asyncio.create_task(publisher.publish("acme", {0: [b"{}"]}))
        await settle()
        others = [asyncio.create_task(publisher.publish("acme", {0: [b'{"n":%d}' % n]})) for n in range(5)]
        await settle()
        assert len(log.held) == 1
        log.confirm()
        await first
        await settle()
        records = [record for record, _ in log.held]
        log.confirm()
        await asyncio.gather(*others)
        return records

    (record,) = run(scenario())
    assert [bytes(b) for b in unpack_events(record.value, record.headers).bodies] == [
        b'{"n":%d}' % n for n in range(5)
    ]


def test_what_waits_for_all_partitions_is_handed_over_at_once() -> None:
    async def scenario() -> list[int]:
        log = HeldLog()
        publisher, _ = made(log, pace=Pace(linger_seconds=60))
        requests = [
            asyncio.create_task(publisher.publish("acme", {p: [b"{}"] for p in range(6)})) for _ in range(4)
        ]
        await settle()
        log.confirm()
        await settle()
        log.confirm()
        await asyncio.gather(*requests)
        return log.handed_over

    assert run(scenario()) == [6, 6]


def test_what_waits_is_sent_after_a_while_even_when_nothing_was_confirmed() -> None:
    async def scenario() -> None:
        log = HeldLog()
        publisher, _ = made(log, pace=Pace(linger_seconds=0.001))
        requests = [asyncio.create_task(publisher.publish("acme", {0: [b"{}"]})) for _ in range(3)]
        await asyncio.wait_for(log.again.wait(), 60)
        log.confirm()
        await asyncio.gather(*requests)

    run(scenario())


def test_tenants_never_share_a_record() -> None:
    broker = MemoryBroker({"events": 1})
    publisher, _ = made(broker.producer())

    async def scenario() -> None:
        await asyncio.gather(publisher.publish("one", {0: [b"1"]}), publisher.publish("two", {0: [b"2"]}))

    run(scenario())
    records = broker.logs[TopicPartition("events", 0)]
    assert {unpack_events(r.value, r.headers).tenant for r in records} == {"one", "two"}


def test_a_request_fails_as_a_whole_when_one_of_its_records_does() -> None:
    broker = MemoryBroker({"events": 1})
    publisher, budget = made(broker.producer())
    with pytest.raises(Unavailable):
        run(publisher.publish("acme", {0: [b"{}"], 5: [b"{}"]}))
    assert budget.held_bytes == 0


def test_what_was_given_up_on_still_counts_until_the_log_has_decided() -> None:
    async def scenario() -> tuple[int, int]:
        log = HeldLog()
        publisher, budget = made(log, pace=Pace(timeout_seconds=0.01))
        with pytest.raises(Unavailable) as given_up:
            await publisher.publish("acme", {0: [b"{}" * 50]})
        assert given_up.value.code == "publish-timeout"
        before = budget.held_bytes
        log.fail()
        await settle()
        return before, budget.held_bytes

    assert run(scenario()) == (100, 0)


def test_a_log_that_does_not_answer_turns_new_requests_away_until_it_does() -> None:
    async def scenario() -> None:
        log = HeldLog()
        publisher, _ = made(log, pace=Pace(timeout_seconds=0.01, stall_seconds=0.005))
        with pytest.raises(Unavailable):
            await publisher.publish("acme", {0: [b"{}"]})
        with pytest.raises(Unavailable) as stalled:
            publisher.refuse_when_stalled()
        assert stalled.value.code == "broker-stalled"
        log.fail()
        await settle()
        publisher.refuse_when_stalled()

    run(scenario())


def test_a_request_that_leaves_does_not_take_its_neighbours_with_it() -> None:
    async def scenario() -> None:
        log = HeldLog()
        publisher, _ = made(log, pace=Pace(record_bytes=10_000, linger_seconds=0))
        leaving = asyncio.create_task(publisher.publish("acme", {0: [b"1"]}))
        staying = asyncio.create_task(publisher.publish("acme", {0: [b"2"]}))
        await settle()
        leaving.cancel()
        await settle()
        while not staying.done():
            log.confirm()
            await asyncio.sleep(0)
        await staying

    run(scenario())


def test_a_share_is_given_back_however_the_request_ends() -> None:
    budget = Budget(100, lambda _: None)
    with Share(budget) as first:
        first.take(90)
        with pytest.raises(Unavailable), Share(budget) as second:
            second.take(20)
        assert budget.held_bytes == 90
    assert budget.held_bytes == 0


def test_a_request_larger_than_the_whole_budget_is_let_in_when_nothing_else_is() -> None:
    budget = Budget(100, lambda _: None)
    with Share(budget) as alone:
        alone.take(500)
    assert budget.held_bytes == 0
