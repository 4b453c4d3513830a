"""What the supervisor decides about ends and starts."""

import signal

from hypothesis import given
from hypothesis import strategies as st

from bellwether.stack.supervision import (
    FIRST_BACK_OFF_SECONDS,
    MAX_BACK_OFF_SECONDS,
    STEADY_SECONDS,
    Life,
    after_end,
    after_start,
    back_off_seconds,
    describe_end,
    first_life,
)

RETURNCODES = st.integers(-64, 255)


def life_after(ends: list[tuple[float, int]]) -> Life:
    """A process that ran so long and then ended with that code, again and again, started again as soon as it was due."""
    life, now = first_life(0.0), 0.0
    for ran_seconds, returncode in ends:
        life = after_start(life, now)
        now += ran_seconds
        life = after_end(life, returncode, now).life
        now = life.start_at
    return life


@given(st.integers(1, 100_000))
def test_the_back_off_grows_and_is_never_more_than_two_seconds(failures: int) -> None:
    assert (
        FIRST_BACK_OFF_SECONDS
        <= back_off_seconds(failures)
        <= back_off_seconds(failures + 1)
        <= MAX_BACK_OFF_SECONDS
        == 2.0
    )


@given(st.lists(st.tuples(st.floats(0, 100), RETURNCODES), min_size=1, max_size=50))
def test_whatever_happened_before_it_is_started_again_within_two_seconds(
    ends: list[tuple[float, int]],
) -> None:
    life = life_after(ends)
    assert life.is_due(life.start_at)
    restart = after_end(after_start(life, 1000.0), ends[0][1], 1000.5)
    assert 0 < restart.delay_seconds <= 2.0
    assert restart.life.start_at == 1000.5 + restart.delay_seconds


@given(
    st.lists(st.tuples(st.floats(0, 1), RETURNCODES), max_size=20),
    st.floats(STEADY_SECONDS, 1e6),
    RETURNCODES,
)
def test_who_ran_steadily_is_started_again_at_once(
    quick: list[tuple[float, int]], ran: float, code: int
) -> None:
    restart = after_end(after_start(life_after(quick), 0.0), code, ran)
    assert restart.delay_seconds == FIRST_BACK_OFF_SECONDS


def test_nothing_is_due_while_it_runs_or_waits() -> None:
    running = after_start(first_life(0.0), 0.0)
    assert not running.is_due(5.0)
    waiting = after_end(running, 1, 5.0).life
    assert not waiting.is_due(5.05)
    assert waiting.is_due(5.1)


@given(RETURNCODES)
def test_an_end_is_told_in_words(returncode: int) -> None:
    assert str(abs(returncode)) in describe_end(returncode) or signal.Signals(
        -returncode
    ).name in describe_end(returncode)
