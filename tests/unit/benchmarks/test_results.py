"""A wrong answer is no number, and an aim that is not met is said."""

from pathlib import Path

import msgspec
from benchmarks.events import Input, World, lines
from benchmarks.packing import packed
from benchmarks.peers.programs.layout import HEAD
from benchmarks.peers.records import records
from benchmarks.results import Aim, Result

from common.contracts.record import unpack_events


def test_a_row_with_a_wrong_answer_shows_no_figure() -> None:
    result = Result(
        "peers", "10 events", {"events/s": 4711}, [Aim("times", 2, 3, at_least=True)], ["a cell differs"]
    )
    assert "4711" not in result.row()
    assert "WRONG: a cell differs" in result.row()
    assert result.as_json()["right"] is False


def test_an_aim_that_is_not_met_is_said() -> None:
    assert "not met" in Result("peers", "", aims=[Aim("times", 2, 1.9, at_least=True)]).row()


def test_packed_records_hold_every_event_once_and_in_order_of_its_account() -> None:
    told = [line.rstrip() for line in lines(2_000, World(accounts=50), seed=1)]
    found = [
        bytes(body)
        for record in packed("t", told, 7)
        for body in unpack_events(record.value, record.headers).bodies
    ]
    assert sorted(found) == sorted(told)
    of = msgspec.json.Decoder(dict[str, object]).decode
    for account in ("account-00000", "account-00007"):
        assert [b for b in found if of(b)["subject"] == account] == [
            b for b in told if of(b)["subject"] == account
        ]


def test_every_form_of_the_topic_holds_the_same_events(tmp_path: Path) -> None:
    told = list(lines(500, World(accounts=50), seed=2))
    source = tmp_path / "events.ndjson"
    source.write_bytes(b"".join(told))
    given = Input(source, len(told), [], "")
    for form in ("keyed", "single"):
        made = records(given, form, 100, tmp_path)
        assert (made.warm, made.all) == (100, 500)
        content, place, values = made.path.read_bytes(), 0, []
        while place < len(content):
            _, _, key, value, pairs = HEAD.unpack_from(content, place)
            place += HEAD.size
            values.append(content[place + key : place + key + value] + b"\n")
            place += key + value
            for _ in range(pairs):
                name, length = (
                    int.from_bytes(content[place : place + 2], "little"),
                    int.from_bytes(content[place + 2 : place + 4], "little"),
                )
                place += 4 + name + length
        assert sorted(values) == sorted(told), form
