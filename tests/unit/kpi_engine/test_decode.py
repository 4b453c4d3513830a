"""From records to columns: order kept, what can't be read set aside with its reason."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.contracts.record import PackedEvents
from kpi_engine.domain.decode import Decoded, Decoder, about_of

STAMP_US = 1_770_000_000_000_000


def body(**changes: object) -> msgspec.Raw:
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "app",
        "type": "x",
        "subject": "acme",
        "time": "2026-01-01T00:00:00Z",
    }
    return msgspec.Raw(msgspec.json.encode(event | changes))


def decode(*bodies: msgspec.Raw) -> Decoded:
    decoder = Decoder()
    decoder.add("t", 0, 7, PackedEvents("tenant", STAMP_US, list(bodies)))
    return decoder.finish()


def test_events_keep_their_order_and_their_place() -> None:
    columns = decode(body(id="a"), body(id="b", data={"user": "u"})).tenants["tenant"]
    assert columns.ids == ["a", "b"]
    assert [columns.place(i).index for i in range(2)] == [0, 1]
    assert columns.users == [None, "u"]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (msgspec.Raw(b"{}"), "event-unreadable"),
        (msgspec.Raw(b'{"id":1}'), "event-unreadable"),
        (msgspec.Raw(b"\x00\xff"), "event-unreadable"),
        (body(time="yesterday"), "event-unreadable"),
        (body(time="2026-01-01T00:00:00"), "event-unreadable"),
        (body(time="0001-01-01T00:00:00Z"), "event-time-range"),
        (body(time="9999-01-01T00:00:00Z"), "event-time-range"),
        (body(id="a\0b"), "event-nul"),
        (body(data={"user": 5}), "event-unreadable"),
    ],
)
def test_what_cannot_be_read_is_set_aside_and_its_neighbours_count(bad: msgspec.Raw, code: str) -> None:
    out = decode(body(id="a"), bad, body(id="b"))
    assert out.tenants["tenant"].ids == ["a", "b"]
    assert [(p.code, p.place.index, p.tenant) for p in out.poisoned] == [(code, 1, "tenant")]


@given(st.binary(max_size=200))
def test_anything_can_be_described_without_harm(junk: bytes) -> None:
    about = about_of(junk)
    assert "\0" not in (about.id or "")
