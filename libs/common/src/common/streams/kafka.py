"""The log on Apache Kafka. The only file that imports the client."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import kafka
import kafka.errors
from kafka.consumer.subscription_state import ConsumerRebalanceListener
from kafka.coordinator.assignors.abstract import (
    AbstractPartitionAssignor,
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
)
from kafka.coordinator.assignors.range import RangePartitionAssignor

from common.contracts.record import OutRecord
from common.errors import Unavailable
from common.logs import get_logger
from common.streams.port import NO_EPOCH, InRecord, LogCut, OffsetGone, Position, TopicPartition
from common.streams.sharing import shares

log = get_logger("streams")

# Never, in effect: kafka-python 3.0.12 forgets its producer id when a batch expires that was sent before, does not ask for a
# new one, and from then on sends nothing at all. Who waits for a record gives up by a clock of its own.
DELIVERY_TIMEOUT_MS = 2_000_000_000
# A broker that is back is found within a second, not after the client's 30.
RECONNECT_BACKOFF_MAX_MS = 1_000
REQUEST_TIMEOUT_MS = 6_000
METADATA_TIMEOUT_MS = 3_000
# kafka-python 3.0.12 joins anew when a join was finished while nobody polled, so whoever polls waits for it: the other members hear
# within a heartbeat that they have to join too. Short enough for a member that is told to end.
JOIN_MS = 3_000
FETCH_MAX_BYTES = 8 * 1024 * 1024


class KafkaProducerAdapter:
    """Producer port: idempotent, acks=all, no memory bound of its own (the caller bounds what is in flight)."""

    def __init__(
        self, bootstrap: str, client_id: str, linger_ms: int = 0, compression: str | None = "lz4"
    ) -> None:
        self._producer = _connect(
            kafka.KafkaProducer,
            bootstrap,
            client_id=client_id,
            acks="all",
            enable_idempotence=True,
            max_in_flight_requests_per_connection=5,
            linger_ms=linger_ms,
            batch_size=512 * 1024,
            max_request_size=8 * 1024 * 1024,
            compression_type=compression,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
            max_block_ms=METADATA_TIMEOUT_MS,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
        self._hold_wakeups()

    def _hold_wakeups(self) -> None:
        """Let `send_all` wake the client's thread once. By itself the client does so for every record, and each time its thread takes
        the interpreter away from the caller, looks at all partitions and sends the few records that are there by then.
        """
        sender = self._producer._sender  # noqa: SLF001 - the client has no call for several records
        self._wake: Callable[[], None] = sender.wakeup
        self._of_caller = threading.local()
        sender.wakeup = self._wake_unless_held

    def _wake_unless_held(self) -> None:
        if not getattr(self._of_caller, "held", False):
            self._wake()

    def send_all(self, records: Sequence[OutRecord]) -> "list[Future[Position]]":
        self._of_caller.held = True
        try:
            return [self.send(record) for record in records]
        finally:
            self._of_caller.held = False
            self._wake()

    def send(self, record: OutRecord) -> "Future[Position]":
        done: Future[Position] = Future()
        try:
            sent = self._producer.send(
                record.topic,
                value=record.value,
                key=record.key,
                headers=list(record.headers),
                partition=record.partition,
            )
        except kafka.errors.KafkaError as error:
            done.set_exception(_unavailable(error))
            return done
        sent.add_callback(lambda meta: done.set_result(Position(meta.topic, meta.partition, meta.offset)))
        sent.add_errback(lambda error: done.set_exception(_unavailable(error)))
        return done

    def partitions(self, topic: str) -> int:
        try:
            found = self._producer.partitions_for(topic)
        except kafka.errors.KafkaError as error:
            raise _unavailable(error) from error
        if not found:
            raise Unavailable("topic-missing", f"topic {topic} does not exist; `bellwether init` creates it")
        return len(found)

    def flush(self, timeout_seconds: float) -> None:
        try:
            self._producer.flush(timeout=timeout_seconds)
        except kafka.errors.KafkaError as error:
            raise _unavailable(error) from error

    def close(self, timeout_seconds: float) -> None:
        self._producer.close(timeout=timeout_seconds)


class _Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]
    """Notes what the group decides. It is called on the client's own thread, where nothing may block: a partition that is
    assigned is only held back there, until `poll` tells the owner of the consumer about it.
    """

    def __init__(self) -> None:
        self.consumer: Any = None
        self.noted: list[tuple[bool, list[TopicPartition]]] = []

    def on_partitions_assigned(self, assigned: Sequence[Any]) -> None:
        for partition in assigned:
            self.consumer.seek(
                partition, 0
            )  # a place holder: without any position the client would ask Kafka for one
        self.consumer.pause(*assigned)
        self.noted.append((True, [TopicPartition(p.topic, p.partition) for p in assigned]))

    def on_partitions_revoked(self, revoked: Sequence[Any]) -> None:
        """Called whenever the client is about to join.

        Where it joins because the partitions of a topic changed, kafka-python 3.0.12 asks itself at every poll anew whether it has to, and
        no longer thinks so once it has handed out the partitions as leader. When a poll ends just then, it never looks at the answer:
        it owns nothing, sends no heartbeat and is thrown out, for ever. Apache's client remembers the wish until it is fulfilled.
        """
        self.consumer._coordinator.request_rejoin()  # noqa: SLF001 - the client has no other door for it
        self.noted.append((False, [TopicPartition(p.topic, p.partition) for p in revoked]))

    def on_partitions_lost(self, lost: Sequence[Any]) -> None:
        self.on_partitions_revoked(lost)


class _ByLoad(AbstractPartitionAssignor):  # type: ignore[misc]
    """Divides partitions by what the member that leads the group knows of their loads."""

    name = "bellwether-load"
    version = 0

    def __init__(self) -> None:
        self.loads: Mapping[TopicPartition, int] = {}

    def assign(self, cluster: Any, members: Sequence[Any]) -> dict[str, Any]:
        topics_of = {member.member_id: frozenset(member.metadata.topics) for member in members}
        topics = sorted(frozenset[str]().union(*topics_of.values()))
        partitions = [
            TopicPartition(topic, p) for topic in topics for p in cluster.partitions_for_topic(topic) or ()
        ]
        return {
            member: ConsumerProtocolAssignment(self.version, _by_topic(given), b"")
            for member, given in shares(partitions, topics_of, self.loads).items()
        }

    def metadata(self, topics: Iterable[str]) -> Any:
        return ConsumerProtocolSubscription(self.version, list(topics), b"")

    def on_assignment(self, assignment: Any, generation: int) -> None:
        """Nothing follows from it."""


def _by_topic(given: Iterable[TopicPartition]) -> list[tuple[str, list[int]]]:
    found: dict[str, list[int]] = {}
    for one in given:
        found.setdefault(one.topic, []).append(one.partition)
    return sorted((topic, sorted(numbers)) for topic, numbers in found.items())


class KafkaConsumerAdapter:
    """Consumer port as a member of a Kafka consumer group. Positions come from the caller, never from Kafka."""

    def __init__(self, bootstrap: str, group: str, client_id: str, session_timeout_ms: int = 6_000) -> None:
        self._assigned: Callable[[Sequence[TopicPartition]], None] = lambda _: None
        self._revoked: Callable[[Sequence[TopicPartition]], None] = lambda _: None
        self._sought: set[TopicPartition] = set()
        self._sharing = _ByLoad()
        self._consumer = _connect(
            kafka.KafkaConsumer,
            bootstrap,
            group_id=group,
            client_id=client_id,
            # The second is what members of earlier versions know: beside them it is what the group agrees on.
            partition_assignment_strategy=[self._sharing, RangePartitionAssignor],
            auto_offset_reset="none",
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            session_timeout_ms=session_timeout_ms,
            heartbeat_interval_ms=max(session_timeout_ms // 4, 250),
            max_poll_interval_ms=300_000,
            max_poll_records=5_000,
            # An answer comes as soon as there is a byte, but of the partitions asked about: a question that left out those whose records
            # lie here already keeps the next one waiting for so long.
            fetch_max_wait_ms=50,
            fetch_min_bytes=1,
            fetch_max_bytes=FETCH_MAX_BYTES,
            max_partition_fetch_bytes=512 * 1024,
            metadata_max_age_ms=10_000,
            request_timeout_ms=30_000,
            metrics_enabled=False,
        )
        self._rebalances = _Rebalances()
        self._rebalances.consumer = self._consumer

    def subscribe(
        self,
        topics: Sequence[str],
        assigned: Callable[[Sequence[TopicPartition]], None],
        revoked: Callable[[Sequence[TopicPartition]], None],
    ) -> None:
        self._assigned, self._revoked = assigned, revoked
        self._consumer.subscribe(topics=list(topics), listener=self._rebalances)

    def poll(self, timeout_seconds: float, max_records: int) -> list[InRecord]:
        coordinator = self._consumer._coordinator  # noqa: SLF001 - a longer poll would wait for records too
        try:
            if coordinator.need_rejoin():
                coordinator.poll(timeout_ms=JOIN_MS)
            polled = self._consumer.poll(timeout_ms=int(timeout_seconds * 1000), max_records=max_records)
        except kafka.errors.NoOffsetForPartitionError as error:
            raise OffsetGone(_first(error), None) from error
        except kafka.errors.OffsetOutOfRangeError as error:
            raise OffsetGone(*_out_of_range(error)) from error
        except kafka.errors.LogTruncationError as error:
            raise LogCut(*_cut(error)) from error
        except kafka.errors.KafkaError as error:
            raise _unavailable(error) from error
        moved = self._tell_rebalances()
        return [
            InRecord(r.topic, r.partition, r.offset, r.timestamp, r.value, r.headers, r.leader_epoch)
            for of, records in polled.items()
            if (of.topic, of.partition) not in moved  # read from a position that is no longer ours
            for r in records
        ]

    def _tell_rebalances(self) -> set[tuple[str, int]]:
        """Tell the owner what the group decided since the last poll; returns the partitions that came or went."""
        moved: set[tuple[str, int]] = set()
        while self._rebalances.noted:
            came, partitions = self._rebalances.noted.pop(0)
            moved |= {(p.topic, p.partition) for p in partitions}
            if not came:
                self._revoked(partitions)
                continue
            self._sought.clear()
            self._assigned(partitions)
            self.resume([p for p in partitions if p in self._sought])
        return moved

    def weigh(self, loads: Mapping[TopicPartition, int]) -> None:
        self._sharing.loads = dict(loads)

    def seek(self, partition: TopicPartition, offset: int, leader_epoch: int = NO_EPOCH) -> None:
        self._sought.add(partition)
        if _raw(partition) in self._consumer.assignment():
            subscription = self._consumer._subscription  # noqa: SLF001 - the client's own door takes no epoch
            subscription.seek(_raw(partition), kafka.OffsetAndMetadata(offset, "", leader_epoch))

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        self._consumer.pause(*self._still_assigned(partitions))

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        self._consumer.resume(*self._still_assigned(partitions))

    def _still_assigned(self, partitions: Sequence[TopicPartition]) -> list[Any]:
        """Leave out what the group has taken away meanwhile; the next poll tells its owner."""
        return [raw for raw in map(_raw, partitions) if raw in self._consumer.assignment()]

    def bounds(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, tuple[int, int]]:
        raw = [_raw(p) for p in partitions]
        try:
            first, end = self._consumer.beginning_offsets(raw), self._consumer.end_offsets(raw)
        except kafka.errors.KafkaError as error:
            raise _unavailable(error) from error
        return {p: (first[r], end[r]) for p, r in zip(partitions, raw, strict=True)}

    def topic_shape(self, topic: str) -> tuple[str, int]:
        try:
            found = self._consumer.partitions_for_topic(topic)
            cluster = self._consumer._client.cluster  # noqa: SLF001 - the client shows a topic's id nowhere else
            topic_id = cluster.topic_id(topic)
        except kafka.errors.KafkaError as error:
            raise _unavailable(error) from error
        if not found or topic_id is None:
            raise Unavailable(
                "topic-missing",
                f"topic {topic} is not known to the broker; `bellwether init` creates it, as does ingest when it starts",
            )
        return str(topic_id), len(found)

    def commit_for_lag(self, next_offsets: Mapping[TopicPartition, int]) -> None:
        offsets = {_raw(p): kafka.OffsetAndMetadata(o, "", -1) for p, o in next_offsets.items()}
        try:
            self._consumer.commit_async(offsets)
        except kafka.errors.KafkaError as error:
            log.warning("lag_commit_failed", error=str(error))

    def close(self) -> None:
        self._consumer.close(autocommit=False, timeout_ms=3_000)


def create_topics(bootstrap: str, topics: Mapping[str, dict[str, Any]]) -> None:
    """Create what is missing among `topics` (name -> num_partitions, replication_factor, configs)."""
    admin = _connect(
        kafka.KafkaAdminClient, bootstrap, client_id="bellwether-topics", request_timeout_ms=15_000
    )
    try:
        missing = {name: shape for name, shape in topics.items() if name not in set(admin.list_topics())}
        if missing:
            admin.create_topics(missing, wait_for_metadata=True)
    except kafka.errors.TopicAlreadyExistsError:
        log.info("topics_created_by_another", topics=sorted(topics))
    except kafka.errors.KafkaError as error:
        raise _unavailable(error) from error
    finally:
        admin.close()


def _connect(client: Any, bootstrap: str, **config: Any) -> Any:
    try:
        return client(
            bootstrap_servers=bootstrap.split(","),
            reconnect_backoff_max_ms=RECONNECT_BACKOFF_MAX_MS,
            **config,
        )
    except (kafka.errors.KafkaError, OSError) as error:
        raise Unavailable(
            "kafka-unreachable", f"no Kafka broker answers at {bootstrap}: {error!r}", retry_after_seconds=2
        ) from error


def _unavailable(error: BaseException) -> Unavailable:
    return Unavailable("kafka-unavailable", f"Kafka did not confirm: {error!r}", retry_after_seconds=2)


def _raw(partition: TopicPartition) -> Any:
    return kafka.TopicPartition(partition.topic, partition.partition)


def _first(error: BaseException) -> TopicPartition:
    for argument in error.args:
        for found in argument if isinstance(argument, (list, tuple, set)) else [argument]:
            if isinstance(found, kafka.TopicPartition):
                return TopicPartition(found.topic, found.partition)
    return TopicPartition("?", -1)


def _out_of_range(error: BaseException) -> tuple[TopicPartition, int | None]:
    for argument in error.args:
        if isinstance(argument, dict):
            for found, offset in argument.items():
                return TopicPartition(found.topic, found.partition), int(offset)
    return _first(error), None


def _cut(error: kafka.errors.LogTruncationError) -> tuple[TopicPartition, int | None]:
    raw, ends = next(iter(error.divergent_offsets.items()))
    return TopicPartition(raw.topic, raw.partition), None if ends is None else int(ends.offset)
