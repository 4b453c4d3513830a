"""What counts as broken tracking, and what never does."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.context.holidays import public_holidays, unknown_calendars
from common.tracking.judging import Arrivals, Calendar
from common.tracking.thinning import Days, thin_since
from common.tracking.verdicts import RETIRED_AFTER, Broken, Key, Tenant, judge
from common.tracking.windows import HOUR, WEEK, Span, local_days, same_hours

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
TUESDAY_NOON = dt.datetime(2026, 3, 3, 11, tzinfo=dt.UTC)
WEEKS, GROUPS = 9, 32
DAY = dt.timedelta(days=1)
Rate = Callable[[dt.datetime], float]
WEB, LOGIN = ("web", "user.logged_in"), ("web", "report.viewed")


def office(at: dt.datetime, zone: ZoneInfo = BERLIN) -> float:
    """Events of one group in an hour: an office's day, nights and weekends off."""
    local = at.astimezone(zone)
    return 6.0 if local.weekday() < 5 and 8 <= local.hour < 18 else 0.0


def until_then(end: dt.datetime, rate: Rate = office) -> Rate:
    return lambda at: rate(at) if at < end else 0.0


def arrivals(
    rate: Rate, until: dt.datetime, groups: Sequence[int] = range(GROUPS), seed: int = 1
) -> Arrivals:
    """By chance around `rate`."""
    dice, first = np.random.default_rng(seed), until - WEEKS * WEEK
    counts = np.zeros((WEEKS * 168, GROUPS), np.int64)
    for hour in range(len(counts)):
        counts[hour, list(groups)] = dice.poisson(rate(first + hour * HOUR), len(groups))
    return Arrivals.of(first, counts)


def found(
    parts: Mapping[tuple[str, str], Arrivals],
    until: dt.datetime = TUESDAY_NOON,
    zone: ZoneInfo = BERLIN,
    unusual: Sequence[Span] = (),
    broken: Mapping[Key, Broken] | None = None,
    days: Days | None = None,
) -> dict[Key, Broken]:
    return judge(Tenant(parts, Calendar(zone, unusual), broken or {}, {}, days=lambda: days or Days()), until)


def usual(until: dt.datetime = TUESDAY_NOON) -> dict[tuple[str, str], Arrivals]:
    kinds = ("user.logged_in", "report.viewed", "file.shared")
    return {("web", kind): arrivals(office, until, seed=n) for n, kind in enumerate(kinds)}


def test_a_type_that_stops_is_broken_from_its_last_hour_on_and_the_others_are_not() -> None:
    stopped = arrivals(until_then(TUESDAY_NOON - 2 * HOUR), TUESDAY_NOON)
    broken = found(usual() | {WEB: stopped})
    assert set(broken) == {("type", "user.logged_in")}
    one = broken["type", "user.logged_in"]
    assert (one.since, one.seen, one.renamed_to) == (TUESDAY_NOON - 2 * HOUR, 0, None)
    assert one.expected > 100
    assert 0.2 < one.share < 0.45


def test_nothing_is_broken_while_all_comes_as_usual() -> None:
    assert found(usual()) == {}


@settings(max_examples=15, deadline=None)
@given(hour=st.integers(0, 167), seed=st.integers(0, 1_000))
def test_no_hour_of_a_usual_week_breaks_anything(hour: int, seed: int) -> None:
    until = TUESDAY_NOON + hour * HOUR
    assert (
        found({WEB: arrivals(office, until, seed=seed), LOGIN: arrivals(office, until, seed=seed + 1)}, until)
        == {}
    )


def test_one_account_that_stops_is_no_fault_however_much_it_sends() -> None:
    many = arrivals(office, TUESDAY_NOON)
    whale = arrivals(
        until_then(TUESDAY_NOON - 3 * HOUR, lambda at: 400 * office(at)), TUESDAY_NOON, groups=[5]
    )
    both = Arrivals(many.first_hour, many.sums + whale.sums, many.known_from)
    assert found(usual() | {("web", "file.shared"): both}) == {}


def test_two_accounts_are_too_few_to_tell_a_fault_from_a_day_off() -> None:
    gone = {WEB: arrivals(until_then(TUESDAY_NOON - 4 * HOUR), TUESDAY_NOON, groups=[3, 9])}
    assert found(gone) == {}


def test_a_few_accounts_that_are_silent_for_days_are_a_fault() -> None:
    thursday = TUESDAY_NOON + 54 * HOUR
    gone = {WEB: arrivals(until_then(thursday - 60 * HOUR), thursday, groups=range(5))}
    assert set(found(gone, thursday)) == {("tenant", "*")}


def test_a_silent_source_takes_its_types_with_it_and_is_told_once() -> None:
    end = TUESDAY_NOON - 2 * HOUR
    mobile = {
        ("mobile", kind): arrivals(until_then(end), TUESDAY_NOON, seed=n) for n, kind in enumerate("xy")
    }
    broken = found(usual() | mobile)
    assert set(broken) == {("source", "mobile")}
    assert broken["source", "mobile"].types == ("x", "y")


