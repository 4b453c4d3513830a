"""Local hours and days: many at once equal one at a time by zoneinfo."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.contracts.instants import microseconds
from kpi_engine.domain.buckets import (
    LocalTime,
    day_number,
    day_of_number,
    instant,
    instant_of,
)

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Pacific/Apia",
    "Africa/Casablanca",
    "America/Sao_Paulo",
]
FIRST = datetime(2000, 1, 1, tzinfo=UTC)
LAST = datetime(2037, 12, 31, tzinfo=UTC)


def changes_of(zone: ZoneInfo) -> list[datetime]:
    """Hours within which, or at whose start, the clocks change."""
    hours = [datetime(2010, 1, 1, tzinfo=UTC) + timedelta(hours=h) for h in range(24 * 366 * 2)]
    offsets = [hour.astimezone(zone).utcoffset() for hour in hours]
    return [hours[i] for i in range(len(hours) - 1) if offsets[i] != offsets[i + 1]]


CHANGES = {name: changes_of(ZoneInfo(name)) or [FIRST] for name in ZONES}
anywhere = st.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None), timezones=st.just(UTC))


@st.composite
def around_changes(draw: st.DrawFn) -> tuple[str, list[datetime]]:
    zone = draw(st.sampled_from(ZONES))
    near = st.builds(
        lambda change, us: change + timedelta(microseconds=us),
        st.sampled_from(CHANGES[zone]),
        st.integers(-3 * 3600 * 10**6, 3 * 3600 * 10**6),
    )
    return zone, draw(st.lists(near | anywhere, max_size=40))


def columns(instants: list[datetime]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([microseconds(at) for at in instants], np.int64)


@given(around_changes())
def test_hours_are_the_instants_at_which_the_local_hour_starts(drawn: tuple[str, list[datetime]]) -> None:
    zone, instants = drawn
    starts = []
    for at in instants:
        local = at.astimezone(ZoneInfo(zone))
        into = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        starts.append(at - into)
    assert [instant(us) for us in LocalTime(zone).hours(columns(instants)).tolist()] == starts


@given(around_changes())
def test_days_are_local_dates(drawn: tuple[str, list[datetime]]) -> None:
    zone, instants = drawn
    days = LocalTime(zone).days(columns(instants)).tolist()
    assert [day_of_number(day) for day in days] == [at.astimezone(ZoneInfo(zone)).date() for at in instants]


@given(st.sampled_from(ZONES), st.dates(date(2000, 1, 1), date(2037, 1, 1)))
def test_a_day_starts_with_its_first_instant(zone: str, day: date) -> None:
    local = LocalTime(zone)
    start = local.start_of(day)
    # Samoa skipped 30 December 2011 altogether: that day has no instant of its own.
    if (zone, day) != ("Pacific/Apia", date(2011, 12, 30)):
        assert local.day_at(start) == day
        assert local.day_at(start - timedelta(microseconds=1)) < day


@given(st.sampled_from(ZONES), anywhere)
def test_the_next_midnight_is_after_now_and_within_two_days(zone: str, now: datetime) -> None:
    local = LocalTime(zone)
    midnight = local.next_midnight(now)
    assert now < midnight <= now + timedelta(hours=50)
    assert local.day_at(midnight) > local.day_at(now)


@given(anywhere, st.dates(date(1970, 1, 1), date(2100, 1, 1)))
def test_numbers_and_dates_go_back_and_forth(at: datetime, day: date) -> None:
    assert instant(microseconds(at)) == at
    assert day_of_number(day_number(day)) == day


def test_what_was_looked_up_is_bounded() -> None:
    local = LocalTime("Europe/Berlin")
    hours = np.arange(450_000, dtype=np.int64) * 3600 * 10**6
    for start in range(0, len(hours), 150_000):
        local.days(hours[start : start + 150_000])
    assert len(local._hours) <= 350_000


def test_a_time_needs_a_zone() -> None:
    assert instant_of("2026-01-01T01:00:00+01:00") == datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="no zone"):
        instant_of("2026-01-01T01:00:00")
