"""What the loader does after ingest has answered."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwether.load.answers import (
    LONGEST_WAIT_SECONDS,
    Again,
    Delivered,
    Halve,
    Refusal,
    Stop,
    Verdict,
    judge,
)

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def judged(status: int, body: object = None, *, retry_after: str | None = None, events: int = 500) -> Verdict:
    return judge(status, retry_after, json.dumps(body).encode(), events=events, now=NOW)


def problem(code: str) -> dict[str, str]:
    return {"code": code, "message": "said in words"}


def test_a_2xx_names_what_was_accepted_and_what_was_refused() -> None:
    refused = {"index": 3, "id": "a", "code": "type-missing", "message": "say its type"}
    assert judged(200, {"accepted": 499, "rejected": [refused]}) == Delivered(
        499, (Refusal(3, "type-missing", "say its type"),)
    )


def test_a_400_with_single_refusals_is_an_answer_to_each_event() -> None:
    refused = {"index": 0, "code": "id-missing", "message": "m"}
    assert judged(400, {"accepted": 0, "rejected": [refused]}, events=1) == Delivered(
        0, (Refusal(0, "id-missing", "m"),)
    )


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: int) -> None:
    verdict = judged(status, problem("busy"), retry_after="3")
    assert isinstance(verdict, Again)
    assert verdict.after_seconds == 3.0
    assert "said in words" in verdict.reason


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_refused_as_a_whole_is_halved(status: int) -> None:
    assert judged(status, problem("body-too-large")) == Halve()


def test_a_single_event_refused_as_a_whole_is_refused() -> None:
    assert judged(413, problem("body-too-large"), events=1) == Delivered(
        0, (Refusal(0, "body-too-large", "said in words"),)
    )


@pytest.mark.parametrize("status", [401, 403, 404, 405, 301])
def test_what_no_event_would_pass_ends_the_load(status: int) -> None:
    assert isinstance(judged(status, problem("key-invalid")), Stop)


def test_a_200_of_another_kind_of_server_is_not_taken_for_an_acknowledgement() -> None:
    assert isinstance(judged(200, {"hello": "world"}), Stop)
    assert isinstance(judged(200, {"accepted": 1}), Stop)


def test_segments_success_is_an_acknowledgement_of_everything_at_its_own_door_only() -> None:
    success = b'{"success":true}'
    assert judge(200, None, success, events=7, now=NOW, segment=True) == Delivered(7, ())
    assert isinstance(judge(200, None, success, events=7, now=NOW), Stop)
    assert isinstance(judge(200, None, b'{"success":false}', events=7, now=NOW, segment=True), Stop)


def test_retry_after_may_be_a_date() -> None:
    verdict = judged(503, retry_after=format_datetime(NOW + timedelta(seconds=7), usegmt=True))
    assert verdict == Again(7.0, "ingest answered 503")


@given(st.text(max_size=30))
def test_no_header_makes_it_wait_longer_than_the_bound_or_less_than_nothing(header: str) -> None:
    verdict = judged(503, retry_after=header)
    assert isinstance(verdict, Again)
    assert verdict.after_seconds is None or 0 <= verdict.after_seconds <= LONGEST_WAIT_SECONDS


@given(st.integers(100, 599), st.binary(max_size=200), st.integers(1, 500))
def test_every_answer_has_a_verdict_and_none_counts_more_than_it_says(
    status: int, body: bytes, events: int
) -> None:
    verdict = judge(status, None, body, events=events, now=NOW)
    assert isinstance(verdict, Again | Halve | Stop | Delivered)
    if isinstance(verdict, Halve):
        assert events > 1
