"""The route as its callers see it: names, numbers and refusals."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from psycopg.types.json import Jsonb
from starlette.testclient import TestClient
from tests.integration.alerts.past_stage import CATALOGUE, DAY, START, PastStage, told

from alerts.app import App, build
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
def app(postgres_url: str, clock: FixedClock) -> Iterator[App]:
    made = build(SharedSettings(database_url=postgres_url), AlertsSettings(), {}, clock, CollectorRegistry())
    yield made
    made.stop()


@pytest.fixture
def serving(app: App) -> Iterator[Callable[[str], TestClient]]:
    """Gives a caller with a key."""
    with ExitStack() as stack:

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


def test_the_answer_names_who_was_caught_and_missed_and_says_what_is_not_known_yet(csm: TestClient) -> None:
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
    missed = ask(csm, "complaints_rose")["accuracy"]
    assert ([one["account"] for one in missed["missed"]], missed["caught"]) == (["gone"], [])


def test_a_rule_that_is_not_in_force_can_be_tried(csm: TestClient) -> None:
    draft = CATALOGUE.rules["account_silent"].model_copy(
        update={"name": "quiet_week", "condition": "a.days_silent > 7"}
    )
    found = ask(csm, "quiet_week", definition=draft.model_dump(mode="json"))
    assert found["accuracy"]["caught"] == ["gone"]
    assert found["accuracy"]["days_before"]["median"] > 10


def test_a_rule_that_costs_more_than_its_budget_says_so_before_it_is_applied(csm: TestClient) -> None:
    quiet = CATALOGUE.rules["account_silent"].model_copy(
        update={"name": "quiet_day", "condition": "a.days_silent > 1"}
    )
    models = {
        name: one.model_copy(update={"alert_budget": 0}) for name, one in CATALOGUE.engagement_models.items()
    }
    wanted = CATALOGUE.model_copy(
        update={"rules": {"quiet_day": quiet, "account_silent": CATALOGUE.rules["account_silent"]}}
    )
    body = wanted.model_dump(mode="json", include={"rules", "signals", "engagement_models"})
    spare = csm.post("/v1/rules/budget", json=body).json()
    assert (spare["over"], spare["changed"], spare["not_replayed"]) == (False, ["quiet_day"], [])
    [load] = spare["loads"]
    assert (load["owner"], load["engagement_model"], load["budget"]) == ("dana", "tech", 20)
    assert load["per_week"] > load["before"]
    none_left = wanted.model_copy(update={"engagement_models": models})
    body = none_left.model_dump(mode="json", include={"rules", "signals", "engagement_models"})
    assert csm.post("/v1/rules/budget", json=body).json()["over"] is True


def test_a_rule_that_no_replay_can_say_costs_what_it_warned_of_itself(
    csm: TestClient, stage: PastStage
) -> None:
    said = {"condition": "a.renewals_kept > 3", "evidence": "Kept.", "mode": "live"}
    kept, often = (
        CATALOGUE.rules["owner_changed"].model_copy(update={**said, "name": name})
        for name in ("kept", "often_kept")
    )
    rules = {"kept": kept, "often_kept": often.model_copy(update={"pending_seconds": 60})}
    body = CATALOGUE.model_copy(update={"rules": rules}).model_dump(mode="json", include={"rules", "signals"})
    noon = NOW + DAY / 2
    defined = {one.name: one.model_dump(mode="json") for one in (kept, often)}
    stage.conn.execute(
        "update control.definition set applied_at = %s, body = jsonb_set(body, '{rules}', body->'rules' || %s)",
        (noon - 50 * DAY, Jsonb(defined)),
    )
    # The first is of before the rule meant this, the second was withdrawn, the fourth came within the five working days after the third.
    told = [("calm", 53, 52, "resolved"), ("calm", 40, 39, "withdrawn"), ("calm", 36, 35, "resolved"), ("calm", 29, 28, "resolved"),
            ("calm", 20, 19, "resolved"), ("fading", 2, None, "firing")]  # fmt: skip
    for rule in rules:
        for n, (account, since, until, state) in enumerate(told):
            at, ended = noon - since * DAY, None if until is None else noon - until * DAY
            stage.conn.execute(
                """insert into alerts.alert (id, tenant_id, account_id, rule, state, reason, severity, since_at, fired_at, ended_at, label,
                   evidence, figures, updated_at) values (%s, %s, %s, %s, %s, '', 'warning', %s, %s, %s, '', '', '{}', %s)""",
                (f"{rule}{n}", stage.tenant_id, stage.account(account), rule, state, at, at, ended, NOW),
            )
    found = csm.post("/v1/rules/budget", json=body).json()
    assert found["recorded"] == [{"rule": "kept", "since": (NOW - 50 * DAY).date().isoformat()}]
    assert [one["rule"] for one in found["not_replayed"]] == ["often_kept"], (
        "another definition has no record"
    )
    [load] = found["loads"]
    assert (load["owner"], load["busiest_week"], load["rules"]) == (
        "dana",
        1,
        [{"rule": "kept", "per_week": 3 / 8}],
    )


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


WATCHED = NOW - 20 * DAY
_CASE = """
insert into alerts."case" (id, tenant_id, account_id, status, origin, severity, opened_at, updated_at)
values (%(id)s, %(tenant)s, %(account)s, 'open', 'live', 'warning', %(at)s, %(at)s)
"""
_ALERT = """
insert into alerts.alert
  (id, tenant_id, account_id, rule, state, reason, severity, case_id, since_at, fired_at, label, evidence, figures, updated_at, mode)
