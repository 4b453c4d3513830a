"""Cutting a body into its items without losing a byte of any."""

import re
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from common.contracts.nesting import depth_of
from common.errors import Rejected
from ingest.domain.validation import Item

_WHITESPACE = b" \t\r\n"
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]', re.DOTALL)
_MEMBER = re.compile(rb'"([^"\\]*)"\s*:\s*(.*)', re.DOTALL)
# A decoder recurses once a level; this is far below what any stack holds.
_MAX_BODY_DEPTH = 400
# Cutting a body that is not JSON takes Python a step per token, so it is done for bodies of ordinary size only.
_MAX_MENDED_BYTES = 1024 * 1024
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_one = msgspec.json.Decoder(msgspec.Raw).decode


class Shape(StrEnum):
    """How the items of a body are laid out."""

    ONE = "one"
    ARRAY = "array"
    EITHER = "either"
    LINES = "lines"


class TooMany(Rejected):
    """More items, or more elements, than one request may hold (HTTP 413)."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The items of a body in order, and the depth of the whole, which bounds theirs."""

    items: list[Item]
    depth: int


def cut(body: bytes, shape: Shape, max_items: int) -> Cut:
    """Cut a body into items; raises Rejected when it has no items to speak of, TooMany when it has more than `max_items`."""
    if shape is Shape.LINES:
        return _lines(body, max_items)
    start = body[:64].lstrip(_WHITESPACE)[:1] or body.lstrip(_WHITESPACE)[:1]
    if not start:
        raise Rejected("body-empty", "the body is empty; an empty batch is []")
    depth = depth_of(body)
    if depth > _MAX_BODY_DEPTH:
        raise Rejected("nesting-too-deep", f"the body nests deeper than {_MAX_BODY_DEPTH} levels")
    if shape is Shape.ARRAY and start != b"[":
        raise Rejected("batch-not-array", "a batch is a JSON array of events")
    if start == b"[" and shape is not Shape.ONE:
        return Cut(_array(body, max_items), depth)
    return Cut([_one(body)], depth)


def members_of(body: bytes) -> dict[str, bytes]:
    """Return the members of one JSON object, values as sent, even when some value inside is not JSON; raises Rejected."""
    if depth_of(body) > _MAX_BODY_DEPTH:
        raise Rejected("nesting-too-deep", f"the body nests deeper than {_MAX_BODY_DEPTH} levels")
    try:
        found = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError as error:
        raise Rejected("not-an-object", "the body must be a JSON object") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        mended = _mended_members(body)
        if mended is None:
            raise Rejected("invalid-json", f"the body is not JSON: {error}") from error
        return mended
    return {name: bytes(raw) for name, raw in found.items()}


def _mended_members(body: bytes) -> dict[str, bytes] | None:
    pieces = (
        _pieces(body) if len(body) <= _MAX_MENDED_BYTES and body.lstrip(_WHITESPACE)[:1] == b"{" else None
    )
    members = [_MEMBER.fullmatch(piece) for piece in pieces or [b""]]
    if not all(members):
        return None
    return {found[1].decode(errors="replace"): found[2] for found in members if found}


def _one(body: bytes) -> Item:
    try:
        return _decode_one(body)
    except (msgspec.DecodeError, RecursionError):
        return body.strip(_WHITESPACE)


def _array(body: bytes, max_items: int) -> list[Item]:
    # Each element costs memory before it can be counted, so commas are counted first: an event of ordinary size has about ten.
    max_commas = max_items * 40
    if len(body) > max_commas and body.count(b",") > max_commas:
        raise TooMany("too-many-elements", f"the body has more than {max_commas} elements; send less at once")
    items: list[Item]
    try:
        items = list(_decode_list(body))
    except (msgspec.DecodeError, RecursionError) as error:
        items = list(_mended(body, error))
    if len(items) > max_items:
        raise TooMany("too-many-events", f"{len(items)} events in one request; {max_items} are accepted")
    return items


def _mended(body: bytes, error: Exception) -> list[bytes]:
    """Cut an array whose items aren't all JSON, so that a bad one does not take its neighbours with it."""
    pieces = _pieces(body) if len(body) <= _MAX_MENDED_BYTES else None
    if pieces is None:
        raise Rejected("invalid-json", f"the body is not JSON: {error}") from error
    return pieces


def _pieces(body: bytes) -> list[bytes] | None:
    """Return the elements of the outermost container, or None when brackets don't pair."""
    pieces: list[bytes] = []
    depth, since = 0, 0
    closed_at: int | None = None
    for token in _TOKEN.finditer(body):
        character = body[token.start()]
        if closed_at is not None:
            return None
        if character in b"[{":
            depth += 1
            since = token.end() if depth == 1 else since
        elif character in b"]}":
            depth -= 1
            if depth == 0:
                pieces.append(body[since : token.start()].strip(_WHITESPACE))
                closed_at = token.end()
        elif character == ord(",") and depth == 1:
            pieces.append(body[since : token.start()].strip(_WHITESPACE))
            since = token.end()
    whole = closed_at is not None and not body[closed_at:].strip(_WHITESPACE)
    return pieces if whole else None


def _lines(body: bytes, max_items: int) -> Cut:
    if body.count(b"\n") > max_items * 4:
        raise TooMany("too-many-events", f"{body.count(10)} lines in one request; {max_items} are accepted")
    items: list[Item] = [line for raw in body.split(b"\n") if (line := raw.strip(_WHITESPACE))]
    if len(items) > max_items:
        raise TooMany("too-many-events", f"{len(items)} events in one request; {max_items} are accepted")
    # Each line is bounded on its own: the depth of a line is at most that of all lines together.
    return Cut(items, depth_of(body))