def test_a_tenant_of_which_nothing_comes_is_told_as_one() -> None:
    end = TUESDAY_NOON - 2 * HOUR
    broken = found({names: arrivals(until_then(end), TUESDAY_NOON, seed=7) for names in usual()})
    assert set(broken) == {("tenant", "*")}
    assert broken["tenant", "*"].types == ("file.shared", "report.viewed", "user.logged_in")


def test_a_day_on_which_few_work_breaks_nothing_though_nobody_declared_it() -> None:
    day = TUESDAY_NOON.date()
    quiet: Rate = lambda at: office(at) * (0.1 if at.date() == day else 1.0)  # noqa: E731
    assert found({names: arrivals(quiet, TUESDAY_NOON, seed=n) for n, names in enumerate(usual())}) == {}


def days_until(last: dt.date, **shares: tuple[float, float]) -> Days:
    """Weeks of 400 events and 50 people a day, and shares of both on the last day or, by how many days before it, on others."""
    events = {last - n * DAY: 400 for n in range(60)}
    people = dict.fromkeys(events, 50)
    for back, (of_events, of_people) in shares.items():
        day = last - int(back.removeprefix("d")) * DAY
        events[day], people[day] = int(400 * of_events), int(50 * of_people)
    return Days(events, people)


def test_less_of_everything_is_a_fault_where_the_people_are_there_and_a_quiet_day_where_they_are_not() -> (
    None
):
    monday = TUESDAY_NOON.date() - DAY
    since = dt.datetime(2026, 3, 1, 23, tzinfo=dt.UTC)
    less: Rate = lambda at: office(at) * (0.3 if at >= since else 1.0)  # noqa: E731
    parts = {names: arrivals(less, TUESDAY_NOON, seed=n) for n, names in enumerate(usual())}
    broken = found(parts, days=days_until(monday, d0=(0.3, 0.98)))
    assert [(key, one.since, one.share) for key, one in broken.items()] == [(("tenant", "*"), since, 1.0)]
    assert broken["tenant", "*"].types == ("file.shared", "report.viewed", "user.logged_in")
    assert found(parts, days=days_until(monday, d0=(0.3, 0.3))) == {}
    assert found(parts) == {}
    assert found(usual(), days=days_until(monday, d0=(0.3, 0.98))) == {}
    # Some still come: it lasts, until as many do as ever.
    assert set(found(parts, broken=broken)) == {("tenant", "*")}
    assert found(usual(), broken=broken) == {}


@given(st.floats(0, 2), st.floats(0, 2))
def test_no_day_is_thin_on_which_people_are_missing_or_half_of_the_events_are_there(
    events: float, people: float
) -> None:
    last = TUESDAY_NOON.date() - DAY
    thin = thin_since(days_until(last, d0=(events, people)), TUESDAY_NOON, BERLIN, ())
    assert thin is None or (events < 0.5 and people >= 0.85)
    assert (
        thin_since(days_until(last, d0=(events, people)), TUESDAY_NOON, BERLIN, local_days([last], BERLIN))
        is None
    )


def test_thin_days_are_followed_back_over_those_that_can_not_be_told() -> None:
    last = TUESDAY_NOON.date() - DAY
    thin = days_until(last, d0=(0.3, 1), d1=(0.3, 1), d3=(0.3, 1), d4=(0.9, 1), d5=(0.3, 1))
    off = local_days([last - 2 * DAY], BERLIN)
    assert thin_since(thin, TUESDAY_NOON, BERLIN, off) == local_days([last - 3 * DAY], BERLIN)[0].start


def test_a_source_that_brings_a_part_of_every_type_takes_those_with_it() -> None:
    gone = arrivals(until_then(TUESDAY_NOON - 3 * HOUR), TUESDAY_NOON, seed=9)
    parts = usual() | {("mobile", "user.logged_in"): gone, ("mobile", "report.viewed"): gone}
    broken = found(parts)
    assert set(broken) == {("source", "mobile")}
    assert broken["source", "mobile"].types == ("report.viewed", "user.logged_in")


def test_a_renaming_taken_back_is_a_renaming() -> None:
    end = TUESDAY_NOON - 2 * HOUR
    there: Rate = lambda at: office(at) if end - 4 * WEEK <= at < end else 0.0  # noqa: E731
    parts = usual() | {
        WEB: arrivals(lambda at: office(at) - there(at), TUESDAY_NOON),
        ("web", "user.signed_in"): arrivals(there, TUESDAY_NOON),
    }
    assert found(parts)["type", "user.signed_in"].renamed_to == "user.logged_in"


@pytest.mark.parametrize(("declared", "broken"), [(True, set()), (False, {("tenant", "*")})])
def test_a_holiday_on_which_nobody_works_breaks_nothing_where_it_is_declared(
    declared: bool, broken: set[Key]
) -> None:
    easter_monday = dt.date(2026, 4, 6)
    until = dt.datetime(2026, 4, 6, 12, tzinfo=dt.UTC)
    off: Rate = lambda at: 0.0 if at.astimezone(BERLIN).date() == easter_monday else office(at)  # noqa: E731
    days = public_holidays(
        ["DE"] if declared else [], easter_monday - 60 * dt.timedelta(days=1), easter_monday
    )
    unusual = local_days(sorted(days), BERLIN)
    assert set(found({WEB: arrivals(off, until)}, until, unusual=unusual)) == broken


