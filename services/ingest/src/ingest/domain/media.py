"""Which mode a request to `/v1/events` is in: CloudEvents structured, batched or binary, plain JSON, or lines."""

from collections.abc import Mapping
from enum import StrEnum

from common.errors import Rejected
from ingest.domain.items import Shape

_REQUIRED = (b"ce-id", b"ce-source", b"ce-specversion", b"ce-type")


class Mode(StrEnum):
    """How a request carries its events; a metric label."""

    STRUCTURED = "structured"
    BATCHED = "batched"
    BINARY = "binary"
    JSON = "json"
    LINES = "lines"

    @property
    def shape(self) -> Shape:
        return _SHAPES[self]


_SHAPES = {
    Mode.STRUCTURED: Shape.ONE,
    Mode.BATCHED: Shape.ARRAY,
    Mode.BINARY: Shape.ONE,
    Mode.JSON: Shape.EITHER,
    Mode.LINES: Shape.LINES,
}


class MediaUnknown(Rejected):
    """A content type that ingest does not read (HTTP 415)."""


def mode_of(headers: Mapping[bytes, bytes]) -> Mode:
    """Tell the mode from the headers (names in lower case); raises MediaUnknown."""
    media, _, parameters = headers.get(b"content-type", b"").decode("latin-1").partition(";")
    media = media.strip().lower()
    _check_charset(parameters)
    # The longer prefix first: every batch is a CloudEvents type too.
    if media.startswith("application/cloudevents-batch"):
        return _json_format(media, "application/cloudevents-batch", Mode.BATCHED)
    if media.startswith("application/cloudevents"):
        return _json_format(media, "application/cloudevents", Mode.STRUCTURED)
    if all(name in headers for name in _REQUIRED):
        return Mode.BINARY
    if media == "application/json":
        return Mode.JSON
    if media in ("application/x-ndjson", "application/ndjson", "application/jsonl"):
        return Mode.LINES
    raise MediaUnknown(
        "media-type-unknown",
        f"Content-Type {media[:60]!r} is not read; send application/json, application/x-ndjson, "
        "application/cloudevents+json, application/cloudevents-batch+json, or CloudEvents in ce- headers",
    )


def _json_format(media: str, prefix: str, mode: Mode) -> Mode:
    if media.removeprefix(prefix) in ("", "+json"):
        return mode
    raise MediaUnknown("media-type-unknown", f"of CloudEvents formats only JSON is read, not {media[:60]!r}")


def _check_charset(parameters: str) -> None:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in (
            "utf-8",
            "utf8",
            "us-ascii",
        ):
            raise MediaUnknown("charset-unknown", "JSON is read in UTF-8 only")
