"""A log that lost its end, as when its machine lost power, and was written on: whoever had read that end is told, and never reads past it."""

import gc
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.contract.streams.test_log import Log, read, reading_from, send

from common.errors import Unavailable
from common.local.kafka import LocalKafka
from common.local.ports import first_free_block
from common.streams.kafka import KafkaConsumerAdapter, KafkaProducerAdapter, create_topics
from common.streams.memory import MemoryBroker
from common.streams.port import LogCut, TopicPartition
from common.testing import wait_until

TOPIC = "log"


@dataclass
class Losing:
    """A log of five records, and what takes those from an offset on away from it."""

    log: Log
    lose_from: Callable[[int], None]


@pytest.fixture
def memory() -> Losing:
    broker = MemoryBroker({TOPIC: 1})
    log = Log(TOPIC, broker.producer(), broker.consumer)
    return Losing(log, lambda offset: broker.lose_from(TopicPartition(TOPIC, 0), offset))


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[Losing]:
    block = first_free_block(range(31_000, 32_700, 10), 2)
    broker = LocalKafka(tmp_path, block.base, block.base + 1)
    broker.start()
    try:
        create_topics(
            broker.bootstrap_servers, {TOPIC: {"num_partitions": 1, "replication_factor": 1, "configs": {}}}
        )
        with producing(broker.bootstrap_servers) as producer:

            def lose_from(offset: int) -> None:
                broker.stop()
                cut(tmp_path, offset)
                broker.start()

            def new_consumer() -> KafkaConsumerAdapter:
                return KafkaConsumerAdapter(broker.bootstrap_servers, f"group-{uuid.uuid4()}", "test")

            yield Losing(Log(TOPIC, producer, new_consumer), lose_from)
    finally:
        broker.stop()
        block.close()
        close_refused()


def close_refused() -> None:
    """The client leaves the sockets of connections that were refused to the collector, which would warn about them in a later test."""
    for one in gc.get_objects():
        if isinstance(one, socket.socket) and one.fileno() >= 0 and one.getsockname()[:1] == ("0.0.0.0",):
            one.close()


@contextmanager
def producing(bootstrap: str) -> Iterator[KafkaProducerAdapter]:
    producer = KafkaProducerAdapter(bootstrap, "test")
    try:
        yield producer
    finally:
        producer.close(5)


def cut(root: Path, offset: int) -> None:
    """What a machine without power leaves: a shorter log, and nothing that says that all was well."""
    (segment,) = root.glob(f"data/{TOPIC}-0/*.log")
    data, at = segment.read_bytes(), 0
    # A batch of records begins with its first offset, and the length of what follows.
    while at < len(data) and int.from_bytes(data[at : at + 8]) < offset:
        at += 12 + int.from_bytes(data[at + 8 : at + 12])
    segment.write_bytes(data[:at])
    for name in (".kafka_cleanshutdown", "recovery-point-offset-checkpoint"):
        (root / "data" / name).unlink(missing_ok=True)


@pytest.fixture(params=["memory", "kafka"])
def losing(request: pytest.FixtureRequest) -> Losing:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Losing)
    for n in range(5):
        send(found.log, 0, b"%d" % n)
    return found


def send_at_last(log: Log, value: bytes) -> None:
    """The broker may have lost what it knew of the producer too; that hears so once."""

    def was_sent() -> bool:
        try:
            return bool(send(log, 0, value))
        except Unavailable:
            return False

    wait_until(was_sent, 60, "the broker to take a record")


def test_who_reads_goes_on_where_the_broker_lost_nothing(losing: Losing) -> None:
    reader, _ = reading_from(losing.log, {0: 0})
    with closing(reader):
        epoch = read(reader, 5)[-1].leader_epoch
        losing.lose_from(5)
        send_at_last(losing.log, b"5")
        assert [r.value for r in read(reader, 1)] == [b"5"]
    again, _ = reading_from(losing.log, {0: 5}, epoch)
    with closing(again):
        found = read(again, 1)[0]
        assert (found.value, found.leader_epoch > epoch) == (b"5", True)


def test_who_read_what_is_lost_is_told_although_the_log_grew_past_it(losing: Losing) -> None:
    reader, _ = reading_from(losing.log, {0: 0})
    with closing(reader):
        epoch = read(reader, 5)[-1].leader_epoch
        losing.lose_from(3)
        for n in range(5):
            send_at_last(losing.log, b"another %d" % n)
        with pytest.raises(LogCut) as told:
            read(reader, 1)
        assert told.value.ends_at == 3
    again, _ = reading_from(losing.log, {0: 5}, epoch)
    with closing(again), pytest.raises(LogCut):
        read(again, 1)
    back, _ = reading_from(losing.log, {0: 3})
    with closing(back):
        assert [r.value for r in read(back, 5)] == [b"another %d" % n for n in range(5)]
