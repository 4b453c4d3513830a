"""What is done every so often, whatever happens to the clock."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from common.clock import Every

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
SPAN = timedelta(seconds=2)


@given(st.lists(st.integers(0, 5_000), max_size=30))
def test_what_is_due_every_so_often_is_so_once_a_span(milliseconds: list[int]) -> None:
    every, now, last = Every(SPAN, NOW), NOW, NOW
    for step in milliseconds:
        now += timedelta(milliseconds=step)
        due = every.is_due(now)
        assert due == (now - last >= SPAN)
        last = now if due else last


def test_a_clock_that_is_set_back_holds_nothing_up() -> None:
    every, before = Every(SPAN, NOW), NOW - timedelta(hours=1)
    assert every.is_due(before)
    assert not every.is_due(before + SPAN / 2)
    assert every.is_due(before + SPAN)
