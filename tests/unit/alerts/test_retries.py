"""When a failed delivery is tried again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.domain.retries import MAX_ATTEMPTS, MAX_RETRY_AFTER, WAITS, next_attempt_at, parse_retry_after

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
delays = st.one_of(st.none(), st.integers(0, 10_000_000).map(lambda s: timedelta(seconds=s)))


@given(st.integers(1, MAX_ATTEMPTS + 5), delays, st.floats(0, 1, exclude_max=True))
def test_never_earlier_than_the_schedule_nor_than_asked_and_never_for_ever(
    attempts: int, retry_after: timedelta | None, jitter: float
) -> None:
    at = next_attempt_at(attempts, NOW, retry_after, jitter)
    if attempts >= MAX_ATTEMPTS:
        assert at is None
        return
    assert at is not None
    wait = WAITS[attempts - 1]
    assert at - NOW >= max(wait, min(retry_after or timedelta(0), MAX_RETRY_AFTER))
    assert at - NOW <= max(wait * 1.1, MAX_RETRY_AFTER)


def test_the_schedule_is_the_published_one() -> None:
    hours = [wait.total_seconds() / 3600 for wait in WAITS[3:]]
    assert [wait.total_seconds() for wait in WAITS[:3]] == [5, 300, 1800]
    assert hours == [2, 5, 10, 14, 20, 24]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 0),
        ("Mon, 02 Mar 2026 12:05:00 GMT", 300),
        ("Mon, 02 Mar 2026 11:00:00 GMT", 0),
        ("99999999999999999999", 86_400),
        ("Mon, 02 Mar 2099 12:05:00 GMT", 86_400),
    ],
)
def test_both_forms_of_retry_after_are_understood(value: str, seconds: int) -> None:
    assert parse_retry_after(value, NOW) == timedelta(seconds=seconds)


@given(st.one_of(st.none(), st.text()))
def test_whatever_a_receiver_writes_there_it_is_harmless(value: str | None) -> None:
    understood = parse_retry_after(value, NOW)
    assert understood is None or timedelta(0) <= understood <= MAX_RETRY_AFTER
