"""Replays of what rules would have warned of run in a process of their own; the service starts it and publishes what came of it."""

import os
from collections.abc import Callable
from datetime import timedelta

import pytest
from starlette.testclient import TestClient
from tests.integration.alerts.past_stage import PastStage
from tests.integration.alerts.test_backtest_api import NOW, app, clock, csm, serving, stage

from alerts.adapters.definitions import DefinitionStore
from alerts.adapters.ledger import PostgresLedger
from alerts.app import REPLAY_PASTS, App
from alerts.ports.ledger import Ledger
from common.aside import Aside
from common.clock import FixedClock

__all__ = ["app", "clock", "csm", "serving", "stage"]


class Standin(Aside):
    """Counts how often it is started; `works` is what the process would do."""

    def __init__(self, works: Callable[[], object]) -> None:
        super().__init__("alerts", REPLAY_PASTS, {})
        self.works, self.started = works, 0

    def step(self) -> int:
        self.started += 1
        self.works()
        return 0


def swept(stage: PastStage) -> None:
    stage.conn.execute(
        "insert into alerts.sweep (tenant_id, through) values (%s, %s)",
        (stage.tenant_id, NOW + timedelta(days=1)),
    )


@pytest.fixture
def ledger(stage: PastStage) -> Ledger:
    return PostgresLedger(stage.conn, "t", DefinitionStore())


def words(csm: TestClient) -> dict[str, str | None]:
    return {rule["name"]: rule["record"] for rule in csm.get("/v1/rules").json()["data"]}


def test_the_process_replays_every_rule_and_ends(
    csm: TestClient, stage: PastStage, app: App, postgres_url: str
) -> None:
    replaying = Aside("alerts", REPLAY_PASTS, {**os.environ, "DATABASE_URL": postgres_url})
    assert replaying.step() == 0
    assert app.measuring.publisher.missing(), "a load is not swept through yet"
    swept(stage)
    assert len(app.measuring.publisher.missing()[stage.tenant_id]) > 5
    assert replaying.step() == 0
    assert app.measuring.publisher.missing() == {}
    replaying.stop()
    assert replaying.step() == 0


def test_what_was_replayed_is_published_at_once(
    csm: TestClient, stage: PastStage, app: App, ledger: Ledger, clock: FixedClock
) -> None:
    measuring = app.measuring
    measuring.replaying = started = Standin(lambda: measuring.publisher.replay_some(clock.now()))
    measuring.round(ledger)
    assert (started.started, words(csm)["account_silent"]) == (0, "not known yet (0 of 20 verdicts)")
    swept(stage)
    while measuring.publisher.missing():
        clock.advance(timedelta(minutes=1))
        measuring.round(ledger)
    assert words(csm)["account_silent"] == "not known yet (1 of 20 verdicts)"
    before = started.started
    measuring.round(ledger)
    assert started.started == before > 1


def test_what_cannot_be_replayed_starts_no_process_every_minute(
    csm: TestClient, stage: PastStage, app: App, ledger: Ledger, clock: FixedClock
) -> None:
    swept(stage)
    app.measuring.replaying = started = Standin(lambda: None)
    for _ in range(59):
        app.measuring.round(ledger)
        clock.advance(timedelta(minutes=1))
    assert started.started == 1
    clock.advance(timedelta(minutes=1))
    app.measuring.round(ledger)
    assert started.started == 2