def test_the_week_after_a_holiday_is_compared_with_weeks_that_had_none() -> None:
    until = dt.datetime(2026, 4, 13, 12, tzinfo=dt.UTC)
    off: Rate = lambda at: 0.0 if at.astimezone(BERLIN).date() == dt.date(2026, 4, 6) else office(at)  # noqa: E731
    gone = {WEB: arrivals(until_then(until - 3 * HOUR, off), until)}
    days = public_holidays(["DE"], dt.date(2026, 2, 1), until.date())
    assert set(found(gone, until, unusual=local_days(sorted(days), BERLIN))) == {("tenant", "*")}


@settings(max_examples=12, deadline=None)
@given(hours=st.integers(0, 30 * 24))
def test_clocks_that_change_in_one_place_only_break_nothing(hours: int) -> None:
    """The customers are in New York, the company in Berlin; for three weeks they are an hour closer."""
    until = dt.datetime(2026, 3, 7, tzinfo=dt.UTC) + hours * HOUR
    rate: Rate = lambda at: office(at, NEW_YORK)  # noqa: E731
    assert found({WEB: arrivals(rate, until), LOGIN: arrivals(rate, until, seed=3)}, until) == {}


def test_the_same_hours_are_those_of_the_clock_on_the_wall() -> None:
    now = Span(dt.datetime(2026, 3, 30, 6, tzinfo=dt.UTC), dt.datetime(2026, 3, 30, 7, tzinfo=dt.UTC))
    assert same_hours(now, 1, BERLIN).end == dt.datetime(2026, 3, 23, 8, tzinfo=dt.UTC)
    assert same_hours(now, 1, ZoneInfo("Asia/Kolkata")).end == dt.datetime(2026, 3, 23, 7, tzinfo=dt.UTC)


def test_a_type_that_begins_where_another_stops_is_named() -> None:
    end = TUESDAY_NOON - 2 * HOUR
    begun: Rate = lambda at: office(at) if at >= end else 0.0  # noqa: E731
    parts = usual() | {
        WEB: arrivals(until_then(end), TUESDAY_NOON),
        ("web", "user.signed_in"): arrivals(begun, TUESDAY_NOON),
    }
    assert found(parts)["type", "user.logged_in"].renamed_to == "user.signed_in"


def test_what_was_broken_stays_so_over_the_night_and_is_mended_when_it_comes_again() -> None:
    began = TUESDAY_NOON - 2 * HOUR
    key: Key = ("type", "user.logged_in")
    was = {key: Broken(began, 300, 0, ("user.logged_in",), 0.3)}
    for later, rate in ((12, until_then(began)), (25, until_then(began))):
        until = TUESDAY_NOON + later * HOUR
        assert set(found(usual(until) | {WEB: arrivals(rate, until)}, until, broken=was)) == {key}
    back: Rate = lambda at: 0.0 if began <= at < TUESDAY_NOON + 22 * HOUR else office(at)  # noqa: E731
    until = TUESDAY_NOON + 25 * HOUR
    assert found(usual(until) | {WEB: arrivals(back, until)}, until, broken=was) == {}


def test_what_never_comes_back_is_not_waited_for_for_ever() -> None:
    key: Key = ("type", "user.logged_in")
    was = {key: Broken(TUESDAY_NOON - RETIRED_AFTER - HOUR, 300, 0, ("user.logged_in",), 0.3)}
    assert found(usual() | {WEB: arrivals(until_then(was[key].since), TUESDAY_NOON)}, broken=was) == {}


def test_what_people_retired_is_not_waited_for_and_is_learned_anew_when_it_comes_again() -> None:
    key: Key = ("type", "user.logged_in")
    began = TUESDAY_NOON - 2 * WEEK
    gone = usual() | {WEB: arrivals(until_then(began), TUESDAY_NOON)}
    was = {key: Broken(began, 300, 0, ("user.logged_in",), 0.3)}
    calendar = Calendar(BERLIN)
    assert set(judge(Tenant(gone, calendar, was, {}), TUESDAY_NOON)) == {key}
    retired = {key: began + WEEK}
    assert judge(Tenant(gone, calendar, was, {}, retired), TUESDAY_NOON) == {}
    assert judge(Tenant(gone, calendar, {}, {}, retired), TUESDAY_NOON) == {}


def test_a_tenant_that_has_just_begun_is_learned_before_it_is_judged() -> None:
    first = TUESDAY_NOON - 2 * WEEK
    short: Rate = lambda at: office(at) if first <= at < TUESDAY_NOON - 3 * HOUR else 0.0  # noqa: E731
    assert found({WEB: arrivals(short, TUESDAY_NOON)}) == {}


def test_calendars_that_nobody_knows_are_told() -> None:
    assert unknown_calendars(["DE", "US-CA", "XX", "DE-ZZ"]) == ["XX", "DE-ZZ"]
