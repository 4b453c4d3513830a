"""One suite for every implementation of the log: what the engine and ingest may rely on."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from common.contracts.record import OutRecord
from common.errors import Unavailable
from common.streams.kafka import KafkaConsumerAdapter, KafkaProducerAdapter, create_topics
from common.streams.memory import MemoryBroker
from common.streams.port import NO_EPOCH, Consumer, InRecord, OffsetGone, Position, Producer, TopicPartition
from common.testing import wait_until


@dataclass
class Log:
    topic: str
    producer: Producer
    new_consumer: Callable[[], Consumer]


@pytest.fixture
def kafka_log(kafka_bootstrap: str, topic_prefix: str) -> Iterator[Log]:
    topic = f"{topic_prefix}.log"
    create_topics(kafka_bootstrap, {topic: {"num_partitions": 2, "replication_factor": 1, "configs": {}}})
    producer = KafkaProducerAdapter(kafka_bootstrap, "test")
    opened: list[Consumer] = []

    def new_consumer() -> Consumer:
        consumer = KafkaConsumerAdapter(kafka_bootstrap, f"group-{uuid.uuid4()}", "test")
        opened.append(consumer)
        return consumer

    yield Log(topic, producer, new_consumer)
    for consumer in opened:
        consumer.close()
    producer.close(5)


@pytest.fixture
def memory_log() -> Log:
    broker = MemoryBroker({"log": 2})
    return Log("log", broker.producer(), broker.consumer)


@pytest.fixture(params=["memory_log", "kafka_log"])
def log(request: pytest.FixtureRequest) -> Log:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Log)
    return found


def send(log: Log, partition: int, *values: bytes) -> list[Position]:
    headers = (("content-type", b"text/plain"),)
    return [log.producer.send(OutRecord(log.topic, partition, b"k", v, headers)).result(60) for v in values]


def reading_from(
    log: Log, starts: dict[int, int], leader_epoch: int = NO_EPOCH
) -> tuple[Consumer, list[TopicPartition]]:
    consumer, assigned = log.new_consumer(), list[TopicPartition]()

    def take(partitions: object) -> None:
        assert isinstance(partitions, (list, tuple))
        for partition in partitions:
            assigned.append(partition)
            if partition.partition in starts:
                consumer.seek(partition, starts[partition.partition], leader_epoch)

    consumer.subscribe([log.topic], take, lambda _: None)
    return consumer, assigned


def read(consumer: Consumer, count: int) -> list[InRecord]:
    found: list[InRecord] = []

    def enough() -> bool:
        found.extend(consumer.poll(0.2, 100))
        return len(found) >= count

    wait_until(enough, 60, f"{count} records")
    return found


def test_a_sent_record_says_where_it_stands_and_offsets_have_no_gaps(log: Log) -> None:
    assert [p.offset for p in send(log, 1, b"a", b"b", b"c")] == [0, 1, 2]
    assert send(log, 0, b"d")[0] == Position(log.topic, 0, 0)


def test_records_come_back_in_order_with_their_headers(log: Log) -> None:
    send(log, 0, b"a", b"b", b"c")
    consumer, _ = reading_from(log, {0: 0, 1: 0})
    records = read(consumer, 3)
    assert [(r.partition, r.offset, r.value) for r in records] == [(0, 0, b"a"), (0, 1, b"b"), (0, 2, b"c")]
    assert dict(records[0].headers) == {"content-type": b"text/plain"}


def test_a_consumer_reads_from_where_it_was_put(log: Log) -> None:
    send(log, 0, b"a", b"b", b"c")
    consumer, assigned = reading_from(log, {0: 2})
    assert [r.value for r in read(consumer, 1)] == [b"c"]
    assert sorted(p.partition for p in assigned) == [0, 1]


def test_a_member_is_given_its_partitions_however_short_it_polls(log: Log) -> None:
    for _ in range(4):
        consumer, assigned = reading_from(log, {0: 0, 1: 0})

        def owns_both(consumer: Consumer = consumer, assigned: list[TopicPartition] = assigned) -> bool:
            consumer.poll(0.001, 10)
            return {p.partition for p in assigned} == {0, 1}

        wait_until(owns_both, 60, "the assignment")


def test_several_records_that_are_sent_together_keep_their_order(log: Log) -> None:
    records = [OutRecord(log.topic, n % 2, b"k", b"%d" % n, ()) for n in range(20)]
    assert [done.result(60).offset for done in log.producer.send_all(records)] == [n // 2 for n in range(20)]
    consumer, _ = reading_from(log, {0: 0, 1: 0})
    found = read(consumer, 20)
    assert sorted((r.partition, r.offset, r.value) for r in found) == [
        (r % 2, r // 2, b"%d" % r) for r in (*range(0, 20, 2), *range(1, 20, 2))
    ]


def test_an_offset_that_is_not_in_the_log_is_an_error_never_a_jump(log: Log) -> None:
    send(log, 0, b"a")
    consumer, _ = reading_from(log, {0: 50})
    with pytest.raises(OffsetGone):
        read(consumer, 1)


def test_the_log_tells_its_bounds_and_its_shape(log: Log) -> None:
    send(log, 0, b"a", b"b")
    consumer, _ = reading_from(log, {0: 0})
    read(consumer, 2)
    zero, one = TopicPartition(log.topic, 0), TopicPartition(log.topic, 1)
    assert consumer.bounds([zero, one]) == {zero: (0, 2), one: (0, 0)}
    topic_id, partitions = consumer.topic_shape(log.topic)
    assert uuid.UUID(topic_id)
    assert partitions == 2


def test_a_paused_partition_brings_nothing_until_it_is_resumed(log: Log) -> None:
    consumer, assigned = reading_from(log, {0: 0, 1: 0})

    def owns_both() -> bool:
        consumer.poll(0.1, 10)
        return len(assigned) == 2

    wait_until(owns_both, 60, "the assignment")
    zero = TopicPartition(log.topic, 0)
    consumer.pause([zero])
    send(log, 0, b"a")
    send(log, 1, b"b")
    assert [r.value for r in read(consumer, 1)] == [b"b"]
    consumer.resume([zero])
    assert [r.value for r in read(consumer, 1)] == [b"a"]


def test_the_producer_knows_how_many_partitions_there_are(log: Log) -> None:
    assert log.producer.partitions(log.topic) == 2
    with pytest.raises(Unavailable):
        log.producer.partitions("there-is-no-such-topic")
