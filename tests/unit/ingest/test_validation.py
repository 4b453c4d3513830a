"""Verdicts on events: the quick look and the slow one agree, and each reason is named."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.ingest.events import LIMITS, encoded, event, members, types, window

from common.contracts.diagnosis import Limits, Passed, examine
from common.contracts.refusals import Code, Refusal
from ingest.domain.validation import Text, Verdicts, judge, text_of


class OnePartition(dict[str, int]):
    def __missing__(self, account: str) -> int:
        return 0


def judged(body: bytes, limits: Limits = LIMITS) -> Verdicts:
    return judge([body], text_of(body, 3), window(), limits, types(), OnePartition())


def code_of(body: bytes, limits: Limits = LIMITS) -> Code | None:
    rejected = judged(body, limits).rejected
    return rejected[0].refusal.code if rejected else None


def published(body: bytes) -> dict[str, Any]:
    found = judged(body).by_partition[0][0]
    decoded = msgspec.json.decode(bytes(found))
    assert isinstance(decoded, dict)
    return decoded


@settings(max_examples=400, deadline=None)
@given(members())
def test_the_quick_look_accepts_nothing_that_the_slow_one_refuses_and_changes_no_byte(
    made: dict[str, Any],
) -> None:
    body = msgspec.json.encode(made)
    quick = judge(
        [body], Text(utf8=True, escapes=b"\\u" in body, depth=3), window(), LIMITS, types(), OnePartition()
    )
    slow = examine(body, window(), LIMITS, types())
    if isinstance(slow, Refusal):
        assert [r.refusal for r in quick.rejected] == [slow]
    else:
        assert quick.accepted == 1
        assert bytes(quick.by_partition[0][0]) == slow.body


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.builds(event), members()), max_size=5), st.booleans())
def test_items_are_judged_together_as_each_on_its_own(made: list[dict[str, Any]], escaped: bool) -> None:
    bodies = [(json.dumps(one).encode() if escaped else msgspec.json.encode(one)) for one in made]
    together = judge(bodies, text_of(b",".join(bodies), 3), window(), LIMITS, types(), OnePartition())
    alone = [examine(body, window(), LIMITS, types()) for body in bodies]
    assert together.by_partition.get(0, []) == [one.body for one in alone if isinstance(one, Passed)]
    assert [(r.index, r.refusal) for r in together.rejected] == [
        (index, one) for index, one in enumerate(alone) if isinstance(one, Refusal)
    ]


@given(st.text(max_size=6), st.sampled_from(["id", "source", "type", "subject"]))
def test_a_body_in_which_no_control_character_was_seen_has_none(text: str, name: str) -> None:
    body = encoded(**{name: text})
    if not text_of(body, 1).controls:
        assert not any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F for c in text)


def test_a_valid_event_is_published_byte_for_byte() -> None:
    body = b'  {"specversion" : "1.0","id":"1","source":"s","type":"t","subject":"a","time":"2026-11-21T17:00:00+01:00","data":{"n":1.10,"big":18446744073709551617, "huge":1e400}}'
    assert judged(body).by_partition[0] == [body]


def test_one_bad_event_does_not_touch_its_neighbours() -> None:
    bodies = [encoded(id=str(n)) for n in range(500)]
    bodies[250] = encoded(id="250", subject=None)
    verdicts = judge(bodies, Text(True, False, 3), window(), LIMITS, types(), OnePartition())
    assert verdicts.accepted == 499
    assert [(r.index, r.id, r.refusal.code) for r in verdicts.rejected] == [
        (250, "250", Code.SUBJECT_MISSING)
    ]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"id": None}, Code.ATTRIBUTE_MISSING),
        ({"specversion": None}, Code.ATTRIBUTE_MISSING),
        ({"specversion": "0.3"}, Code.SPECVERSION_UNSUPPORTED),
        ({"source": ""}, Code.ATTRIBUTE_EMPTY),
        ({"type": 5}, Code.ATTRIBUTE_NOT_STRING),
        ({"id": "x" * 257}, Code.ATTRIBUTE_TOO_LONG),
        ({"subject": "a\tb"}, Code.CONTROL_CHARACTER),
        ({"subject": None}, Code.SUBJECT_MISSING),
        ({"id": "a\x00"}, Code.NUL_CHARACTER),
        ({"data": {"note": "\x00"}}, Code.NUL_CHARACTER),
        ({"time": "2026-11-21T17:00:00"}, Code.TIME_WITHOUT_ZONE),
        ({"time": 1763748000000}, Code.TIME_INVALID),
        ({"time": "1763748000000"}, Code.TIME_INVALID),
        ({"time": "2026-11-21T23:59:60Z"}, Code.TIME_INVALID),
        ({"time": "0001-01-01T00:00:00Z"}, Code.TIME_TOO_OLD),
        ({"time": "9999-12-31T23:59:59-14:00"}, Code.TIME_IN_FUTURE),
        ({"time": "2026-11-21T18:05:01Z"}, Code.TIME_IN_FUTURE),
        ({"recordedtime": "2026-11-21T18:05:01Z"}, Code.TIME_IN_FUTURE),
        ({"recordedtime": "soon"}, Code.TIME_INVALID),
        ({"data": [1]}, Code.DATA_NOT_OBJECT),
        ({"data_base64": "aGk="}, Code.DATA_BASE64),
        ({"data": {"user": ""}}, Code.USER_INVALID),
        ({"data": {"user": 7}}, Code.USER_INVALID),
        ({"data": {"user": "a\nb"}}, Code.USER_INVALID),
        ({"data": {str(n): n for n in range(2_001)}}, Code.TOO_MANY_KEYS),
        ({"data": {"text": "x" * 140_000}}, Code.EVENT_TOO_LARGE),
    ],
)
def test_each_fault_has_its_code(changes: dict[str, Any], code: Code) -> None:
    assert code_of(encoded(**changes)) == code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"17", Code.NOT_AN_OBJECT),
        (b'{"id":', Code.INVALID_JSON),
        (b'{"id":NaN}', Code.INVALID_JSON),
        (b'{"id":-Infinity}', Code.INVALID_JSON),
        (b'{"id":"\xff"}', Code.INVALID_UTF8),
        (b'{"id":"\xed\xa0\x80"}', Code.INVALID_UTF8),
        (b'{"id":"\\ud800"}', Code.LONE_SURROGATE),
        (b'{"id":"\\udc00 and \\ud83d"}', Code.LONE_SURROGATE),
        (b'{"data":' + b"[" * 100 + b"]" * 100 + b"}", Code.NESTING_TOO_DEEP),
    ],
)
def test_what_is_not_an_event_has_its_code(body: bytes, code: Code) -> None:
    assert code_of(body) == code


@pytest.mark.parametrize(
    "changes",
    [
        {"time": "2026-11-21T18:05:00Z"},
        {"time": "2000-01-01T00:00:00Z"},
        {"time": "2026-03-29T02:30:00+01:00"},
        {"time": "2026-11-21T12:30:00.123456789-05:30"},
        {"recordedtime": "2026-11-21T17:59:30Z"},
        {"data": {"user": None}},
        {"data": {}},
        {"type": "spend.recorded", "subject": None},
        {"subject": "=cmd|' /C calc'!A0"},
        {"subject": "Łódź 🐑"},
        {"id": "x" * 256},
    ],
)
def test_unusual_but_right_events_are_accepted_as_they_are(changes: dict[str, Any]) -> None:
    body = encoded(**changes)
    assert judged(body).by_partition[0] == [body]


def test_an_escaped_backslash_before_u0000_is_text() -> None:
    assert code_of(encoded(data={"path": "C:\\u0000"})) is None


def test_a_pair_of_surrogates_is_a_character() -> None:
    body = encoded().replace(b'"acme"', b'"\\ud83d\\ude00"')
    assert judged(body).by_partition[0] == [body]


def test_an_event_without_time_gets_the_stamp_and_says_so() -> None:
    assert published(encoded(time=None)) == event(time="2026-11-21T18:00:00.123Z", originaltime="absent")


def test_json_null_stands_for_an_absent_attribute() -> None:
    body = b'{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"a","time":null,"data":null,"recordedtime":null}'
    made = published(body)
    assert "data" not in made
    assert "recordedtime" not in made
    assert made["time"] == "2026-11-21T18:00:00.123Z"


def test_of_a_repeated_key_the_last_counts_for_the_verdict_and_for_readers() -> None:
    body = encoded().replace(b'"id":"e-1"', b'"id":"first","subject":"other","id":"last"')
    passed = examine(body, window(), LIMITS, types())
    assert isinstance(passed, Passed)
    assert passed.account == "acme"
    assert published(body)["id"] == "last"


def test_the_smallest_keys_cannot_slip_past_the_bound() -> None:
    limits = Limits(keys=20)
    body = encoded(data={chr(97 + n): n for n in range(26)})
    assert code_of(body, limits) == Code.TOO_MANY_KEYS
