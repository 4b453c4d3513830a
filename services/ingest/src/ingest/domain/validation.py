"""One verdict per item of a request: accepted as it came, accepted with what ingest adds, or refused with a reason.

The quick way is one typed decode an item and a handful of comparisons in C, most of them over all items together; whatever it can't
accept is examined slowly by `diagnosis`, which decides. The quick way never accepts what the slow one refuses.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec

from common.contracts.diagnosis import Limits, examine
from common.contracts.event_types import ANY_DATA, Data, Face, TypeRules
from common.contracts.instants import Window, are_surely_within, is_surely_within
from common.contracts.refusals import Refusal, Rejection

Item = bytes | msgspec.Raw
_Faces = Mapping[str, Face | None]

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_Short = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
_NO_DATA = msgspec.Raw(b"")
_Long = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]


class _Envelope(msgspec.Struct, gc=False):
    """What the quick way reads. Attributes that it can't judge have a type that makes it give up."""

    id: _Name
    source: _Long
    type: _Short
    specversion: Literal["1.0"]
    subject: _Name
    time: str
    recordedtime: None = None
    originaltime: str | None = None
    data: msgspec.Raw = _NO_DATA
    data_base64: None = None


_decode = msgspec.json.Decoder(_Envelope).decode
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Text:
    """What is known of all items of a body at once, so that the quick way needn't look at each. `controls`: some string may hold a
    control character."""

    utf8: bool
    escapes: bool
    depth: int
    controls: bool = True


@dataclass(slots=True)
class Verdicts:
    """The outcome of a request, items in the order sent within each partition."""

    by_partition: dict[int, list[Item]] = field(default_factory=dict)
    accepted: int = 0
    rejected: list[Rejection] = field(default_factory=list)


def text_of(body: bytes, depth: int) -> Text:
    """Look once at a whole body."""
    utf8 = body.isascii() or _is_utf8(body)
    backslash = b"\\" in body
    # Without a backslash JSON can hold DEL and, in two bytes of UTF-8 of which C2 is the first, U+0080 to U+009F; nothing below U+0020.
    controls = backslash or b"\x7f" in body or b"\xc2" in body
    return Text(utf8, backslash and b"\\u" in body, depth, controls)


def judge(
    items: Sequence[Item],
    text: Text,
    window: Window,
    limits: Limits,
    types: TypeRules,
    partitions: Mapping[str, int],
) -> Verdicts:
    """Judge every item of a request. `partitions` gives the partition of any account; a tenant-level event has the account ""."""
    rejected: list[Rejection] = []
    quick = _beyond_doubt(items, text, window, limits, types.faces)
    accounts = [account for account in quick if account is not None]
    if len(accounts) < len(items):
        items, accounts, rejected = _closely(items, quick, window, limits, types)
    by_partition: dict[int, list[Item]] = defaultdict(list)
    for item, partition in zip(items, map(partitions.__getitem__, accounts), strict=True):
        by_partition[partition].append(item)
    return Verdicts(by_partition, len(items), rejected)


def _closely(
    items: Sequence[Item],
    accounts: Sequence[str | None],
    window: Window,
    limits: Limits,
    types: TypeRules,
) -> tuple[list[Item], list[str], list[Rejection]]:
    """Examine the items that have no account yet; returns the accepted ones with their accounts, and the refused."""
    accepted: list[Item] = []
    found: list[str] = []
    rejected: list[Rejection] = []
    for index, (item, account) in enumerate(zip(items, accounts, strict=True)):
        if account is not None:
            accepted.append(item)
            found.append(account)
            continue
        verdict = examine(bytes(item), window, limits, types)
        if isinstance(verdict, Refusal):
            rejected.append(Rejection(index, id_of(item), verdict, bytes(item)))
        else:
            accepted.append(verdict.body)
            found.append(verdict.account or "")
    return accepted, found, rejected


def _beyond_doubt(
    items: Sequence[Item], text: Text, window: Window, limits: Limits, faces: _Faces
) -> Sequence[str | None]:
    """Return the account of each item that is valid beyond doubt, and None for the others."""
    quick_bytes = limits.quick_bytes
    if not text.utf8 or text.depth > limits.depth:
        return [None] * len(items)
    if not (text.escapes or text.controls) and max(map(len, items), default=0) <= quick_bytes:
        accounts = _all_accounts(items, window, faces)
        if accounts is not None:
            return accounts
    return [
        None
        if len(item) > quick_bytes or (text.escapes and b"\\u" in bytes(item))
        else _account(item, window, faces)
        for item in items
    ]


def _all_accounts(items: Sequence[Item], window: Window, faces: _Faces) -> list[str] | None:
    """Return the accounts of items without control characters if all are valid beyond doubt, else None."""
    try:
        events = list(map(_decode, items))
        for event in events:
            face = faces.get(event.type, ANY_DATA)
            if face is None:
                return None
            face.decode(event.data)
    except _UNREADABLE:
        return None
    if not are_surely_within([event.time for event in events], window):
        return None
    return [event.subject for event in events]


def _account(item: Item, window: Window, faces: _Faces) -> str | None:
    """Return the account of an event that is valid beyond doubt, else None."""
    try:
        event = _decode(item)
        face = faces.get(event.type, ANY_DATA)
        data = face.decode(event.data) if face is not None else None
    except _UNREADABLE:
        return None
    if face is None or data is None or not is_surely_within(event.time, window):
        return None
    return event.subject if _is_printable(event, face, data) else None


def _is_printable(event: _Envelope, face: Face, data: Data) -> bool:
    """Tell whether the names in an event are beyond doubt free of control characters."""
    names = f"{event.id}{event.source}{event.type}{event.subject}"
    return names.isprintable() and face.is_printable(data)


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
