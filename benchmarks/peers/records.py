"""The same events in the three forms of a topic, each written once to a file that the filler reads.

`keyed`: a record an event, key the account, time the event's: what the peers like best. `single`: a record an event as ingest
writes a lonely one. `packed`: records of `PACK` events, as ingest writes them when many wait.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
from benchmarks.events import Input
from benchmarks.packing import PACK, packed
from benchmarks.peers.programs.layout import HEAD, PAIR

FORMS = ("keyed", "single", "packed")


class Placed(msgspec.Struct):
    subject: str
    time: str


@dataclass(frozen=True)
class Records:
    """`warm` records hold the events up to the warm-up's end, `all` the whole input."""

    path: Path
    warm: int
    all: int


def records(source: Input, form: str, warm_events: int, directory: Path) -> Records:
    path = directory / f"{form}.records"
    warm = count = 0
    with path.open("wb") as file, source.path.open("rb") as lines:
        texts = [line.rstrip(b"\n") for line in lines]
        for part, is_warm in ((texts[:warm_events], True), (texts[warm_events:], False)):
            for encoded in _encoded(part, form):
                file.write(encoded)
                count += 1
                warm += is_warm
    return Records(path, warm, count)


def _encoded(lines: list[bytes], form: str) -> Iterator[bytes]:
    decode = msgspec.json.Decoder(Placed).decode
    if form == "keyed":
        for line in lines:
            placed = decode(line)
            at = round(datetime.fromisoformat(placed.time).timestamp() * 1000)
            yield _record(-1, at, placed.subject.encode(), line, ())
        return
    for made in packed("", lines, 1 if form == "single" else PACK):
        yield _record(made.partition, 0, made.key or b"", made.value, made.headers)


def _record(
    partition: int, at: int, key: bytes, value: bytes, headers: tuple[tuple[str, bytes], ...]
) -> bytes:
    head = HEAD.pack(partition, at, len(key), len(value), len(headers))
    pairs = [PAIR.pack(len(name), len(text)) + name.encode() + text for name, text in headers]
    return b"".join([head, key, value, *pairs])
