"""Windows over days, and accounts in groups over time, against the slow way: one day at a time."""

import json
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from common.figures.calendar import DAY, Calendar
from common.figures.cells import DailySums, Moved
from common.figures.slices import Member, Slices, named_text, stored_text, text_of
from common.figures.windows import Window, on_samples

FIRST = date(2026, 3, 1)
days = st.integers(0, 60).map(lambda n: FIRST + DAY * n)
windows = st.builds(Window, st.one_of(st.none(), st.integers(1, 40)), st.integers(0, 40))
sample_lists = st.lists(days, min_size=1, unique=True).map(sorted)
sums = st.dictionaries(days, st.integers(-5, 5))


def naive(sums: dict[date, int], sample: date, window: Window) -> int:
    last = sample - DAY * window.offset
    return sum(
        value
        for day, value in sums.items()
        if day <= last and (window.days is None or day > last - DAY * window.days)
    )


@settings(deadline=None)
@given(sums, sample_lists, windows)
def test_a_window_is_the_sum_of_its_days(sums: dict[date, int], samples: list[date], window: Window) -> None:
    found = on_samples(DailySums({("a",): sums}), samples, window)
    assert found == {("a",): [naive(sums, sample, window) for sample in samples]}
    since = window.since(samples[0])
    assert since is None or all(naive({since - DAY: 1}, sample, window) == 0 for sample in samples)


@settings(deadline=None)
@given(
    st.lists(st.tuples(days, st.integers(0, 20), st.integers(0, 20), st.integers(-5, 5))),
    sample_lists,
    windows,
)
def test_accounts_that_move_count_while_they_are_in_the_group(
    rows: list[tuple[date, int, int, int]], samples: list[date], window: Window
) -> None:
    moved = [
        Moved((), day, min(lo, len(samples)), min(hi, len(samples)), value) for day, lo, hi, value in rows
    ]
    found = on_samples(DailySums({}, moved), samples, window).get((), [0] * len(samples))
    assert found == [
        sum(naive({m.day: m.value}, sample, window) for m in moved if m.lo <= position < m.hi)
        for position, sample in enumerate(samples)
    ]


moments = st.integers(0, 60 * 24).map(lambda hours: datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=hours))
histories = st.lists(st.tuples(moments, st.sampled_from(("x", "y", None)).map(text_of)), max_size=6).map(
    lambda settings: tuple(sorted(settings, key=lambda setting: setting[0]))
)


def slices_of(all_histories: list[tuple[tuple[datetime, str | None], ...]]) -> Slices:
    members = [Member(7, (None,) * len(all_histories), tuple(all_histories))]
    return Slices(Calendar(ZoneInfo("Europe/Berlin")), members, len(all_histories))


def value_before(history: tuple[tuple[datetime, str | None], ...], at: datetime) -> str | None:
    past = [text for set_at, text in history if set_at < at]
    return past[-1] if past else None


@settings(deadline=None)
@given(st.lists(histories, min_size=1, max_size=2), days)
def test_on_a_day_a_trait_is_what_it_was_just_before_the_day_began(
    all_histories: list[tuple[tuple[datetime, str | None], ...]], day: date
) -> None:
    slices = slices_of(all_histories)
    at = slices.calendar.day_start(day)
    expected = tuple(value_before(history, at) for history in all_histories)
    assert [slices.keys[s.group] for s in slices.by_day if s.lo <= day < s.hi] == [expected]
    assert [slices.keys[s.group] for s in slices.by_sample([day]) if s.lo <= 0 < s.hi] == [expected]


@settings(deadline=None)
@given(histories, st.lists(moments, min_size=1, unique=True).map(sorted))
def test_at_an_instant_a_trait_is_what_was_set_strictly_before(
    history: tuple[tuple[datetime, str | None], ...], instants: list[datetime]
) -> None:
    slices = slices_of([history])
    spans = list(slices.by_instant(instants))
    for position, at in enumerate(instants):
        inside = [slices.keys[s.group] for s in spans if s.lo <= position < s.hi]
        assert inside == [(value_before(history, at),)]
    assert all(one.hi == other.lo and one.group != other.group for one, other in pairwise(spans))


@settings(deadline=None)
@given(histories)
def test_a_filter_leaves_gaps_where_the_trait_is_something_else(
    history: tuple[tuple[datetime, str | None], ...],
) -> None:
    slices = Slices(
        Calendar(ZoneInfo("UTC")), [Member(1, (None,), (history,))], 0, {0: frozenset({text_of("x")})}
    )
    for day in (FIRST + DAY * n for n in range(62)):
        inside = any(s.lo <= day < s.hi for s in slices.by_day)
        assert inside == (value_before(history, slices.calendar.day_start(day)) == text_of("x"))


def test_values_of_different_types_are_different_groups() -> None:
    assert len({text_of(value) for value in (1, "1", True, "true", None, 1.5)}) == 6
    assert text_of(5.0) == text_of(5) == stored_text("5.00")
    assert text_of(-0.0) == stored_text("0")
    assert stored_text("null") is None
    assert named_text(stored_text("[1]")) == text_of("[1]")


@settings(deadline=None)
@given(st.none() | st.booleans() | st.text() | st.integers(-(2**53), 2**53) | st.floats(-1e20, 1e20))
def test_a_stored_value_and_a_wanted_one_meet(value: object) -> None:
    assert stored_text(json.dumps(value, ensure_ascii=False)) == text_of(value)
