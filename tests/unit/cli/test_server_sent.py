"""Reading an event stream."""

from hypothesis import given
from hypothesis import strategies as st

from bellwether.commands.tail import fate_line, fates
from bellwether.server_sent import Message, messages

LINE = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.tuples(st.lists(LINE, min_size=1, max_size=3), LINE), max_size=10))
def test_what_a_server_writes_is_read_again(written: list[tuple[list[str], str]]) -> None:
    lines: list[str] = []
    for data, identity in written:
        lines += [": a comment", f"id: {identity}", *(f"data: {part}" for part in data), ""]
    assert list(messages(lines)) == [
        Message("message", "\n".join(data), identity) for data, identity in written
    ]


def test_an_event_without_data_is_none_and_a_half_one_is_not_told() -> None:
    assert list(messages(["event: ping", "", "data: half"])) == []


def test_the_last_id_stays_until_another_comes() -> None:
    found = list(messages(["id: 7", "data: a", "", "event: x", "data: b", ""], last_id="3"))
    assert [(m.event, m.id) for m in found] == [("message", "7"), ("x", "7")]


def test_fates_come_alone_or_in_lists_and_other_messages_are_none() -> None:
    assert list(fates(Message("m", '{"fate":"late"}', ""))) == [{"fate": "late"}]
    assert list(fates(Message("m", '[{"fate":"late"},{"fate":"accepted"}]', ""))) == [
        {"fate": "late"},
        {"fate": "accepted"},
    ]
    assert list(fates(Message("reset", "{}", ""))) == []


def test_a_refused_event_is_shown_with_its_reason() -> None:
    line = fate_line(
        {"at": "2026-01-02T03:04:05.678Z", "fate": "rejected", "code": "time-future", "message": "too far on"}
    )
    assert "03:04:05.678" in line.plain
    assert "too far on (time-future)" in line.plain
