"""The log in memory, for tests: passes the same behaviour suite as Kafka (tests/contract)."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

from common.contracts.record import OutRecord
from common.errors import Unavailable
from common.streams.port import NO_EPOCH, InRecord, LogCut, OffsetGone, Position, TopicPartition


class MemoryBroker:
    """Holds topics; hands out producers and consumers. One group, one consumer at a time owns everything."""

    def __init__(self, topics: Mapping[str, int]) -> None:
        self.logs: dict[TopicPartition, list[InRecord]] = {
            TopicPartition(name, p): [] for name, count in topics.items() for p in range(count)
        }
        self.first: dict[TopicPartition, int] = dict.fromkeys(self.logs, 0)
        self.topic_ids = {name: str(uuid.uuid4()) for name in topics}
        self.leader_epoch = 0

    def producer(self) -> "MemoryProducer":
        return MemoryProducer(self)

    def consumer(self) -> "MemoryConsumer":
        return MemoryConsumer(self)

    def delete_before(self, partition: TopicPartition, offset: int) -> None:
        """Drop records below an offset, as retention does."""
        self.first[partition] = offset

    def lose_from(self, partition: TopicPartition, offset: int) -> None:
        """Drop records from an offset on, as a broker does that had not flushed them when its machine lost power."""
        del self.logs[partition][offset:]
        self.leader_epoch += 1


class MemoryProducer:
    """Producer port."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    def send(self, record: OutRecord) -> "Future[Position]":
        done: Future[Position] = Future()
        log = self._broker.logs.get(TopicPartition(record.topic, record.partition))
        if log is None:
            done.set_exception(
                Unavailable("topic-missing", f"{record.topic}/{record.partition} does not exist")
            )
            return done
        offset = len(log)
        epoch = self._broker.leader_epoch
        log.append(InRecord(record.topic, record.partition, offset, 0, record.value, record.headers, epoch))
        done.set_result(Position(record.topic, record.partition, offset))
        return done

    def send_all(self, records: Sequence[OutRecord]) -> "list[Future[Position]]":
        return [self.send(record) for record in records]

    def partitions(self, topic: str) -> int:
        count = sum(1 for p in self._broker.logs if p.topic == topic)
        if not count:
            raise Unavailable("topic-missing", f"topic {topic} does not exist")
        return count

    def flush(self, timeout_seconds: float) -> None:
        """Nothing is ever in flight."""

    def close(self, timeout_seconds: float) -> None:
        """Nothing is held."""


class MemoryConsumer:
    """Consumer port."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self._next: dict[TopicPartition, int] = {}
        self._epochs: dict[TopicPartition, int] = {}
        self._owned: list[TopicPartition] = []
        self._paused: set[TopicPartition] = set()
        self._join: Callable[[], None] | None = None
        self._revoked: Callable[[Sequence[TopicPartition]], None] | None = None
        self.committed: dict[TopicPartition, int] = {}

    def subscribe(
        self,
        topics: Sequence[str],
        assigned: Callable[[Sequence[TopicPartition]], None],
        revoked: Callable[[Sequence[TopicPartition]], None],
    ) -> None:
        self._owned = [p for p in self._broker.logs if p.topic in topics]
        self._join = lambda: assigned(self._owned)
        self._revoked = revoked

    def poll(self, timeout_seconds: float, max_records: int) -> list[InRecord]:
        if self._join is not None:
            join, self._join = self._join, None
            join()
        out: list[InRecord] = []
        for partition in self._owned:
            wanted = self._next.get(partition)
            if wanted is None or partition in self._paused:
                continue
            log = self._broker.logs[partition]
            self._check_epoch(partition, wanted)
            if wanted < self._broker.first[partition] or wanted > len(log):
                raise OffsetGone(partition, wanted)
            found = log[wanted : wanted + max_records - len(out)]
            self._next[partition] = wanted + len(found)
            if found:
                self._epochs[partition] = found[-1].leader_epoch
            out += found
        return out

    def weigh(self, loads: Mapping[TopicPartition, int]) -> None:
        """There is nobody to share with."""

    def _check_epoch(self, partition: TopicPartition, wanted: int) -> None:
        known = self._epochs.get(partition, NO_EPOCH)
        if known in (NO_EPOCH, self._broker.leader_epoch):
            return
        later = (r.offset for r in self._broker.logs[partition] if r.leader_epoch > known)
        ends_at = next(later, len(self._broker.logs[partition]))
        if ends_at < wanted:
            raise LogCut(partition, ends_at)

    def seek(self, partition: TopicPartition, offset: int, leader_epoch: int = NO_EPOCH) -> None:
        self._next[partition], self._epochs[partition] = offset, leader_epoch

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        self._paused.update(partitions)

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        self._paused.difference_update(partitions)

    def bounds(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, tuple[int, int]]:
        return {p: (self._broker.first[p], len(self._broker.logs[p])) for p in partitions}

    def topic_shape(self, topic: str) -> tuple[str, int]:
        return self._broker.topic_ids[topic], sum(1 for p in self._broker.logs if p.topic == topic)

    def commit_for_lag(self, next_offsets: Mapping[TopicPartition, int]) -> None:
        self.committed.update(next_offsets)

    def close(self) -> None:
        if self._revoked is not None:
            self._revoked(self._owned)
        self._owned = []
