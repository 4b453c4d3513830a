"""Local time of a tenant, against the slow reference that walks days one at a time."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference.calendar import Calendar as Reference

from common.errors import Rejected
from common.figures.buckets import compared, plan, sample_day, state_at
from common.figures.calendar import DAY, HOUR, Calendar, add_months, shift_months, shift_years
from common.figures.model import Grain

ZONES = (
    "UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu",
    "America/Sao_Paulo", "Africa/Cairo", "Pacific/Apia",
)  # fmt: skip
calendars = st.builds(Calendar, st.sampled_from(ZONES).map(ZoneInfo), st.integers(0, 6), st.integers(1, 12))
days = st.dates(date(2012, 1, 1), date(2027, 12, 31))
instants = st.integers(0, 16 * 365 * 86_400).map(
    lambda n: datetime(2012, 1, 1, tzinfo=UTC) + timedelta(seconds=n)
)
day_grains = st.sampled_from(("day", "week", "month", "quarter", "year"))


def reference(calendar: Calendar) -> Reference:
    return Reference(calendar.zone, calendar.week_start, calendar.fiscal_start_month)


@settings(deadline=None)
@given(calendars, days, day_grains)
def test_a_bucket_begins_where_walking_back_ends(calendar: Calendar, day: date, grain: str) -> None:
    first = calendar.bucket_day(day, grain)
    assert first == reference(calendar).bucket_day(day, grain)
    assert first <= day < calendar.next_bucket_day(first, grain)
    assert calendar.bucket_day(calendar.next_bucket_day(first, grain), grain) == calendar.next_bucket_day(
        first, grain
    )


@settings(deadline=None)
@given(calendars, instants)
def test_an_instant_lies_in_its_hour_and_hours_follow_one_another(calendar: Calendar, at: datetime) -> None:
    hour = calendar.hour_start(at)
    assert hour == reference(calendar).hour_of(at)
    assert hour <= at
    following = calendar.next_hour(hour)
    assert HOUR / 2 <= following - hour <= 2 * HOUR
    assert calendar.hour_start(following) == following


@settings(deadline=None)
@given(calendars, days, st.integers(1, 500), day_grains)
def test_buckets_tile_the_range_and_carry_their_own_start(
    calendar: Calendar, first: date, length: int, grain: str
) -> None:
    end = first + DAY * length
    buckets = plan(calendar, first, end, grain, "day")  # type: ignore[arg-type]
    expected = reference(calendar).buckets(first, end, grain)
    assert [b.label for b in buckets] == [calendar.local(calendar.day_start(day)) for day in expected]
    assert [(b.start, b.end) for b in buckets] == [
        (calendar.day_start(a), calendar.day_start(b)) for a, b in expected.values()
    ]


@settings(deadline=None)
@given(calendars, instants, st.integers(1, 200))
def test_hours_tile_the_range(calendar: Calendar, at: datetime, length: int) -> None:
    buckets = plan(calendar, at, at + length * timedelta(minutes=17), "hour", "hour")
    assert buckets[0].start <= at
    assert buckets[-1].end >= at + length * timedelta(minutes=17)
    assert all(one.end == other.start for one, other in pairwise(buckets))
    assert all(calendar.hour_start(b.start) == b.start for b in buckets)


def test_the_hour_that_a_clock_change_repeats_is_there_twice_and_the_one_it_skips_is_not() -> None:
    berlin = Calendar(ZoneInfo("Europe/Berlin"))
    autumn = plan(berlin, date(2026, 10, 25), date(2026, 10, 26), "hour", "hour")
    assert len(autumn) == 25
    assert [b.label for b in autumn[2:4]] == ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"]
    spring = plan(berlin, date(2026, 3, 29), date(2026, 3, 30), "hour", "hour")
    assert len(spring) == 23
    assert [b.label for b in spring[1:3]] == ["2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00"]


def test_half_hour_zones_begin_their_hours_at_half_past() -> None:
    kolkata = Calendar(ZoneInfo("Asia/Kolkata"))
    (bucket,) = plan(
        kolkata,
        datetime(2026, 3, 1, 9, 40, tzinfo=UTC),
        datetime(2026, 3, 1, 9, 41, tzinfo=UTC),
        "hour",
        "hour",
    )
    assert bucket.label == "2026-03-01T15:00:00+05:30"
    assert bucket.start == datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def test_the_first_and_last_bucket_are_cut_to_the_range_and_keep_their_label() -> None:
    utc = Calendar(ZoneInfo("UTC"))
    january, february = plan(utc, date(2026, 1, 15), date(2026, 2, 3), "month", "day")
    assert (january.label, january.start.day, january.end.day) == ("2026-01-01T00:00:00+00:00", 15, 1)
    assert (february.label, february.start.day, february.end.day) == ("2026-02-01T00:00:00+00:00", 1, 3)


def test_ends_are_widened_to_how_finely_the_metric_is_kept() -> None:
    utc = Calendar(ZoneInfo("UTC"))
    start, end = datetime(2026, 1, 1, 10, 30, tzinfo=UTC), datetime(2026, 1, 2, 11, 1, tzinfo=UTC)
    assert [b.end.hour for b in plan(utc, start, end, "total", "hour")] == [12]
    assert [(b.start.hour, b.end.day) for b in plan(utc, start, end, "total", "day")] == [(0, 3)]
    assert [(b.start, b.end) for b in plan(utc, start, end, "total", "instant")] == [(start, end)]


def test_a_range_without_length_or_of_too_many_buckets_is_refused() -> None:
    utc = Calendar(ZoneInfo("UTC"))
    for end in (date(2026, 1, 1), date(2025, 1, 1)):
        with pytest.raises(Rejected, match="from must lie before to") as refused:
            plan(utc, date(2026, 1, 1), end, "day", "day")
        assert refused.value.code == "range-empty"
    at = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(Rejected, match="from must lie before to"):
        plan(utc, date(2026, 1, 1), at, "day", "day")
    with pytest.raises(Rejected) as refused:
        plan(utc, date(2016, 1, 1), date(2026, 1, 1), "hour", "hour")
    assert refused.value.code == "buckets-too-many"
    assert len(plan(utc, date(2012, 1, 1), date(2026, 1, 1), "day", "day")) == 5114


def test_a_bucket_in_progress_is_looked_at_today_and_one_to_come_not_at_all() -> None:
    utc = Calendar(ZoneInfo("UTC"))
    past, running, coming = plan(utc, date(2026, 1, 1), date(2026, 4, 1), "month", "day")
    now = datetime(2026, 2, 10, 12, tzinfo=UTC)
    assert sample_day(utc, past, now) == date(2026, 1, 31)
    assert sample_day(utc, running, now) == date(2026, 2, 10)
    assert sample_day(utc, coming, now) is None
    assert [state_at(b, now) for b in (past, running, coming)] == [past.end, now, None]


def test_a_year_back_meets_dates_and_weeks_meet_weekdays() -> None:
    utc = Calendar(ZoneInfo("UTC"))
    leap = plan(utc, date(2024, 2, 28), date(2024, 3, 2), "day", "day")
    before = compared(utc, leap, "day", "previous_year")
    assert [b and b.label[:10] for b in before] == ["2023-02-28", None, "2023-03-01"]
    after_leap = compared(
        utc, plan(utc, date(2025, 2, 28), date(2025, 3, 2), "day", "day"), "day", "previous_year"
    )
    assert [b and (b.label[:10], (b.end - b.start).days) for b in after_leap] == [
        ("2024-02-28", 1),
        ("2024-03-01", 1),
    ]
    (week,) = plan(utc, date(2026, 3, 2), date(2026, 3, 9), "week", "day")
    (other,) = compared(utc, [week], "week", "previous_year")
    assert other is not None
    assert other.label[:10] == "2025-03-03"


@pytest.mark.parametrize(
    ("first", "end", "grain", "earlier"),
    [
        ("2026-03-01", "2026-04-01", "total", "2026-02-01"),
        ("2026-03-10", "2026-03-17", "total", "2026-03-03"),
        ("2026-03-10", "2026-03-17", "day", "2026-03-03"),
        ("2026-03-02", "2026-03-16", "week", "2026-02-16"),
        ("2026-01-01", "2026-07-01", "quarter", "2025-07-01"),
    ],
)
def test_the_previous_period_is_as_long_and_ends_where_this_one_begins(
    first: str, end: str, grain: str, earlier: str
) -> None:
    utc = Calendar(ZoneInfo("UTC"))
    buckets = plan(utc, date.fromisoformat(first), date.fromisoformat(end), grain, "day")  # type: ignore[arg-type]
    others = compared(utc, buckets, grain, "previous_period")  # type: ignore[arg-type]
    assert others[0] is not None
    assert others[-1] is not None
    assert others[0].start.date().isoformat() == earlier
    assert others[-1].end == buckets[0].start


@pytest.mark.parametrize(
    ("first", "end", "earlier"),
    [
        ("2026-03-01", "2026-03-29", ("2026-02-01", "2026-03-01")),  # 28 days of each
        ("2026-03-01", "2026-03-31", ("2026-02-01", "2026-03-01")),  # as far as February goes
        ("2026-03-10", "2026-03-20", ("2026-02-10", "2026-02-20")),
        ("2026-03-01", "2026-04-01", ("2026-02-01", "2026-03-01")),
        ("2024-03-01", "2024-03-30", ("2024-02-01", "2024-03-01")),
        ("2026-05-01", "2026-05-31", ("2026-04-01", "2026-05-01")),
        ("2026-03-29", "2026-03-31", None),  # February has no such days
    ],
)
def test_part_of_a_month_is_compared_with_the_same_dates_of_the_month_before(
    first: str, end: str, earlier: tuple[str, str] | None
) -> None:
    utc = Calendar(ZoneInfo("UTC"))
    months = plan(utc, date.fromisoformat(first), date.fromisoformat(end), "month", "day")
    (other,) = compared(utc, months, "month", "previous_period")
    assert earlier == (other and (other.start.date().isoformat(), other.end.date().isoformat()))


@settings(deadline=None)
@given(days, st.integers(-500, 500))
def test_a_month_loses_no_day_between_two_dates(day: date, months: int) -> None:
    """Neighbouring days stay neighbours, or what lies between them has no counterpart; no date moves beyond a later one."""
    one, next_one = shift_months(day, months), shift_months(day + DAY, months)
    assert one <= next_one
    assert one.day in (day.day, 1)
    if next_one.day != 1:
        assert next_one - one == DAY


def test_a_range_of_hours_is_compared_with_the_hours_before_it() -> None:
    utc = Calendar(ZoneInfo("UTC"))
    start = datetime(2026, 3, 1, 9, tzinfo=UTC)
    buckets = plan(utc, start, start + 6 * HOUR, "hour", "hour")
    others = compared(utc, buckets, "hour", "previous_period")
    assert others[0] is not None
    assert others[0].start == start - 6 * HOUR


@settings(deadline=None)
@given(days, st.integers(-500, 500))
def test_months_add_up(day: date, months: int) -> None:
    moved = add_months(day, months)
    assert (moved.year * 12 + moved.month) - (day.year * 12 + day.month) == months
    assert moved.day == day.day or (moved + DAY).day == 1


@settings(deadline=None)
@given(days, st.integers(-20, 20))
def test_years_keep_their_dates(day: date, years: int) -> None:
    moved = shift_years(day, years)
    assert (moved.month, moved.day) in ((day.month, day.day), (3, 1))
    assert moved.year == day.year + years


@pytest.mark.parametrize("grain", ["hour", "day", "month", "total"])
def test_a_day_that_a_country_left_out_is_refused_as_such(grain: Grain) -> None:
    apia, left_out = Calendar(ZoneInfo("Pacific/Apia")), date(2011, 12, 30)
    with pytest.raises(Rejected) as refused:
        plan(apia, left_out, left_out + DAY, grain, "day")
    assert refused.value.code == "range-empty"
    assert refused.value.message == (
        "2011-12-30 does not exist in Pacific/Apia: its clocks left that day out, so nothing can have happened on it; "
        "ask for a range that holds another day, such as from 2011-12-29 to 2011-12-31 or from 2011-12-30 to 2012-01-01"
    )
    for first, last in ((left_out - DAY, left_out + DAY), (left_out, left_out + 2 * DAY)):
        (bucket,) = plan(apia, first, last, "day", "day")
        assert bucket.end - bucket.start == DAY
    with pytest.raises(Rejected, match="from must lie before to"):
        plan(apia, left_out + DAY, left_out, grain, "day")
