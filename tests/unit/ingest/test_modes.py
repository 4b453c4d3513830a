"""Content types, and CloudEvents in headers."""

from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.ingest.events import LIMITS

from common.contracts.refusals import Code, Refusal
from ingest.domain.binary_mode import event_of
from ingest.domain.media import MediaUnknown, Mode, mode_of

HEADERS = [
    (b"ce-specversion", b"1.0"),
    (b"ce-id", b"1"),
    (b"ce-source", b"/crm"),
    (b"ce-type", b"page.opened"),
    (b"ce-subject", b"acme"),
]


def decoded(found: bytes | Refusal) -> Any:
    assert isinstance(found, bytes)
    return msgspec.json.decode(found)


@pytest.mark.parametrize(
    ("content_type", "mode"),
    [
        (b"application/cloudevents+json", Mode.STRUCTURED),
        (b"Application/CloudEvents+JSON; charset=utf-8", Mode.STRUCTURED),
        (b"application/cloudevents-batch+json", Mode.BATCHED),
        (b"application/json", Mode.JSON),
        (b'application/json; charset="UTF-8"', Mode.JSON),
        (b"application/x-ndjson", Mode.LINES),
    ],
)
def test_the_content_type_tells_the_mode(content_type: bytes, mode: Mode) -> None:
    assert mode_of({b"content-type": content_type}) == mode


def test_events_in_headers_are_told_by_their_headers() -> None:
    assert mode_of({**dict(HEADERS), b"content-type": b"application/json"}) == Mode.BINARY
    assert mode_of({**dict(HEADERS), b"content-type": b"application/cloudevents+json"}) == Mode.STRUCTURED


@pytest.mark.parametrize(
    "content_type",
    [
        b"",
        b"text/plain",
        b"application/xml",
        b"application/cloudevents+avro",
        b"application/cloudevents-batch+xml",
        b"application/json; charset=utf-16",
        b"\xff\xfe",
    ],
)
def test_other_content_types_are_unknown(content_type: bytes) -> None:
    with pytest.raises(MediaUnknown):
        mode_of({b"content-type": content_type})


def test_headers_and_body_make_an_event() -> None:
    found = event_of(
        [*HEADERS, (b"ce-trace", b"x"), (b"host", b"h")], "application/json", b'{"user": "ann"}', LIMITS
    )
    assert decoded(found) == {
        "specversion": "1.0",
        "id": "1",
        "source": "/crm",
        "type": "page.opened",
        "subject": "acme",
        "trace": "x",
        "data": {"user": "ann"},
    }


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_any_text_survives_a_header(text: str) -> None:
    value = quote(text, safe=" !#$&'()*+,-./:;<=>?@[]^_`{|}~").encode()
    found = decoded(
        event_of([*HEADERS[:-1], (b"ce-subject", b'"' + value + b'"')], "application/json", b"{}", LIMITS)
    )
    assert found["subject"] == text


def test_the_body_cannot_add_attributes() -> None:
    found = event_of(HEADERS, "application/json", b'{},"subject":"victim"', LIMITS)
    assert isinstance(found, Refusal)
    assert found.code == Code.DATA_NOT_JSON


@pytest.mark.parametrize(
    ("headers", "media", "body", "code"),
    [
        ([*HEADERS, (b"ce-subject", b"%ff")], "application/json", b"{}", Code.INVALID_UTF8),
        (
            [*HEADERS, (b"ce-datacontenttype", b"application/json")],
            "application/json",
            b"{}",
            Code.DATA_NOT_JSON,
        ),
        (HEADERS, "text/xml", b"<a/>", Code.DATA_NOT_JSON),
        (HEADERS, "application/json", b"[" * 100_000, Code.NESTING_TOO_DEEP),
    ],
)
def test_what_is_wrong_in_headers_or_body_is_named(
    headers: list[tuple[bytes, bytes]], media: str, body: bytes, code: Code
) -> None:
    found = event_of(headers, media, body, LIMITS)
    assert isinstance(found, Refusal)
    assert found.code == code
