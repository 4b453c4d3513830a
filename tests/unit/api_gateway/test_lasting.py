"""An edge is said to have stopped where it has, and not where chance or bad data make it look so."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway.domain.lasting import (
    HELD_WITHIN,
    LOOKS,
    MOST_MISSING,
    LookState,
    Missing,
    PastLook,
    holds_again,
    is_in_doubt,
    stopped,
)
from common.analysis import edges
from common.analysis.panels import PERIODS, Grain
from common.analysis.reading import EVERYTHING

STATES: tuple[LookState, ...] = (*get_args(edges.State), "tracking_broken")
FIRST = date(2024, 1, 1)
DAYS = {"week": 7, "month": 30}
grains = st.sampled_from(sorted(LOOKS))


def looks_of(states: Sequence[LookState], grain: Grain) -> list[PastLook]:
    return [PastLook(FIRST + DAYS[grain] * n * timedelta(days=1), state) for n, state in enumerate(states)]


@st.composite
def stories(draw: st.DrawFn) -> list[LookState]:
    """Stretches of one state each, as looks that overlap have them."""
    state = st.sampled_from((*STATES, "holds", "holds", "stopped", "stopped"))
    stretches = draw(st.lists(st.tuples(state, st.integers(1, 12)), max_size=8))
    return [state for state, times in stretches for _ in range(times)]


def told_plainly(looks: Sequence[PastLook], grain: Grain) -> date | None:
    """The rule again, from its sentence in the documents."""
    runs = [
        (gone, list(its)) for gone, its in groupby(looks, lambda one: one.state in ("stopped", "opposite"))
    ]
    if not runs or not runs[-1][0] or len(runs[-1][1]) < LOOKS[grain]:
        return None
    held = [one.through for one in looks if one.state == "holds"]
    held = [day for day in held if looks[-1].through - day <= HELD_WITHIN]
    return max(held) if len(held) >= LOOKS[grain] else None


@given(stories(), grains)
def test_the_rule_is_what_the_documents_say(states: list[LookState], grain: Grain) -> None:
    looks = looks_of(states, grain)
    assert stopped(looks, grain) == told_plainly(looks, grain)
    since = [one.state for one in looks][-LOOKS[grain] :]
    assert holds_again(looks, grain) == (since == ["holds"] * LOOKS[grain])


@given(
    stories(), grains, st.sampled_from(["too_little_data", "tracking_broken", "not_seen", "shared_events"])
)
def test_what_says_nothing_never_tells_of_an_end(
    states: list[LookState], grain: Grain, nothing: LookState
) -> None:
    """Neither as the latest look, nor by taking the place of looks that found the edge gone."""
    assert stopped(looks_of([*states, nothing], grain), grain) is None
    gone = ("stopped", "opposite")
    assert stopped(looks_of([nothing if one in gone else one for one in states], grain), grain) is None


@given(grains)
def test_what_held_long_ago_is_no_news(grain: Grain) -> None:
    held: list[LookState] = ["holds"] * LOOKS[grain]
    gone: list[LookState] = ["stopped"] * LOOKS[grain]
    year: list[LookState] = ["not_seen"] * (HELD_WITHIN.days // DAYS[grain] + 1)
    assert stopped(looks_of([*held, *gone], grain), grain) is not None
    assert stopped(looks_of([*held, *year, *gone], grain), grain) is None


START, HOUR = datetime(2026, 1, 1, tzinfo=UTC), timedelta(hours=1)
SPAN = 200  # hours
faults = st.lists(
    st.builds(
        lambda types, first, hours: Missing(
            frozenset(types), START + first * HOUR, START + (first + hours) * HOUR
        ),
        st.sets(st.sampled_from("abc"), min_size=1),
        st.integers(-50, SPAN + 50),
        st.integers(0, 40),
    ),
    max_size=6,
)


@given(faults, st.sets(st.sampled_from(["a", "b", EVERYTHING]), min_size=1))
def test_hours_that_are_missing_are_counted_once_each(found: list[Missing], types: set[str]) -> None:
    hit = [one for one in found if EVERYTHING in types or types & one.types]
    hours = [START + n * HOUR for n in range(SPAN)]
    missing = sum(any(one.since <= hour < one.until for one in hit) for hour in hours)
    assert is_in_doubt(found, types, START, START + SPAN * HOUR) == (missing > MOST_MISSING * SPAN)


def states_by_week(seed: int, *, effect: float, ends: int, weeks: int) -> list[LookState]:
    """What the test says at the end of each of so many weeks, of a driver that moves the KPI two weeks later until week `ends` of them."""
    year, rng = PERIODS["week"], np.random.default_rng(seed)
    level = rng.normal(size=(60, year + weeks))
    for week in range(1, year + weeks):
        level[:, week] += 0.8 * level[:, week - 1]
    kpi = rng.normal(size=level.shape)
    kpi[:, 3 : year + ends] += effect * np.diff(level, axis=1)[:, : year + ends - 3]
    driver = 100 * np.exp(0.3 * level)
    windows = [(driver[:, at : at + year], kpi[:, at : at + year]) for at in range(weeks)]
    return [edges.tested(x, y, raises=True, flow=True, lags=6, seed=7, began=None).state for x, y in windows]


def warned_in(states: Sequence[LookState]) -> int | None:
    """The number of looks after which people are told."""
    looks = looks_of(states, "week")
    return next((n for n in range(len(looks) + 1) if stopped(looks[:n], "week")), None)


WEEKS = 44


def test_an_effect_that_goes_on_is_hardly_ever_said_to_have_stopped() -> None:
    """Of one that is seen in a third of the looks: taking `not_seen` for gone would warn of it in most of these bases."""
    bases = [states_by_week(seed, effect=0.05, ends=WEEKS, weeks=WEEKS) for seed in range(12)]
    flapping = [states for states in bases if {"holds", "not_seen"} <= {*states}]
    assert len(flapping) >= 6, "else this shows nothing"
    assert sum(warned_in(states) is not None for states in bases) <= 1


def test_what_never_moved_anything_is_hardly_ever_said_to_have_stopped() -> None:
    bases = [states_by_week(seed, effect=0.0, ends=WEEKS, weeks=WEEKS) for seed in range(6)]
    assert [warned_in(states) for states in bases] == [None] * 6


@pytest.mark.parametrize("seed", range(3))
def test_an_effect_that_ends_is_told_within_half_a_year_and_once(seed: int) -> None:
    ends = LOOKS["week"] + 2
    told = warned_in(states_by_week(seed, effect=0.2, ends=ends, weeks=WEEKS))
    assert told is not None
    assert ends + LOOKS["week"] <= told <= ends + 26
