"""The slow look at one item: decides what the quick look can't, and says what is wrong and how to mend it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from common.contracts.event_types import TypeRules, has_control
from common.contracts.instants import AHEAD, OLDEST, Window, refuse_outside, window_at
from common.contracts.nesting import depth_of, keys_of
from common.contracts.refusals import Code, Refusal

_LONE_SURROGATE = re.compile(
    rb"(?<!\\)(?:\\\\)*\\u(?:[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|"
    rb"[dD][c-fC-F][0-9a-fA-F]{2}(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}))"
)
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_MAX_CHARACTERS: Mapping[str, int] = {"id": 256, "source": 512, "type": 128, "subject": 256}
# What marks a `time` that ingest wrote because the sender gave none.
NO_ORIGINAL_TIME = "absent"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one event: bytes of its JSON, how deep it nests, keys in all its objects. `quick_bytes` is below what can hold too many keys."""

    event_bytes: int = 128 * 1024
    depth: int = 64
    keys: int = 2_000

    @property
    def quick_bytes(self) -> int:
        # The shortest key with a value is `"":0,`.
        return min(self.event_bytes, self.keys * 5)


@dataclass(frozen=True, slots=True)
class Terms:
    """What an installation demands of every event: its bounds, and how long before and after its arrival it may have happened."""

    limits: Limits = Limits()
    oldest: datetime = OLDEST
    ahead: timedelta = AHEAD

    def window(self, stamp: datetime) -> Window:
        """Return when an event that arrives at `stamp` may have happened."""
        return window_at(stamp, self.oldest, self.ahead)


@dataclass(frozen=True, slots=True)
class Passed:
    """An event that is accepted: its bytes for the log, and its account (None: it is about the tenant itself)."""

    body: bytes
    account: str | None


def examine(item: bytes, window: Window, limits: Limits, types: TypeRules) -> Refusal | Passed:
    """Judge one item on its own."""
    members = read_object(item, limits)
    if isinstance(members, Refusal):
        return members
    # JSON null stands for an absent optional attribute, as CloudEvents says.
    present = {name: raw for name, raw in members.items() if bytes(raw) != b"null"}
    refusal = _refuse_attributes(present, types) or _refuse_times(present, window)
    if refusal is None:
        refusal = _refuse_data(present, types)
    if refusal is not None:
        return refusal
    account = _text(present.get("subject"))
    return Passed(_completed(item, members, present, window), account)


