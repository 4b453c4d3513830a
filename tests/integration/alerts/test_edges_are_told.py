"""Who owns an edge of the tree hears once that it holds no more, on a working morning, and once that it holds again."""

import json
from datetime import date, timedelta

import pytest
from tests.integration.alerts.conftest import MONDAY_NOON, Watcher
from tests.integration.alerts.world import SECRET, World

from common.catalogue.models import Match, Receiver, Route, Routing
from common.catalogue.people import Leave, Person, Team

STOPPED, HOLDS = "driver.stopped", "driver.holds"
NAMES = ("maya", "tom", "all", "critical")
MATCHES = Match(severity=("critical",))


@pytest.fixture
def office(world: World) -> World:
    """Maya and Tom have receivers of their own; of every case `all` hears, and of critical ones another."""
    leave = Leave(first=date(2026, 3, 9), last=date(2026, 3, 20))
    people = (
        Person(name="Maya", receiver="maya", deputy="Tom", leave=(leave,)),
        Person(name="Tom", receiver="tom"),
    )
    receivers = tuple(
        Receiver(name=name, kind="webhook", url="http://127.0.0.1:9/", secret=SECRET) for name in NAMES
    )
    routes = (Route(receivers=("critical",), match=MATCHES, and_on=True), Route(receivers=("all",)))
    world.apply("acme", Routing(receivers=receivers, routes=routes), team=Team(people=people))
    world.drained()
    return world


def stops(world: World, edge: str, owner: str, segment: str | None = None) -> int:
    """What the gateway finds at night; returns its number."""
    [(found,)] = world.rows(
        "insert into control.edge_stop (tenant_id, edge, segment, driver, moves, owners, says, held_until, stopped_at) "
        "values (%s, %s, %s, 'portal_logins', 'grr', %s, 'It was so.', '2026-01-05', %s) returning id",
        world.tenant_id, edge, segment, [owner, "Customer success"], world.now,
    )  # fmt: skip
    return int(found)


def told(world: World) -> list[tuple[str, str, list[str]]]:
    """Receiver, type and edges of every notice."""
    rows = world.rows(
        "select r.name, n.type, n.body from alerts.notification n join alerts.receiver r on r.id = n.receiver_id order by n.seq"
    )
    return [
        (name, kind, [one["name"] for one in json.loads(body)["data"]["edges"]]) for name, kind, body in rows
    ]


def pass_to(world: World, watcher: Watcher, **delta: float) -> None:
    world.pass_time(**delta)
    world.drained()
    watcher.follow()


def test_its_owner_is_told_once_and_once_that_it_holds_again(office: World, watcher: Watcher) -> None:
    found = stops(office, "one", "Maya")
    stops(office, "one", "Maya", "small")
    for _ in range(3):
        pass_to(office, watcher, minutes=6)
    assert told(office) == [("maya", STOPPED, ["one", "one"])]
    office.connection.execute(
        "update control.edge_stop set holds_again_at = %s where id = %s", (office.now, found)
    )
    for _ in range(3):
        pass_to(office, watcher, minutes=6)
    assert told(office)[1:] == [("maya", HOLDS, ["one"])]


def test_a_team_that_is_no_person_is_told_by_who_hears_of_every_case(office: World, watcher: Watcher) -> None:
    stops(office, "one", "Product")
    stops(office, "two", "Tom")
    pass_to(office, watcher, minutes=6)
    assert sorted(told(office)) == [("all", STOPPED, ["one"]), ("tom", STOPPED, ["two"])]


def test_nobody_is_told_at_night_or_on_a_weekend_and_who_stands_in_hears_it(
    office: World, watcher: Watcher
) -> None:
    office.clock.advance(timedelta(days=5, hours=-10))
    assert office.now == MONDAY_NOON.replace(day=7, hour=2), "a Saturday"
    stops(office, "one", "Maya")
    for _ in range(2):
        pass_to(office, watcher, hours=24)
    assert office.now.weekday() == 0
    assert told(office) == [], "it is two o'clock"
    pass_to(office, watcher, hours=7)
    assert told(office) == [("tom", STOPPED, ["one"])]


def test_what_holds_again_before_anybody_was_told_is_no_news(office: World, watcher: Watcher) -> None:
    stops(office, "one", "Maya")
    office.connection.execute("update control.edge_stop set holds_again_at = stopped_at")
    pass_to(office, watcher, minutes=6)
    assert told(office) == []
