"""`python -m benchmarks.peers.programs.fill BOOTSTRAP TOPIC FILE FIRST END`: records [FIRST, END) of a file into a topic.

Through librdkafka, because a filler in plain Python would take longer than what is measured.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.peers.programs.layout import HEAD, PAIR
from confluent_kafka import Producer


def main() -> None:
    bootstrap, topic, file, first, end = sys.argv[1:]
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "acks": "all",
            "linger.ms": 20,
            "batch.size": 1 << 20,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 2_000_000,
            "queue.buffering.max.kbytes": 1 << 20,
            "message.max.bytes": 8 << 20,
        }
    )
    failed: list[object] = []
    for partition, at, key, value, headers in _records(Path(file), int(first), int(end)):
        producer.produce(
            topic,
            value,
            key,
            partition,
            on_delivery=lambda error, _: failed.append(error) if error else None,
            timestamp=at,
            headers=headers,
        )
        producer.poll(0)
    producer.flush()
    if failed:
        raise SystemExit(f"{len(failed)} records were not taken, the first because of {failed[0]}")


def _records(
    path: Path, first: int, end: int
) -> Iterator[tuple[int, int, bytes, bytes, list[tuple[str, bytes]]]]:
    data = path.read_bytes()
    place = number = 0
    while number < end:
        partition, at, key_length, value_length, pairs = HEAD.unpack_from(data, place)
        place += HEAD.size
        key = data[place : place + key_length]
        value = data[place + key_length : place + key_length + value_length]
        place += key_length + value_length
        headers = []
        for _ in range(pairs):
            name, length = PAIR.unpack_from(data, place)
            place += PAIR.size
            headers.append((data[place : place + name].decode(), data[place + name : place + name + length]))
            place += name + length
        if number >= first:
            yield partition, at, key, value, headers
        number += 1


if __name__ == "__main__":
    main()
