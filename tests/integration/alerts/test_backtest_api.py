"""The route as its callers see it: names, numbers and refusals."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient
from tests.integration.alerts.past_stage import CATALOGUE, DAY, START, PastStage, told

from alerts.app import build
from alerts.settings import AlertsSettings, SharedSettings
from common.auth.keys import mint
from common.auth.store import insert_key
from common.catalogue import store
from common.clock import FixedClock

DAYS = 100
NOW = START + DAYS * DAY


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def stage(postgres_url: str) -> Iterator[PastStage]:
    made = PastStage(postgres_url)
    yield made
    made.close()


@pytest.fixture
def serving(postgres_url: str, clock: FixedClock) -> Iterator[Callable[[str], TestClient]]:
    """Gives a caller with a key."""
    shared = SharedSettings(database_url=postgres_url)
    app = build(shared, AlertsSettings(), {}, clock, CollectorRegistry())
    with ExitStack() as stack:
        stack.callback(app.stop)

        def call(key: str) -> TestClient:
            client = stack.enter_context(TestClient(app.http, raise_server_exceptions=False))
            client.headers["authorization"] = f"Bearer {key}"
            return client

        yield call


@pytest.fixture
def csm(stage: PastStage, serving: Callable[[str], TestClient]) -> TestClient:
    """A caller with scope read, and a hundred days of six accounts behind."""
    store.apply(stage.conn, "t", CATALOGUE)
    stage.arrive([event for _, event in told(DAYS)], NOW)
    stage.loaded(NOW - timedelta(hours=1), NOW + timedelta(hours=1))
    minted = mint("read", stage.tenant_id, "t", "reader")
    insert_key(stage.conn, minted.row)
    return serving(minted.text)


def ask(csm: TestClient, rule: str, status: int = 200, **asked: Any) -> Any:
    answer = csm.post(f"/v1/rules/{rule}/backtest", json=asked)
    assert answer.status_code == status, answer.text
    return answer.json() if status == 200 else answer.json()["code"]


def test_the_answer_names_who_was_caught_and_says_what_is_not_known_yet(csm: TestClient) -> None:
    found = ask(csm, "account_silent")
    assert found["accuracy"]["caught"] == ["gone"]
    [warning] = [one for one in found["warnings"] if one["account"] == "gone"]
    assert (warning["owner"], warning["verdict"], warning["to"]) == ("dana", "caught", "2026-03-06")
    assert warning["evidence"] == "No activity for 15 days; its usual gap between active days is 1 day."
    assert found["accuracy"]["days_before"]["n"] == 1
    assert found["accuracy"]["precision"]["value"] is None
    assert found["accuracy"]["precision"]["note"] == "not known yet"
    assert sum(week["warnings"] for week in found["weeks"]) == len(found["warnings"])
    assert sum(load["warnings"] for load in found["load"]) == len(found["warnings"])
    assert found["events_known"]["assumed"] > 0


def test_a_churn_without_warning_is_missed_by_name(csm: TestClient) -> None:
    found = ask(csm, "complaints_rose")
    assert [one["account"] for one in found["accuracy"]["missed"]] == ["gone"]
    assert found["accuracy"]["caught"] == []


def test_a_rule_that_is_not_in_force_can_be_tried(csm: TestClient) -> None:
    draft = CATALOGUE.rules["account_silent"].model_copy(
        update={"name": "quiet_week", "condition": "a.days_silent > 7"}
    )
    found = ask(csm, "quiet_week", definition=draft.model_dump(mode="json"))
    assert found["accuracy"]["caught"] == ["gone"]
    assert found["accuracy"]["days_before"]["median"] > 10


def test_a_range_limits_what_is_told(csm: TestClient) -> None:
    found = ask(csm, "account_silent", **dict[str, Any]({"from": "2026-03-20", "to": "2026-04-01"}))
    assert (found["from"], found["to"]) == ("2026-03-20", "2026-04-01")
    assert all("2026-03-20" <= one["from"] <= "2026-04-01" for one in found["warnings"])


def test_what_cannot_be_replayed_is_refused_by_name(csm: TestClient) -> None:
    draft = CATALOGUE.rules["account_silent"].model_dump(mode="json")
    assert ask(csm, "nobody_knows_it", 404) == "rule-unknown"
    assert ask(csm, "another", 400, definition=draft) == "rule-invalid"
    assert (
        ask(csm, "account_silent", 400, definition=draft | {"condition": "a.days_silent >"}) == "rule-invalid"
    )
    assert (
        ask(csm, "account_silent", 400, definition=draft | {"condition": 'a.last_activity_at > "2026"'})
        == "figure-not-replayed"
    )
    assert (
        ask(csm, "account_silent", 400, **dict[str, Any]({"from": "2026-04-01", "to": "2026-01-06"}))
        == "range-invalid"
    )
    assert ask(csm, "account_silent", 400, horizon_days=0) == "request-invalid"


def test_another_tenant_sees_nothing_of_it(
    csm: TestClient, stage: PastStage, serving: Callable[[str], TestClient]
) -> None:
    [(other,)] = stage.conn.execute(
        "insert into control.tenant (slug, name) values ('o', 'o') returning id"
    ).fetchall()
    store.apply(stage.conn, "o", CATALOGUE)
    minted = mint("read", other, "o", "reader")
    insert_key(stage.conn, minted.row)
    assert ask(serving(minted.text), "account_silent", 404) == "history-empty"
