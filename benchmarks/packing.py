"""Events packed as ingest packs them when many wait: some hundred of one partition in a record, in the order in which they came."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator

import msgspec
from benchmarks.bed import PARTITIONS, TENANT, Bed

from common.contracts.record import OutRecord, pack_events, partition_of
from common.streams.kafka import KafkaProducerAdapter

PACK = 500
SENT_SECONDS = 120


class _Placed(msgspec.Struct):
    subject: str


def packed(topic: str, lines: Iterable[bytes], size: int = PACK) -> Iterator[OutRecord]:
    """In the order in which records come full, the rest at the end. The ingest stamp is of this moment."""
    decode = msgspec.json.Decoder(_Placed).decode
    stamp_us = time.time_ns() // 1000
    waiting: dict[int, list[bytes]] = defaultdict(list)
    for line in lines:
        partition = partition_of(TENANT, decode(line).subject, PARTITIONS)
        waiting[partition].append(line)
        if len(waiting[partition]) == size:
            yield pack_events(topic, partition, TENANT, stamp_us, waiting.pop(partition))
    for partition, rest in waiting.items():
        yield pack_events(topic, partition, TENANT, stamp_us, rest)


def fill(bed: Bed, topic: str, lines: Iterable[bytes]) -> None:
    """Into the topic, acknowledged."""
    producer = KafkaProducerAdapter(bed.bootstrap, "benchmark")
    try:
        for sent in producer.send_all(list(packed(topic, lines))):
            sent.result(SENT_SECONDS)
    finally:
        producer.close(SENT_SECONDS)