def read_object(item: bytes, limits: Limits) -> dict[str, msgspec.Raw] | Refusal:
    """Read a JSON object one level deep after bounding it; the values stay as they were sent."""
    if len(item) > limits.event_bytes:
        return Refusal(
            Code.EVENT_TOO_LARGE, f"the event has {len(item)} bytes; {limits.event_bytes} are accepted"
        )
    refusal = _refuse_text(item)
    if refusal is not None:
        return refusal
    if depth_of(item) > limits.depth:
        return Refusal(Code.NESTING_TOO_DEEP, f"the event nests deeper than {limits.depth} levels")
    try:
        whole = msgspec.json.decode(item, type=msgspec.Raw)
        if bytes(whole)[:1] != b"{":
            return Refusal(Code.NOT_AN_OBJECT, "an event is a JSON object")
        members = msgspec.json.decode(item, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Refusal(Code.INVALID_JSON, _why_not_json(item, error))
    if keys_of(item) > limits.keys:
        return Refusal(Code.TOO_MANY_KEYS, f"the event has more than {limits.keys} keys")
    return members


def _refuse_text(item: bytes) -> Refusal | None:
    try:
        item.decode()
    except UnicodeDecodeError as error:
        return Refusal(Code.INVALID_UTF8, f"byte {error.start} is not UTF-8")
    if b"\\u" not in item:
        return None
    if _NUL.search(item):
        return Refusal(Code.NUL_CHARACTER, "a text holds U+0000, which can't be stored")
    if _LONE_SURROGATE.search(item):
        return Refusal(Code.LONE_SURROGATE, "an escape names half of a surrogate pair, which is no character")
    return None


def _refuse_attributes(present: Mapping[str, msgspec.Raw], types: TypeRules) -> Refusal | None:
    version = _text(present.get("specversion"))
    if version != "1.0":
        if "specversion" not in present:
            return Refusal(Code.ATTRIBUTE_MISSING, '`specversion` is missing; write "1.0"')
        return Refusal(Code.SPECVERSION_UNSUPPORTED, 'only `specversion` "1.0" is understood')
    for name in ("id", "source", "type"):
        refusal = _refuse_name(name, present.get(name))
        if refusal is not None:
            return refusal
    if "subject" not in present:
        if _text(present["type"]) in types.tenant_level:
            return None
        return Refusal(Code.SUBJECT_MISSING, "`subject` is missing: the account that this event is about")
    return _refuse_name("subject", present["subject"])


def _refuse_name(name: str, raw: msgspec.Raw | None) -> Refusal | None:
    if raw is None:
        return Refusal(Code.ATTRIBUTE_MISSING, f"`{name}` is missing")
    text = _text(raw)
    if text is None:
        return Refusal(Code.ATTRIBUTE_NOT_STRING, f"`{name}` must be a string")
    if not text:
        return Refusal(Code.ATTRIBUTE_EMPTY, f"`{name}` is empty")
    if len(text) > _MAX_CHARACTERS[name]:
        return Refusal(
            Code.ATTRIBUTE_TOO_LONG,
            f"`{name}` has {len(text)} characters; {_MAX_CHARACTERS[name]} are accepted",
        )
    if has_control(text):
        return Refusal(Code.CONTROL_CHARACTER, f"`{name}` holds a control character")
    return None


def _refuse_times(present: Mapping[str, msgspec.Raw], window: Window) -> Refusal | None:
    for name in ("time", "recordedtime"):
        raw = present.get(name)
        if raw is None:
            continue
        text = _text(raw)
        if text is None:
            return Refusal(
                Code.TIME_INVALID,
                f"`{name}` must be an RFC 3339 string such as 2026-01-31T12:00:00.000Z, not a number",
            )
        refusal = refuse_outside(name, text, window)
        if refusal is not None:
            return refusal
    if "originaltime" in present and _text(present["originaltime"]) is None:
        return Refusal(Code.ATTRIBUTE_NOT_STRING, "`originaltime` must be a string")
    return None


def _refuse_data(present: Mapping[str, msgspec.Raw], types: TypeRules) -> Refusal | None:
    if "data_base64" in present:
        return Refusal(Code.DATA_BASE64, "`data_base64` is not read; send `data` as a JSON object")
    raw = present.get("data")
    data = bytes(raw) if raw is not None else None
    if data is not None and data[:1] != b"{":
        return Refusal(Code.DATA_NOT_OBJECT, "`data` must be a JSON object")
    refusal = _refuse_user(data) if data is not None else None
    if refusal is not None:
        return refusal
    rule = types.rules.get(_text(present["type"]) or "")
    return rule.refusal(data) if rule is not None else None


def _refuse_user(data: bytes) -> Refusal | None:
    raw = msgspec.json.decode(data, type=dict[str, msgspec.Raw]).get("user")
    if raw is None or bytes(raw) == b"null":
        return None
    text = _text(raw)
    if not text or len(text) > _MAX_CHARACTERS["subject"] or has_control(text):
        return Refusal(
            Code.USER_INVALID,
            f"`data.user` must be a string of 1 to {_MAX_CHARACTERS['subject']} characters without control characters",
        )
    return None


def _completed(
    item: bytes, members: Mapping[str, msgspec.Raw], present: dict[str, msgspec.Raw], window: Window
) -> bytes:
    """Return the bytes for the log: as sent, unless a time has to be added or a null dropped."""
    if "time" in present:
        return item if len(present) == len(members) else msgspec.json.encode(present)
    stamped: dict[str, Any] = {
        **present,
        "time": window.stamp_text,
        "originaltime": NO_ORIGINAL_TIME,
    }
    return msgspec.json.encode(stamped)


def _text(raw: msgspec.Raw | None) -> str | None:
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw, type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _why_not_json(item: bytes, error: Exception) -> str:
    for word in (b"NaN", b"Infinity"):
        if word in item:
            return (
                f"this is not JSON ({error}); JSON has no {word.decode()}, send null or leave the field out"
            )
    return f"this is not JSON: {error}"
