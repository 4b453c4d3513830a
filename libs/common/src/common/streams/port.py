"""What the services need of a log: a producer and a consumer, and the records they move.

Terms: a *position* is (topic, partition, offset). *next offset* is the offset after the last record that was handled. A consumer
*owns* partitions between `assigned` and `revoked`. A partition's *leader epoch* grows whenever its leader is chosen anew, and each record
keeps the one it was written under: a log that lost its end and was written on is another one by its epochs alone.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, Protocol

from common.contracts.record import OutRecord

NO_EPOCH: Final = -1
"""The leader epoch where none is known."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a record stands."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class TopicPartition:
    """One partition of one topic."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class InRecord:
    """A record as read. `timestamp_ms` is the broker's; a header of a foreign writer may have no value."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    leader_epoch: int = NO_EPOCH


class Producer(Protocol):
    """Writes records durably; safe to use from many threads."""

    def send(self, record: OutRecord) -> "Future[Position]":
        """Queue a record. The future is done once every in-sync replica has it, or fails with Unavailable: the outcome is then
        unknown and sending the same events again is harmless. Never blocks; the caller bounds what is in flight."""
        ...

    def send_all(self, records: Sequence[OutRecord]) -> "list[Future[Position]]":
        """Queue several records, in order, as `send` does each; together they cost less than one after the other."""
        ...

    def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has; raises Unavailable while the log can't be asked."""
        ...

    def flush(self, timeout_seconds: float) -> None:
        """Wait until nothing is in flight, at most so long."""
        ...

    def close(self, timeout_seconds: float) -> None:
        """Flush and end."""
        ...


class Consumer(Protocol):
    """Reads records as a member of a group; used from one thread.

    Records of a partition come in order, without gaps but for what the log compacted away. After `assigned` was called the
    consumer reads from where `seek` puts it; without a seek nothing is read of that partition.
    """

    def subscribe(
        self,
        topics: Sequence[str],
        assigned: Callable[[Sequence[TopicPartition]], None],
        revoked: Callable[[Sequence[TopicPartition]], None],
    ) -> None:
        """Join the group; the callbacks run inside `poll`, before any record of the new assignment is returned."""
        ...

    def poll(self, timeout_seconds: float, max_records: int) -> list[InRecord]:
        """Return what is there, waiting at most so long for the first record; a few seconds longer while the group is divided anew. Raises
        OffsetGone when the wanted offset is not in the log any more, LogCut when what stood before it is not, Unavailable when the log can't
        be reached."""
        ...

    def weigh(self, loads: Mapping[TopicPartition, int]) -> None:
        """Say how many events partitions have brought, as far as is known: the group, when it next divides them, does so by it."""
        ...

    def seek(self, partition: TopicPartition, offset: int, leader_epoch: int = NO_EPOCH) -> None:
        """Read that partition from `offset` on. `leader_epoch` is that of the record before, if one was read: then it is checked that the log
        still holds all of that epoch up to there."""
        ...

    def pause(self, partitions: Sequence[TopicPartition]) -> None: ...

    def resume(self, partitions: Sequence[TopicPartition]) -> None: ...

    def bounds(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, tuple[int, int]]:
        """Return (first offset kept, next offset to be written) per partition."""
        ...

    def topic_shape(self, topic: str) -> tuple[str, int]:
        """Return (topic id, number of partitions); a re-created topic has another id."""
        ...

    def commit_for_lag(self, next_offsets: Mapping[TopicPartition, int]) -> None:
        """Tell the log how far we are, so that its own tools show the lag. Nothing depends on it; failures are logged only."""
        ...

    def close(self) -> None:
        """Leave the group."""
        ...


class OffsetGone(Exception):
    """The next offset of a partition is not in the log: it was deleted or the topic re-created. Never skipped over."""

    def __init__(self, partition: TopicPartition, wanted: int | None) -> None:
        super().__init__(f"{partition.topic}/{partition.partition}: offset {wanted} is not in the log")
        self.partition = partition
        self.wanted = wanted


class LogCut(Exception):
    """The log lost its end and was written on: at the offsets before the wanted one stand other records than those that were read.

    `ends_at` is the first offset where they may differ; None when the log knows nothing of the epoch of what was read.
    """

    def __init__(self, partition: TopicPartition, ends_at: int | None) -> None:
        where = (
            "all that was read from it"
            if ends_at is None
            else f"what was read from it from offset {ends_at} on"
        )
        super().__init__(f"{partition.topic}/{partition.partition}: the log lost {where}, and was written on")
        self.partition = partition
        self.ends_at = ends_at
