"""Waiting times that haven't ended, and business hours, against the slow way and against published figures."""

from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference.calendar import Calendar
from tests.reference.lifecycles import Cohort, Lifecycles

from common.catalogue.models import BusinessHours, Settings
from common.figures.office import Office
from common.figures.survival import quantile

HALF = Fraction(1, 2)
waits = st.lists(st.integers(0, 12), max_size=14)


def test_the_median_of_published_remission_times_is_the_published_one() -> None:
    """Acute myelogenous leukaemia, maintained and not: R. G. Miller, Survival Analysis (1981); intervals as R's survfit."""
    maintained = quantile([9, 13, 18, 23, 31, 34, 48], [13, 28, 45, 161], HALF)
    assert (maintained.value, maintained.low, maintained.high) == (31, 18, None)
    without = quantile([5, 5, 8, 8, 12, 23, 27, 30, 33, 43, 45], [16], HALF)
    assert (without.value, without.low, without.high) == (23, 8, None)


def test_without_anybody_waiting_it_is_the_ordinary_median() -> None:
    assert quantile([8, 3, 6, 5], [], HALF).value == 5.5
    assert quantile([8, 3, 6], [], HALF).value == 6
    assert quantile([], [1, 2], HALF).value is None
    assert quantile([], [], HALF).value is None


@given(
    waits, waits, st.sampled_from([Fraction(1, 10), Fraction(1, 4), HALF, Fraction(2, 3), Fraction(9, 10)])
)
@settings(deadline=None)
def test_a_quantile_is_that_of_the_curve_computed_in_fractions(
    ended: list[int], waiting: list[int], share: Fraction
) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    plain = Lifecycles([], Calendar(ZoneInfo("UTC")), now)
    span = timedelta(microseconds=1)
    cohort: Cohort = [("a", now, now + n * span, None) for n in ended]
    cohort += [("a", now, None, now + n * span) for n in waiting]
    expected = plain.quantile(cohort, share).value
    found = quantile(ended, waiting, share)
    assert found.value == (None if expected is None else float(expected))
    if found.value is not None and found.low is not None:
        assert found.low <= found.value
    if found.value is not None and found.high is not None:
        assert found.high >= found.value


@given(st.permutations([3, 3, 5, 7, 7, 9]), st.permutations([2, 7, 11]))
def test_the_order_of_cases_leaves_no_trace(ended: list[int], waiting: list[int]) -> None:
    assert quantile(ended, waiting, HALF) == quantile([3, 3, 5, 7, 7, 9], [2, 7, 11], HALF)


def test_a_tie_with_half_is_seen_among_a_million() -> None:
    """Doubles alone would take 0.5 for a little more or less."""
    ended = list(range(1, 333_334))
    found = quantile([*ended, 333_334, 333_335], [0] * 333_333 + [10**9] * 333_335, HALF)
    assert found.value == 333_335
    found = quantile([*ended, 333_334], [0] * 333_333 + [10**9] * 333_333, HALF)
    assert found.value == 333_334


openings = st.tuples(st.integers(0, 11), st.integers(12, 23)).map(
    lambda pair: (time(pair[0], 30), time(pair[1]))
)
instants = st.integers(0, 40 * 24 * 60).map(
    lambda minutes: datetime(2026, 3, 10, tzinfo=UTC) + timedelta(minutes=minutes, microseconds=minutes % 7)
)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@given(st.dictionaries(st.integers(0, 6), openings), st.sampled_from(ZONES), instants, instants)
@settings(deadline=None)
def test_business_hours_are_those_of_every_local_day(
    hours: dict[int, tuple[time, time]], zone: str, start: datetime, end: datetime
) -> None:
    days = {WEEK[day]: (f"{opens:%H:%M}-{closes:%H:%M}",) for day, (opens, closes) in hours.items()}
    made = Settings.model_validate({"timezone": zone, "business_hours": {"days": days}})
    plain = Lifecycles([], Calendar(ZoneInfo(zone)), end, hours)
    assert Office(made, min(start, end), max(start, end)).between(start, end) == plain.business(start, end)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-03-06T16:00", "2026-03-09T10:00", 2),  # over a weekend
        ("2026-03-07T10:00", "2026-03-08T10:00", 0),
        ("2026-03-09T08:00", "2026-03-09T20:00", 8),
        ("2026-12-24T09:00", "2026-12-28T09:00", 8),  # the 25th is a holiday
    ],
)
def test_closed_days_and_holidays_count_nothing(start: str, end: str, hours: int) -> None:
    made = Settings(
        business_hours=BusinessHours(
            days=dict.fromkeys(
                ("monday", "tuesday", "wednesday", "thursday", "friday"), ("09:00-12:00", "12:00-17:00")
            ),
            holidays=(date(2026, 12, 25),),
        )
    )
    first, last = (datetime.fromisoformat(at).replace(tzinfo=UTC) for at in (start, end))
    assert Office(made, first, last).between(first, last) == hours * 3_600_000_000
