"""Segment's calls as events.

| call | type | `data` beside `user`, `context`, `integrations` |
| --- | --- | --- |
| identify | `user.updated` | `traits` |
| group | `account.updated` | `traits` |
| track "Signed In" | `user.logged_in` | `properties` |
| track, any other | `feature.used` | `feature` (the event's name), `value` (where it is a number), `properties` |
| page, screen | `page.viewed`, `screen.viewed` | `name`, `category`, `properties` |
| alias | `user.aliased` | `previous_id` |

The account is `groupId` of a group call, else `context.groupId`, else `groupId`, else `user:ID`. `time` is the sender's timestamp moved by
the difference between the sender's clock (`sentAt`) and ours; `originaltime` is the timestamp as sent.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from common.contracts.diagnosis import NO_ORIGINAL_TIME, Limits, read_object
from common.contracts.instants import read, text_of
from common.contracts.refusals import Code, Refusal

CALLS = ("track", "identify", "group", "page", "screen", "alias")
DEFAULT_SOURCE = "segment"
SIGN_IN = "Signed In"
# Members that say how a call travelled, not what happened: a retry may carry others.
_TRANSPORT = frozenset({"sentAt", "writeKey", "_metadata", "receivedAt"})

Members = dict[str, msgspec.Raw]


@dataclass(frozen=True, slots=True)
class Envelope:
    """What holds for all calls of a request."""

    source: str
    received_at: datetime
    sent_at: datetime | None
    context: Mapping[str, Any]
    integrations: Mapping[str, Any]


def event_of(item: bytes, call: str | None, envelope: Envelope, limits: Limits) -> bytes | Refusal:
    """Return the event that a call is. `call` comes from the path; without it the item's own `type` decides."""
    members = read_object(item, limits)
    if isinstance(members, Refusal):
        return members
    call = call or _text(members, "type")
    if call not in CALLS:
        return Refusal(Code.TYPE_UNKNOWN, f"`type` must be one of {', '.join(CALLS)}, not {str(call)[:40]!r}")
    context = _merged(envelope.context, members, "context")
    integrations = _merged(envelope.integrations, members, "integrations")
    person = _identifier(members, "userId") or _identifier(members, "anonymousId")
    if person is None:
        return Refusal(Code.NO_USER_ANON_ID, "a call needs `userId` or `anonymousId`")
    said = _said(call, members, context, person)
    if isinstance(said, Refusal):
        return said
    event_type, account, data = said
    data |= {"context": context} if context else {}
    data |= {"integrations": integrations} if integrations else {}
    anonymous = _identifier(members, "anonymousId")
    if anonymous is not None and anonymous != person:
        data["anonymous_id"] = anonymous
    time, original = _times(members, envelope)
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": _identifier(members, "messageId") or _fingerprint(members),
            "source": envelope.source,
            "type": event_type,
            "subject": account,
            "time": time,
            "originaltime": original,
            "data": data,
        }
    )


def corrected(original: datetime, sent_at: datetime | None, received_at: datetime) -> datetime:
    """Move a sender's instant onto our clock: `received_at - (sent_at - original)`; as it is without `sent_at`.

    An instant that leaves the calendar is returned unmoved, for validation to refuse.
    """
    if sent_at is None:
        return original
    try:
        return (received_at - (sent_at - original)).astimezone(UTC)
    except OverflowError:
        return original


def is_call(item: bytes, limits: Limits) -> bool:
    """Tell whether a refused item is one of Segment's calls and not a CloudEvent."""
    members = read_object(item, limits)
    return (
        not isinstance(members, Refusal) and "specversion" not in members and _text(members, "type") in CALLS
    )


