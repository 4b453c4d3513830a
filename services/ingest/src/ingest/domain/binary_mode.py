"""CloudEvents binary mode: attributes in `ce-` headers, data in the body."""

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

import msgspec

from common.contracts.diagnosis import Limits
from common.contracts.nesting import depth_of
from common.contracts.refusals import Code, Refusal

_PREFIX = b"ce-"
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


def event_of(
    headers: Iterable[tuple[bytes, bytes]], media: str, body: bytes, limits: Limits
) -> bytes | Refusal:
    """Return the structured event that headers and body say, or why they say none."""
    attributes: dict[str, str | msgspec.Raw] = {}
    for name, value in headers:
        if not name.startswith(_PREFIX):
            continue
        attribute = name[len(_PREFIX) :].decode("latin-1")
        if attribute in ("data", "data_base64", "datacontenttype"):
            return Refusal(
                Code.DATA_NOT_JSON, f"`ce-{attribute}` is no attribute header; data goes in the body"
            )
        text = _decoded(value)
        if text is None:
            return Refusal(Code.INVALID_UTF8, f"the header `ce-{attribute}` is not percent-encoded UTF-8")
        attributes[attribute] = text
    if body:
        if not _is_json(media):
            return Refusal(
                Code.DATA_NOT_JSON, f"data of type {media[:60]!r} is not read; send application/json"
            )
        # Checked before it is put inside an object, so that it can't end there and add attributes of its own.
        if depth_of(body) > limits.depth:
            return Refusal(Code.NESTING_TOO_DEEP, f"the data nests deeper than {limits.depth} levels")
        try:
            attributes["data"] = msgspec.json.decode(body, type=msgspec.Raw)
        except (msgspec.DecodeError, RecursionError) as error:
            return Refusal(Code.DATA_NOT_JSON, f"the data is not JSON: {error}")
    return msgspec.json.encode(attributes)


def _is_json(media: str) -> bool:
    media = media.partition(";")[0].strip().lower()
    return media == "application/json" or (media.startswith("application/") and media.endswith("+json"))


def _decoded(value: bytes) -> str | None:
    """Undo quoting, then one round of percent-encoding, as the HTTP binding says."""
    text = value.decode("latin-1").strip()
    quoted = _QUOTED.fullmatch(text)
    if quoted:
        text = re.sub(r"\\(.)", r"\1", quoted[1])
    try:
        return unquote_to_bytes(text.encode("latin-1")).decode()
    except UnicodeDecodeError:
        return None
