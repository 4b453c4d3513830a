"""Questions over more buckets than are answered at once, comparisons that must not lead, and who stands at whose top."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference.calendar import Calendar as Reference

from common.errors import Rejected
from common.figures.buckets import Bucket, compared, plan
from common.figures.calendar import DAY, Calendar
from common.figures.families import parent_of, top_parents
from common.figures.leads import leads_at
from common.figures.model import MAX_BUCKETS, Moment
from common.figures.stretches import DAYS, stretch

ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia")
calendars = st.builds(Calendar, st.sampled_from(ZONES).map(ZoneInfo), st.integers(0, 6), st.integers(1, 12))


def stretches(calendar: Calendar, start: Moment, end: Moment, grain: str) -> list[list[Bucket]]:
    found, number, more = [], 0, True
    while more:
        first, last, more = stretch(calendar, start, end, grain, number)  # type: ignore[arg-type]
        found.append(plan(calendar, first, last, grain, grain))  # type: ignore[arg-type]
        number += 1
    with pytest.raises(Rejected, match="lies beyond"):
        stretch(calendar, start, end, grain, number)  # type: ignore[arg-type]
    return found


@settings(deadline=None, max_examples=4)
@given(calendars, st.dates(date(2009, 1, 1), date(2023, 1, 1)), st.integers(399, 1_200))
def test_hours_over_years_come_in_stretches_that_cut_no_hour(
    calendar: Calendar, first: date, days: int
) -> None:
    found = stretches(calendar, first, first + days * DAY, "hour")
    buckets = [bucket for some in found for bucket in some]
    reference = Reference(calendar.zone)
    assert [bucket.start for bucket in buckets] == reference.hours(first, first + days * DAY)
    assert all(one.end == other.start for one, other in pairwise(buckets))
    assert all(len(some) <= MAX_BUCKETS for some in found)
    assert len(found) == -(-days // DAYS["hour"])


@settings(deadline=None, max_examples=2)
@given(calendars, st.integers(0, 86_399))
def test_two_hundred_years_of_days_begin_and_end_where_asked(calendar: Calendar, second: int) -> None:
    start = datetime(1971, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    end = datetime(2198, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    found = stretches(calendar, start, end, "day")
    assert all(DAYS["day"] - 1 <= len(some) <= MAX_BUCKETS for some in found[:-1])
    assert found[0][0].start <= start < found[0][0].end
    assert found[-1][-1].start < end <= found[-1][-1].end


@settings(deadline=None)
@given(calendars, st.dates(date(2015, 1, 1), date(2026, 1, 1)), st.integers(2, 40), st.data())
def test_a_stretch_is_compared_with_the_same_as_within_the_whole(
    calendar: Calendar, first: date, days: int, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(1, days - 1))
    grain = data.draw(st.sampled_from(["hour", "day"]))
    compare = data.draw(st.sampled_from(["previous_period", "previous_year"]))
    buckets = plan(calendar, first, first + days * DAY, grain, grain)  # type: ignore[arg-type]
    whole = buckets[0].start, buckets[-1].end
    at = calendar.day_start(first + cut * DAY)
    parts = [b for b in buckets if b.start < at], [b for b in buckets if b.start >= at]
    apart = [other for part in parts for other in compared(calendar, part, grain, compare, whole)]  # type: ignore[arg-type]
    assert apart == compared(calendar, buckets, grain, compare)  # type: ignore[arg-type]


def test_a_day_that_a_country_left_out_is_no_bucket() -> None:
    apia = Calendar(ZoneInfo("Pacific/Apia"))
    found = plan(apia, date(2011, 12, 28), date(2012, 1, 2), "day", "day")
    assert [bucket.label[:10] for bucket in found] == ["2011-12-28", "2011-12-29", "2011-12-31", "2012-01-01"]


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_a_comparison_leads_below_40_percent_more_or_fewer_paying_accounts(now: int, then: int) -> None:
    if then == 0:
        assert leads_at(now, then) == (now == 0)
    else:
        assert leads_at(now, then) == (10 * abs(now - then) < 4 * then)


NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
SAID = st.lists(st.tuples(NAMES, st.one_of(st.none(), NAMES, st.just("holding"))), max_size=12)
START = datetime(2026, 1, 1, tzinfo=UTC)


def climbed(name: str, parents: dict[str, str]) -> str:
    """Up until nobody is above, or until somebody comes again: then the least of that circle."""
    way = [name]
    while way[-1] in parents:
        above = parents[way[-1]]
        if above in way:
            return min(way[way.index(above) :])
        way.append(above)
    return way[-1]


@given(SAID)
def test_the_top_of_a_hierarchy_is_found_by_climbing_at_any_time(said: list[tuple[str, str | None]]) -> None:
    told = [(START + n * DAY, account, parent) for n, (account, parent) in enumerate(said)]
    found = top_parents(told)
    parents: dict[str, str] = {}
    for at, account, parent in told:
        parents.pop(account, None)
        parents |= {account: parent} if parent is not None else {}
        for name in ("a", "b", "c", "d", "e"):
            past = [value for since, value in found.get(name, []) if since <= at]
            top = past[-1] if past else f'"{name}"'
            assert top == f'"{climbed(name, parents)}"'


def test_a_parent_is_a_text_or_a_number() -> None:
    assert [parent_of(text) for text in ('"acme"', "17", '""', "null", "true", "[1]")] == [
        "acme",
        "17",
        None,
        None,
        None,
        None,
    ]