def _said(
    call: str, members: Members, context: Mapping[str, Any], person: str
) -> tuple[str, str, dict[str, Any]] | Refusal:
    """Return type, account and data of a call."""
    data: dict[str, Any] = {"user": person}
    account = _account(members, context, person)
    if call == "identify":
        return "user.updated", account, data | _kept(members, "traits", {})
    if call == "group":
        group = _identifier(members, "groupId")
        if group is None:
            return Refusal(Code.GROUP_ID_MISSING, "a group call needs `groupId`")
        return "account.updated", group, data | _kept(members, "traits", {})
    if call == "alias":
        previous = _identifier(members, "previousId")
        if previous is None or _identifier(members, "userId") is None:
            return Refusal(Code.PREVIOUS_ID_MISSING, "an alias call needs `previousId` and `userId`")
        return "user.aliased", account, data | {"previous_id": previous}
    if call in ("page", "screen"):
        kept = {**_kept(members, "name"), **_kept(members, "category"), **_kept(members, "properties", {})}
        return f"{call}.viewed", account, data | kept
    name = _text(members, "event")
    if not name:
        return Refusal(Code.EVENT_NAME_MISSING, "a track call needs `event`, the name of what happened")
    properties = _kept(members, "properties", {})
    if name == SIGN_IN:
        return "user.logged_in", account, data | properties
    value = _number(members.get("properties"))
    return (
        "feature.used",
        account,
        data | {"feature": name} | ({"value": value} if value else {}) | properties,
    )


def _account(members: Members, context: Mapping[str, Any], person: str) -> str:
    group = context.get("groupId")
    if group is None:
        return _identifier(members, "groupId") or f"user:{person}"
    return _identifier({"groupId": group}, "groupId") or f"user:{person}"


def _times(members: Members, envelope: Envelope) -> tuple[str, str]:
    """Return `time` and `originaltime`. A timestamp that can't be read stays as it is, for validation to refuse."""
    raw = members.get("timestamp", members.get("originalTimestamp"))
    if raw is None or bytes(raw) == b"null":
        return text_of(envelope.received_at), NO_ORIGINAL_TIME
    original = _string(raw)
    if original is None:
        return bytes(raw)[:64].decode(errors="replace"), NO_ORIGINAL_TIME
    found = read(original)
    if isinstance(found, Refusal):
        return original, original
    try:
        return text_of(corrected(found, envelope.sent_at, envelope.received_at)), original
    except OverflowError:
        return original, original


def sent_at_of(raw: bytes | None) -> datetime | None:
    """Return the sender's clock at sending, or None where it says nothing usable."""
    text = _string(raw) if raw is not None else None
    found = read(text) if text is not None else None
    return found if isinstance(found, datetime) else None


def object_of(raw: bytes | msgspec.Raw | None) -> Members:
    """Return the members of a JSON object, none where it is something else."""
    if raw is None or bytes(raw)[:1] != b"{":
        return {}
    return msgspec.json.decode(raw, type=Members)


def _merged(outer: Mapping[str, Any], members: Members, name: str) -> Members:
    return {**outer, **object_of(members.get(name))}


def _kept(members: Members, name: str, default: Any = None) -> dict[str, Any]:
    raw = members.get(name)
    if raw is None or bytes(raw) == b"null":
        return {} if default is None else {name: default}
    return {name: raw}


def _identifier(members: Mapping[str, msgspec.Raw], name: str) -> str | None:
    """Return an identifier as text; whole numbers are written out, as the SDKs do. None where there is none."""
    raw = members.get(name)
    if raw is None:
        return None
    text = _string(raw)
    if text is None and bytes(raw).isdigit():
        text = bytes(raw).decode()
    return text or None


def _text(members: Mapping[str, msgspec.Raw], name: str) -> str | None:
    raw = members.get(name)
    return None if raw is None else _string(raw)


def _string(raw: bytes | msgspec.Raw) -> str | None:
    try:
        return msgspec.json.decode(raw, type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _number(properties: msgspec.Raw | None) -> msgspec.Raw | None:
    raw = object_of(properties).get("value")
    return raw if raw is not None and bytes(raw)[:1] in b"-0123456789" else None


def _fingerprint(members: Members) -> str:
    """Identify a call that has no `messageId` by what it says."""
    said = {name: raw for name, raw in members.items() if name not in _TRANSPORT}
    return "sha256-" + hashlib.sha256(msgspec.json.encode(said)).hexdigest()