values (%(id)s, %(tenant)s, %(account)s, %(rule)s, 'firing', 'crossed', 'warning', %(case)s, %(at)s, %(at)s, '', '', '{}', %(at)s, %(mode)s)
"""
_VERDICT = """
insert into alerts.verdict (tenant_id, case_id, account_id, "real", said_by, said_at)
values (%(tenant)s, %(case)s, %(account)s, %(real)s, 'dana', %(at)s)
"""


class Warnings:
    """What the rules said since they watch, and what people said of it."""

    def __init__(self, stage: PastStage) -> None:
        self._stage = stage

    def fired(
        self, account: str, at: datetime, rule: str = "account_silent", *, shadow: bool = False
    ) -> None:
        values = {"tenant": self._stage.tenant_id, "account": self._stage.account(account), "at": at}
        case = None if shadow else f"case-{account}"
        if case is not None:
            self._stage.conn.execute(_CASE, {**values, "id": case})
        mode = "shadow" if shadow else "live"
        self._stage.conn.execute(
            _ALERT, {**values, "id": f"alert-{account}-{rule}", "case": case, "rule": rule, "mode": mode}
        )

    def said(self, account: str, real: bool | None) -> None:
        values = {"tenant": self._stage.tenant_id, "account": self._stage.account(account), "at": NOW}
        self._stage.conn.execute(_VERDICT, {**values, "case": f"case-{account}", "real": real})

    def banded(self, account: str, *days: tuple[int, str], definitions: int = 1) -> None:
        for day, band in days:
            at = START + day * DAY
            self._stage.conn.execute(
                "insert into engine.health_day (tenant_id, account_id, day, score, band, profile, definitions, computed_at) "
                "values (%s, %s, %s, 50, %s, 'standard', %s, %s)",
                (self._stage.tenant_id, self._stage.account(account), at.date(), band, definitions, at),
            )

    def risky(self, account: str, *days: tuple[int, str]) -> None:
        for day, probability in days:
            at = START + day * DAY
            self._stage.conn.execute(
                "insert into engine.risk_day (tenant_id, account_id, day, probability, method, version, computed_at) "
                "values (%s, %s, %s, %s, 'score', 1, %s)",
                (self._stage.tenant_id, self._stage.account(account), at.date(), probability, at),
            )

    def committed(self) -> None:
        """As the engine says that it wrote something."""
        self._stage.conn.execute("update engine.progress set batch_no = batch_no + 1")


@pytest.fixture
def warnings(csm: TestClient, stage: PastStage) -> Warnings:
    """Rules that watch for 20 days, after 80 days that nobody watched."""
    stage.conn.execute("update control.definition set applied_at = %s", (WATCHED,))
    return Warnings(stage)


def get(csm: TestClient, path: str, **asked: Any) -> Any:
    answer = csm.get(path, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_rule_on_risk_is_replayed_from_when_there_was_any(
    csm: TestClient, warnings: Warnings, app: App, stage: PastStage
) -> None:
    """Before that it could neither warn nor miss anybody."""
    draft = CATALOGUE.rules["account_silent"].model_dump(mode="json")
    asked: dict[str, Any] = {"definition": draft | {"condition": "a.renewal_risk >= 0.5"}}
    assert ask(csm, "account_silent", 400, **asked) == "figure-not-replayed"
    warnings.risky("gone", (60, "0.2"), (62, "0.7"))
    found = ask(csm, "account_silent", **asked)
    assert (found["from"], found["accuracy"]["missed"]) == ((START + 60 * DAY).date().isoformat(), [])
    assert [one["from"] for one in found["warnings"]] == [(START + 62 * DAY).date().isoformat()]
    while app.measuring.publisher.replay(stage.tenant_id, NOW):
        pass
    record = get(csm, "/v1/rules/notice_near_at_risk/record")
    assert record["since"] == (START + 60 * DAY).date().isoformat()


def test_a_record_joins_the_replayed_past_with_what_was_warned_of_and_freezes_each_month(
    csm: TestClient, warnings: Warnings, app: App, stage: PastStage
) -> None:
    warnings.fired("calm", NOW - 18 * DAY)
    warnings.fired("loud", NOW - 5 * DAY, shadow=True)
    while app.measuring.publisher.replay(stage.tenant_id, NOW):
        pass
    app.measuring.publisher.round(NOW)
    found = get(csm, "/v1/rules/account_silent/record", by="segment")
    assert (found["caught"], found["false"], found["missed"]) == (["gone"], [], [])
    assert (found["since"], found["verdicts"], found["words"]) == (
        "2026-01-05",
        1,
        "not known yet (1 of 20 verdicts)",
    )
    assert found["clean"]["caught"] == ["gone"]
    assert found["worked"]["pending"] == ["calm"]
    assert {"loud"} <= set(found["clean"]["pending"])
    assert found["money_caught"] == "1200.00"
    assert found["precision"] is None
    assert {part["key"]: part["caught"] for part in found["parts"]}["small"] == ["gone"]
    words = {rule["name"]: rule["record"] for rule in get(csm, "/v1/rules")["data"]}
    assert words["account_silent"] == "not known yet (1 of 20 verdicts)"

    warnings.said("calm", real=False)
    [month] = get(csm, "/v1/rules/account_silent/record/months")["data"]
    assert month["month"] == "2026-03"
    assert (month["as_reported"]["pending"].count("calm"), month["as_reported"]["false"]) == (1, [])
    assert (month["as_known_now"]["pending"].count("calm"), month["as_known_now"]["false"]) == (0, ["calm"])
    app.measuring.publisher.round(NOW)
    assert get(csm, "/v1/rules/account_silent/record/months")["data"] == [month]

    # Falling to a band of health is held against what came of it too; nobody saw the first band fall.
    warnings.banded("loud", (30, "poor"))
    warnings.banded("gone", (5, "good"), (40, "poor"))
    warnings.banded("calm", (5, "good"), (6, "poor"), (7, "poor"), (8, "good"))
    warnings.committed()
    found = get(csm, "/v1/accuracy/health/poor")
    # Calm stayed while a case of another rule was open: whether health was wrong is not known.
    assert (found["caught"], found["false"], found["unsaid"]) == (["gone"], [], ["calm"])
    assert (found["warnings"], found["since"]) == (2, "2026-01-10")
    assert found["days_before"]["median"] == pytest.approx(10, abs=1)
    assert csm.get("/v1/accuracy/health/good").status_code == 404
    warnings.risky("loud", (30, "0.9"), (31, "0.9"))
    warnings.risky("gone", (5, "0.2"), (41, "0.5"), (42, "0.7"))
    warnings.committed()
    found = get(csm, "/v1/accuracy/risk/score")
    assert (found["caught"], found["warnings"]) == (["gone"], 1)

    # A rule that means something else begins a record of its own.
    other = CATALOGUE.rules["account_silent"].model_copy(update={"condition": "a.days_silent > 60"})
    changed = CATALOGUE.model_copy(update={"rules": {**CATALOGUE.rules, "account_silent": other}})
    store.apply(stage.conn, "t", changed)
    stage.conn.execute("update control.definition set applied_at = %s where version = 2", (NOW - DAY,))
    assert get(csm, "/v1/rules/account_silent/record")["warnings"] == 0
    assert get(csm, "/v1/rules/account_silent/record/months")["data"][0]["as_known_now"] is None

    # So does health by other weights, and the risk goes on.
    (name, profile), *_ = CATALOGUE.health.items()
    other_health = {**CATALOGUE.health, name: profile.model_copy(update={"least_known": 77})}
    store.apply(stage.conn, "t", changed.model_copy(update={"health": other_health}))
    assert csm.get("/v1/accuracy/health/poor").status_code == 404
    assert get(csm, "/v1/accuracy/risk/score")["warnings"] == 1
    warnings.banded("loud", (60, "good"), definitions=3)
    warnings.banded("calm", (61, "poor"), (62, "good"), (63, "poor"), definitions=3)
    warnings.committed()
    assert get(csm, "/v1/accuracy/health/poor")["warnings"] == 1
