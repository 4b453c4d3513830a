"""Raw events come out of a chunk as they went in."""

import json

from hypothesis import given
from hypothesis import strategies as st

from common.contracts.bodies import pack_bodies, unpack_bodies

DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
EVENTS = st.builds(
    lambda data, indent: json.dumps({"data": data}, indent=indent).encode(), DATA, st.none() | st.just(1)
)


@given(st.lists(EVENTS, min_size=1, max_size=6))
def test_every_event_comes_out_in_its_place_and_means_what_it_meant(events: list[bytes]) -> None:
    unpacked = unpack_bodies(pack_bodies(events))
    assert [json.loads(body) for body in unpacked] == [json.loads(body) for body in events]


@given(st.lists(EVENTS.filter(lambda body: b"\n" not in body), min_size=1, max_size=6))
def test_events_on_one_line_keep_every_byte(events: list[bytes]) -> None:
    assert unpack_bodies(pack_bodies(events)) == events


def test_lines_of_older_chunks_are_read_as_they_are() -> None:
    assert unpack_bodies(b'{"id":"a"}\n{"id":"b"}') == [b'{"id":"a"}', b'{"id":"b"}']
