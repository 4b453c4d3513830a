"""The demo's story: a seeded world with five characters in it."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise, takewhile

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwether.story import rhythm
from bellwether.story.event import StoryEvent
from bellwether.story.history import history
from bellwether.story.live import live
from bellwether.story.world import ACCOUNTS, Account, Role, World, build
from common.catalogue import load
from common.catalogue.loading import base_pack
from common.catalogue.models import EventField

ANCHOR = date(2026, 4, 15)
NOW = datetime(2026, 4, 15, 13, 30, tzinfo=UTC)
USE = ("user.logged_in", "feature.used")


@pytest.fixture(scope="module")
def world() -> World:
    return build(7, ANCHOR)


@pytest.fixture(scope="module")
def told(world: World) -> list[StoryEvent]:
    return list(history(world, NOW))


def of(told: list[StoryEvent], account: Account, *types: str) -> list[StoryEvent]:
    return [event for event in told if event.account == account.slug and (not types or event.type in types)]


def days_ago(event: StoryEvent) -> int:
    return (ANCHOR - event.at.date()).days


def user_days(told: list[StoryEvent], account: Account, first: int, last: int) -> int:
    """Of the days from `last` to `first` days ago, both included."""
    seen = {(e.data["user"], e.at.date()) for e in of(told, account, *USE) if first <= days_ago(e) <= last}
    return len(seen)


def test_it_is_a_year_of_200_accounts_and_no_more_than_may_be(told: list[StoryEvent], world: World) -> None:
    assert len(world.accounts) == len({account.slug for account in world.accounts}) == ACCOUNTS == 200
    assert 150_000 < len(told) <= 400_000
    assert {event.account for event in told} == {account.slug for account in world.accounts}
    assert Counter(account.segment for account in world.accounts) == {
        "enterprise": 24,
        "mid": 66,
        "small": 110,
    }


def test_it_is_sorted_ends_before_now_and_no_id_comes_twice(told: list[StoryEvent]) -> None:
    assert all(before.order <= after.order for before, after in pairwise(told))
    assert told[-1].at < NOW
    assert NOW - told[-1].at < timedelta(hours=4)
    assert len({event.id for event in told}) == len(told)


def test_the_same_seed_and_day_tell_the_same_and_others_another() -> None:
    until = datetime(2026, 4, 15, tzinfo=UTC) - timedelta(days=360)
    first, again = (list(history(build(3, ANCHOR), until)) for _ in range(2))
    assert [event.body() for event in first] == [event.body() for event in again]
    ids = {event.id for event in first}
    assert ids.isdisjoint(event.id for event in history(build(4, ANCHOR), until))
    assert ids.isdisjoint(event.id for event in history(build(3, ANCHOR + timedelta(days=1)), until))


def test_told_in_parts_it_is_the_same_story(told: list[StoryEvent], world: World) -> None:
    start, middle, end = NOW - timedelta(days=3), NOW - timedelta(days=1), NOW + timedelta(days=2)
    first, rest = list(history(world, middle, since=start)), list(history(world, end, since=middle))
    assert first + rest == list(history(world, end, since=start))
    assert [event for event in told if event.at >= start] == list(history(world, NOW, since=start))


def test_every_event_is_what_the_catalogue_declares(told: list[StoryEvent], world: World) -> None:
    types = load(base_pack()).event_types
    for event in [*told[::7], *islice(live(world, NOW), 500)]:
        declared = types[event.type].fields
        missing = [name for name, field in declared.items() if field.required and name not in event.data]
        assert not missing, (event.type, missing)
        for name, value in event.data.items():
            if name in declared:
                assert fits(declared[name], value), (event.type, name, value)


def fits(field: EventField, value: object) -> bool:
    if field.enum is not None and value not in field.enum:
        return False
    match field.type:
        case "string":
            return isinstance(value, str)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "money":
            return isinstance(value, str) and value.replace(".", "").isdigit()
        case "instant":
            return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
        case _:
            return True


def test_an_event_is_a_cloudevent_of_the_system_it_would_come_from(world: World) -> None:
    event = StoryEvent(
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "id-1", "invoice.paid", "acme", {"amount": "1.00"}
    )
    assert msgspec.json.decode(event.body()) == {
        "specversion": "1.0",
        "id": "id-1",
        "source": "/story/billing",
        "type": "invoice.paid",
        "time": "2026-01-02T03:04:05Z",
        "subject": "acme",
        "data": {"amount": "1.00"},
    }


def test_the_loud_one_complains_more_and_more_but_never_yet_enough_for_the_rule(
    told: list[StoryEvent], world: World
) -> None:
    loud = world.account(Role.LOUD)
    ago = sorted(days_ago(event) for event in of(told, loud, "complaint.filed"))
    assert len(ago) >= 6
    assert all(sum(1 for other in ago if day <= other < day + 8) < 3 for day in ago)
    scores = [event.data["score"] for event in of(told, loud, "survey.responded")]
    assert scores[0] in (8, 9)
    assert scores[-1] == 2
    champion = next(person for person in loud.people if person.champion)
    assert [event.data["user"] for event in of(told, loud, "user.left")] == [champion.id]


def test_live_the_loud_one_crosses_the_rule_within_a_minute(told: list[StoryEvent], world: World) -> None:
    loud = world.account(Role.LOUD)
    ago = [days_ago(event) for event in of(told, loud, "complaint.filed")]
    week, base = sum(1 for day in ago if day < 7), sum(1 for day in ago if 7 <= day < 91) / 12
    assert not crosses(week, base)
    minute = takewhile(lambda event: event.at < NOW + timedelta(seconds=60), live(world, NOW))
    more = sum(1 for event in minute if event.type == "complaint.filed" and event.account == loud.slug)
    assert crosses(week + more, base)


def crosses(week: int, base: float) -> bool:
    return week >= 3 and week >= 3 * base + 1


def test_the_silent_one_fades_and_says_nothing(told: list[StoryEvent], world: World) -> None:
    silent = world.account(Role.SILENT)
    assert user_days(told, silent, 1, 28) <= 0.65 * user_days(told, silent, 29, 56)
    assert user_days(told, silent, 1, 28) > 0
    assert not of(told, silent, "complaint.filed", "subscription.cancelled")


def test_the_expanding_one_has_more_seats_people_and_money(told: list[StoryEvent], world: World) -> None:
    account = world.account(Role.EXPANDING)
    paid = [float(str(e.data["mrr"])) for e in of(told, account, "subscription.changed") if days_ago(e) < 365]
    assert len(paid) == 3
    assert paid == sorted(paid)
    assert len(account.people_on(ANCHOR)) > 1.5 * len(account.people_on(ANCHOR - timedelta(days=210)))


def test_the_one_on_holiday_is_silent_for_longer_than_the_rule_allows_and_was_well_before(
    told: list[StoryEvent], world: World
) -> None:
    account = world.account(Role.HOLIDAY)
    acts = [
        e for e in of(told, account) if e.type.split(".")[0] in ("user", "feature", "ticket", "complaint")
    ]
    assert min(days_ago(event) for event in acts) > 15
    assert user_days(told, account, 20, 47) > 20
    assert any("overhaul" in str(event.data.get("note")) for event in of(told, account, "activity.logged"))


def test_live_the_one_on_holiday_comes_back(world: World) -> None:
    five_minutes = takewhile(lambda event: event.at < NOW + timedelta(minutes=5), live(world, NOW))
    back = [e for e in five_minutes if e.account == world.account(Role.HOLIDAY).slug]
    assert back
    assert all(event.at > NOW + timedelta(minutes=2) for event in back)


def test_nobody_could_have_foreseen_the_last_one(told: list[StoryEvent], world: World) -> None:
    account = world.account(Role.UNFORESEEN)
    assert account.closed is not None
    before = (ANCHOR - account.closed).days
    assert user_days(told, account, before + 1, before + 28) > 0.8 * user_days(
        told, account, before + 29, before + 56
    )
    assert not of(told, account, "complaint.filed")
    assert all(int(str(e.data["score"])) >= 7 for e in of(told, account, "survey.responded"))
    (closed,) = of(told, account, "account.closed")
    assert of(told, account)[-1] == closed


def test_the_others_are_calm(told: list[StoryEvent], world: World) -> None:
    """Noise must not look like news: nobody else's complaints rise, and hardly anybody's use falls."""
    complaints = defaultdict(list)
    for event in told:
        if event.type == "complaint.filed":
            complaints[event.account].append(event.at)
    others = [a for a in world.accounts if a.role is Role.BACKGROUND and a.closed is None]
    for account in others:
        assert all(
            after - before > timedelta(days=14) for before, after in pairwise(complaints[account.slug])
        )
    by_account = defaultdict(list)
    for event in told:
        if days_ago(event) <= 56:
            by_account[event.account].append(event)
    own = [(by_account[account.slug], account) for account in others]
    falling = [a for events, a in own if falls(user_days(events, a, 1, 28), user_days(events, a, 29, 56))]
    assert len(falling) <= 4


def falls(last: int, base: int) -> bool:
    return base >= 8 and last / base - 1 <= -0.3


def test_live_goes_on_at_a_few_events_a_second_in_order_and_with_ids_of_its_own(world: World) -> None:
    minute = list(takewhile(lambda event: event.at < NOW + timedelta(seconds=60), live(world, NOW)))
    assert 100 < len(minute) < 300
    assert all(before.order <= after.order for before, after in pairwise(minute))
    assert minute[0].at >= NOW
    later = {event.id for event in islice(live(world, NOW + timedelta(hours=1)), 300)}
    assert later.isdisjoint(event.id for event in minute)
    assert list(islice(live(world, NOW), 50)) == list(islice(live(world, NOW), 50))


def test_nobody_acts_live_who_has_left(world: World) -> None:
    gone = {account.slug for account in world.accounts if account.closed is not None}
    assert gone
    assert gone.isdisjoint(event.account for event in islice(live(world, NOW), 2_000))


@given(st.integers(1900, 2199))
def test_easter_is_a_sunday_between_the_bounds_of_the_church(year: int) -> None:
    easter = rhythm.easter(year)
    assert easter.weekday() == 6
    assert date(year, 3, 22) <= easter <= date(year, 4, 25)


def test_known_holidays_are_known() -> None:
    assert rhythm.easter(2026) == date(2026, 4, 5)
    assert date(2026, 11, 26) in rhythm.holidays("amer", 2026)
    assert date(2026, 2, 17) in rhythm.holidays("apac", 2026)


@given(st.sampled_from(["emea", "amer", "apac"]), st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_a_share_of_use_is_a_share(region: str, day: date) -> None:
    assert 0 <= rhythm.share(region, day) <= 1
    assert rhythm.share(region, day) < 0.1 or day.weekday() < 5
