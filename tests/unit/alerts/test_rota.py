"""Who is on call, who stands in, and whose morning it is, in any zone and over clock changes."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.domain.digests import Morning, due_on
from alerts.domain.on_call import (
    Override,
    Page,
    Rotation,
    coming,
    first_page,
    next_page,
    on_call,
)
from alerts.domain.people import Leave, Person, Team
from alerts.domain.workdays import Calendar, MuteTime, muting

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Auckland", "Asia/Kolkata")
NAMES = ("dana", "kim", "lee")
START = datetime(2026, 1, 5, tzinfo=UTC)
few = settings(max_examples=30, deadline=None)
instants = st.integers(0, 365 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes))
zones = st.sampled_from(ZONES).map(ZoneInfo)
times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 30]))
days = st.integers(0, 365).map(lambda n: date(2026, 1, 5) + timedelta(days=n))
calendars = st.builds(Calendar, zones, st.frozensets(st.integers(0, 6)), st.frozensets(days, max_size=5))
leaves = st.builds(
    lambda person, first, length, deputy: Leave(person, first, first + timedelta(days=length), deputy),
    st.sampled_from(NAMES),
    days,
    st.integers(0, 20),
    st.sampled_from([None, *NAMES]),
)


@st.composite
def teams(draw: st.DrawFn) -> Team:
    people = {
        name: Person(name, draw(calendars), f"{name}_mail", None, draw(st.sampled_from([None, *NAMES])))
        for name in NAMES
    }
    return Team(people, tuple(draw(st.lists(leaves, max_size=4))))


rotations = st.builds(
    Rotation,
    st.just("cs"),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True).map(tuple),
    st.builds(Calendar, zones),
    days,
    times,
    st.just(timedelta(minutes=30)),
    st.just(("team",)),
)
overrides = st.lists(
    st.builds(
        lambda n, person, at, hours: Override(
            f"over_{n}", "cs", person, at, at + timedelta(hours=hours), None, "lead", at
        ),
        st.integers(),
        st.sampled_from(NAMES),
        instants,
        st.integers(1, 300),
    ),
    max_size=3,
)


@given(rotations, overrides, teams(), instants)
@few
def test_somebody_is_on_call_at_every_instant_without_gaps(
    rotation: Rotation, made: list[Override], team: Team, now: datetime
) -> None:
    duty = on_call(rotation, made, team, now)
    assert duty.starts_at <= now < duty.ends_at
    plan = coming(rotation, made, team, now, 4)
    assert (plan[0].starts_at, plan[-1].ends_at) == (now, now + timedelta(weeks=4))
    assert all(one.ends_at == other.starts_at for one, other in pairwise(plan))
    for part in plan:
        assert on_call(rotation, made, team, part.starts_at).person == part.person
    if any(one.starts_at <= now < one.ends_at for one in made):
        assert duty.because == "override"


@given(rotations, instants)
@few
def test_people_take_turns_by_the_week_and_hand_over_by_the_wall_clock(
    rotation: Rotation, now: datetime
) -> None:
    duty = on_call(rotation, [], Team(), now)
    following = on_call(rotation, [], Team(), duty.ends_at)
    count = len(rotation.people)
    assert following.person == rotation.people[(rotation.people.index(duty.person) + 1) % count]
    local = duty.ends_at.astimezone(rotation.calendar.zone)
    assert local.weekday() == rotation.starts_on.weekday() or local.time() != rotation.hand_over
    assert timedelta(days=6, hours=22) <= duty.ends_at - duty.starts_at <= timedelta(days=7, hours=2)


@given(teams(), instants)
@few
def test_who_stands_in_is_there_and_everybody_is_looked_after(team: Team, now: datetime) -> None:
    for name in NAMES:
        stand_in = team.stand_in(name, now)
        if stand_in != name:
            assert team.leave_of(name, now) is not None
            assert team.leave_of(stand_in, now) is None
        assert name in team.looked_after_by(stand_in, now)


@given(rotations, teams(), instants)
@few
def test_a_page_goes_at_most_two_steps_further_and_never_to_the_same_person(
    rotation: Rotation, team: Team, now: datetime
) -> None:
    page: Page = first_page("case_1", 1, rotation, on_call(rotation, [], team, now), now)
    asked = [page.person]
    while page.due_at is not None:
        page = next_page(page, rotation, team, page.due_at)
        assert page.person is None or page.person not in asked
        asked.append(page.person)
    assert (page.step, page.person) == (2, None)
    assert len(asked) <= 3


@given(
    st.builds(Morning, st.just("dana"), calendars, times),
    instants,
    st.lists(st.integers(-90, 600), max_size=60),
)
@few
def test_a_morning_is_told_once_a_working_day_whatever_the_clock_does(
    morning: Morning, now: datetime, moves: list[int]
) -> None:
    made: set[date] = set()
    for minutes in moves:
        now += timedelta(minutes=minutes)
        due = due_on(morning, made, now, away=False)
        if due is not None:
            assert due.day not in made
            assert morning.calendar.works_on(due.day)
            assert due.began_at <= now
            assert morning.calendar.day_of(due.began_at) == due.day == morning.calendar.day_of(now)
            made.add(due.day)
        assert due_on(morning, made, now, away=True) is None


def test_a_morning_that_the_clock_skips_comes_right_after() -> None:
    berlin = Morning("dana", Calendar(ZoneInfo("Europe/Berlin"), frozenset({6})), time(2, 30))
    skipped = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert due_on(berlin, (), skipped - timedelta(seconds=1), away=False) is None
    assert due_on(berlin, (), skipped, away=False) is not None


@given(calendars, instants, st.integers(0, 12))
@few
def test_working_days_are_counted_one_by_one(calendar: Calendar, at: datetime, number: int) -> None:
    day = calendar.nth_working_day(calendar.day_of(at), number)
    passed = [calendar.day_of(at) + timedelta(days=n) for n in range(1, (day - calendar.day_of(at)).days + 1)]
    assert sum(calendar.works_on(one) for one in passed) == number
    assert number == 0 or calendar.works_on(day)
    assert calendar.after_working_days(at, number) >= at


@given(calendars, times, times, st.frozensets(st.integers(0, 6), min_size=1), instants, st.booleans())
@few
def test_a_mute_time_holds_from_its_beginning_until_its_end_by_the_wall_clock(
    calendar: Calendar, begins: time, ends: time, weekdays: frozenset[int], now: datetime, hard: bool
) -> None:
    window = MuteTime("nights", weekdays, begins, ends)
    local = now.astimezone(calendar.zone)
    today, before = local.weekday() in weekdays, (local.weekday() - 1) % 7 in weekdays
    wall = local.time().replace(fold=0)
    if begins < ends:
        expected = today and begins <= wall < ends
    else:
        expected = (today and wall >= begins) or (before and wall < ends)
    shifted = calendar.zone.utcoffset(
        local.replace(tzinfo=None) - timedelta(days=1)
    ) != calendar.zone.utcoffset(local.replace(tzinfo=None) + timedelta(days=1))
    if not shifted:
        assert (muting([window], calendar, now, hard=False) is window) == expected
        until = window.until(calendar, now)
        assert until is None or (until > now and until.astimezone(calendar.zone).time() == ends)
    assert muting([window], calendar, now, hard=True) is None
    assert hard or muting([], calendar, now, hard=hard) is None
