"""The buttons of notices: whoever holds the link may do the one thing it says, once, and scanners that open it do nothing."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient
from tests.integration.alerts.conftest import Watcher
from tests.integration.alerts.world import World

from alerts.adapters.outbox import PostgresOutbox
from alerts.app import App, build
from alerts.domain.buttons import GOOD_FOR
from alerts.settings import AlertsSettings, SharedSettings
from common.catalogue.models import Receiver, Routing


@pytest.fixture
def app(world: World) -> Iterator[App]:
    shared = SharedSettings(database_url=world.url)
    made = build(shared, AlertsSettings(), {}, world.clock, CollectorRegistry())
    yield made
    made.stop()


@pytest.fixture
def links(world: World, watcher: Watcher, app: App) -> dict[str, str]:
    """The paths of the buttons of a notice that Dana got by mail."""
    world.apply(
        "acme",
        Routing(receivers=(Receiver(name="mail", kind="email", to="dana@example.com", person="Dana"),)),
    )
    globex = world.account("globex", name="Globex <b>")
    world.complains(globex)
    watcher.follow()
    outbox = PostgresOutbox(app.pool, {}, "http://gateway.example/")
    (claimed,) = outbox.claim(world.now, 1, [])
    outbox.give_back([claimed])
    (again,) = outbox.claim(world.now, 1, [])
    assert again.delivery.body == claimed.delivery.body, "every attempt carries the same bytes"
    found = re.findall(
        r'"action":"(\w+)","label":"[^"]*","url":"http://gateway.example(/v1/[^"]*)"', claimed.delivery.body
    )
    return dict(found)


def test_opening_a_link_changes_nothing_and_pressing_it_acts_once_as_its_person(
    world: World, app: App, links: dict[str, str]
) -> None:
    with TestClient(app.http) as anybody:
        link = links["acknowledge"]
        shown = [anybody.get(link), anybody.head(link), anybody.get(link)]
        assert [answer.status_code for answer in shown] == [200, 200, 200]
        assert "Globex &lt;b&gt;" in shown[0].text
        assert shown[0].headers["cache-control"] == "no-store"
        assert world.cases()[0]["status"] == "open"
        assert anybody.post(link).status_code == 200
        assert world.rows("select acknowledged_by from alerts.v_case") == [("Dana",)]
        world.pass_time(hours=1)
        assert "pressed before" in anybody.post(link).text
        assert world.rows("select kind, actor from alerts.action where case_id is not null") == [
            ("acknowledged", "Dana")
        ]
        assert "pressed before" in anybody.get(link).text


def test_what_is_not_a_good_link_gets_one_answer_whatever_is_wrong(
    world: World, app: App, links: dict[str, str]
) -> None:
    good = links["not_real"]
    said, _, mac = good.rpartition(".")
    other = links["acknowledge"].rpartition(".")
    bad = [
        f"{said}.{other[2]}",
        f"{other[0]}.{mac}",
        f"{said}.",
        said,
        good[:-1],
        good + "A",
        "/v1/buttons/x",
        f"{said}A.{mac}",
    ]
    with TestClient(app.http) as anybody:
        answers = [anybody.request(method, path) for path in bad for method in ("GET", "POST")]
        world.clock.advance(GOOD_FOR + timedelta(seconds=1))
        answers += [anybody.get(good), anybody.post(good)]
        world.clock.advance(-GOOD_FOR - timedelta(seconds=1))
        world.rows("update alerts.installation set button_key = '\\x00' returning 1")
        answers += [anybody.get(good), anybody.post(good)]
    assert {(answer.status_code, answer.text) for answer in answers} == {(404, answers[0].text)}
    assert world.cases()[0]["status"] == "open"
    assert world.rows("select count(*) from alerts.press") == [(0,)]


def test_a_case_is_judged_and_what_is_expected_is_said_by_buttons(
    world: World, watcher: Watcher, app: App, links: dict[str, str]
) -> None:
    with TestClient(app.http) as anybody:
        assert 'name="days"' in anybody.get(links["expected"]).text
        assert anybody.post(links["expected"], data={"days": "30"}).status_code == 200
        assert world.rows("select expected_until from alerts.watch where expected_until is not null") == [
            (world.now + timedelta(days=30),)
        ]
        assert anybody.post(links["not_real"]).status_code == 200
        assert world.cases()[0]["resolution"] == "not_real"
        closed = anybody.post(links["acknowledge"])
        assert (closed.status_code, "nothing was changed" in closed.text) == (409, True)
        assert world.rows("select count(*) from alerts.press where action = 'acknowledge'") == [(0,)]


def test_links_of_a_receiver_that_was_deleted_end_and_the_delivery_log_shows_none(
    world: World, app: App, links: dict[str, str]
) -> None:
    key = {"authorization": f"Bearer {world.key('read')}"}
    with TestClient(app.http) as anybody:
        (notice,) = anybody.get("/v1/notifications", headers=key).json()["data"]
        assert "/v1/buttons/" not in anybody.get(f"/v1/notifications/{notice['id']}", headers=key).text
        world.rows("delete from alerts.receiver returning 1")
        assert anybody.post(links["acknowledge"]).status_code == 404
