"""The events topic read from its first offset, as the reference sees it: tenant, stamp and each body as accepted."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kafka import KafkaConsumer, TopicPartition
from tests.reference.events import Event, Json, event_of

from common.contracts.record import unpack_events
from common.errors import Rejected

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Arrived:
    tenant: str
    partition: int
    offset: int
    ingested_at: datetime
    body: Json

    @property
    def event(self) -> Event:
        return event_of(self.body, self.ingested_at)


def end_offsets(bootstrap: str, topic: str) -> dict[int, int]:
    """Where each partition ends now."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    try:
        partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic) or ()]
        return {tp.partition: offset for tp, offset in consumer.end_offsets(partitions).items()}
    finally:
        consumer.close()


@dataclass(frozen=True)
class Record:
    """One readable record: the events in it as bytes."""

    tenant: str
    partition: int
    offset: int
    ingested_at: datetime
    bodies: list[bytes]


def read_topic(bootstrap: str, topic: str) -> Iterator[Arrived]:
    """Every event of `read_records`."""
    for record in read_records(bootstrap, topic):
        for body in record.bodies:
            yield Arrived(
                record.tenant, record.partition, record.offset, record.ingested_at, json.loads(body)
            )


def read_records(bootstrap: str, topic: str) -> Iterator[Record]:
    """Everything up to the ends at the time of the call, in offset order per partition; unreadable records left out."""
    ends = {TopicPartition(topic, p): end for p, end in end_offsets(bootstrap, topic).items()}
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=500,
    )
    try:
        consumer.assign(list(ends))
        consumer.seek_to_beginning()
        while any(consumer.position(tp) < end for tp, end in ends.items()):
            for tp, records in consumer.poll(timeout_ms=500).items():
                for record in records:
                    if record.offset < ends[tp]:
                        yield from _readable(tp.partition, record.offset, record.value, record.headers)
    finally:
        consumer.close()


def _readable(
    partition: int, offset: int, value: bytes, headers: list[tuple[str, bytes]]
) -> Iterator[Record]:
    try:
        packed = unpack_events(value, headers)
    except Rejected:
        return
    stamp = EPOCH + timedelta(microseconds=packed.ingested_at_us)
    yield Record(packed.tenant, partition, offset, stamp, [bytes(raw) for raw in packed.bodies])
