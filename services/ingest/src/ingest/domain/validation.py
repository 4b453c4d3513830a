"""One verdict per item of a request: accepted as it came, accepted with what ingest adds, or refused with a reason.

The quick way is one typed decode and a handful of comparisons in C; whatever it can't accept is examined slowly by `diagnosis`, which
decides. The quick way never accepts what the slow one refuses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec

from ingest.domain.diagnosis import Limits, examine
from ingest.domain.event_types import ANY_DATA, Face, TypeRules
from ingest.domain.instants import Window, is_canonical_within
from ingest.domain.refusals import Refusal, Rejection

Item = bytes | msgspec.Raw

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_Short = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
_NO_DATA = msgspec.Raw(b"")
_Long = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]


class _Envelope(msgspec.Struct, gc=False):
    """What the quick way reads. Attributes that it can't judge have a type that makes it give up."""

    id: _Name
    source: _Long
    type: _Short
    specversion: str
    subject: _Name | None = None
    time: str | None = None
    recordedtime: str | None = None
    originaltime: str | None = None
    data: msgspec.Raw = _NO_DATA
    data_base64: None = None


_decode = msgspec.json.Decoder(_Envelope).decode


@dataclass(frozen=True, slots=True)
class Text:
    """What is known of all items of a body at once, so that the quick way needn't look at each."""

    utf8: bool
    escapes: bool
    depth: int


@dataclass(slots=True)
class Verdicts:
    """The outcome of a request, items in the order sent within each partition."""

    by_partition: dict[int, list[Item]] = field(default_factory=dict)
    accepted: int = 0
    rejected: list[Rejection] = field(default_factory=list)


def text_of(body: bytes, depth: int) -> Text:
    """Look once at a whole body."""
    utf8 = body.isascii() or _is_utf8(body)
    return Text(utf8, b"\\" in body and b"\\u" in body, depth)


def judge(
    items: Sequence[Item],
    text: Text,
    window: Window,
    limits: Limits,
    types: TypeRules,
    partitions: Mapping[str, int],
) -> Verdicts:
    """Judge every item of a request. `partitions` gives the partition of any account; a tenant-level event has the account ""."""
    verdicts = Verdicts()
    by_partition, faces, quick_bytes = verdicts.by_partition, types.faces, limits.quick_bytes
    plain = text.utf8 and not text.escapes and text.depth <= limits.depth
    for index, item in enumerate(items):
        account: str | None
        if plain and len(item) <= quick_bytes and (account := _quick(item, window, faces)) is not None:
            body: Item = item
        else:
            verdict = examine(bytes(item), window, limits, types)
            if isinstance(verdict, Refusal):
                verdicts.rejected.append(Rejection(index, id_of(item), verdict, bytes(item)))
                continue
            account, body = verdict.account, verdict.body
        partition = partitions[account or ""]
        found = by_partition.get(partition)
        if found is None:
            by_partition[partition] = [body]
        else:
            found.append(body)
        verdicts.accepted += 1
    return verdicts


def _quick(item: Item, window: Window, faces: Mapping[str, Face | None]) -> str | None:
    """Return the account of an event that is valid beyond doubt, else None."""
    try:
        event = _decode(item)
        face = faces.get(event.type, ANY_DATA)
        if face is None or (time := event.time) is None or (subject := event.subject) is None:
            return None
        data = face.decode(event.data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if (
        event.specversion == "1.0"
        and event.recordedtime is None
        and is_canonical_within(time, window)
        and f"{event.id}{event.source}{event.type}{subject}".isprintable()
        and face.is_printable(data)
    ):
        return subject
    return None


def id_of(item: Item) -> str | None:
    """Return what an item calls itself, if that can be read."""
    try:
        found: Any = msgspec.json.decode(item, type=dict[str, msgspec.Raw]).get("id")
        name = msgspec.json.decode(found) if found is not None else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return name[:256] if isinstance(name, str) else None


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
