"""How a case lives: whom it wakes, who sees it in the morning, how it ages, and what is learnt when the account is lost."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient
from tests.integration.alerts.conftest import Watcher
from tests.integration.alerts.world import FALLEN, HEALTHY, SECRET, SILENT, World

from alerts.app import App, build
from alerts.domain.brief import brief_of
from alerts.settings import AlertsSettings, SharedSettings
from common.catalogue import loading
from common.catalogue.alerting import Alerting, Flapping, Heartbeat, MuteTime, Paging, PlaybookStep, Storm
from common.catalogue.models import BusinessHours, Receiver, Route, Routing, Settings
from common.catalogue.people import Leave, OnCall, Person, Rotation, Team

RULES = loading.load(loading.base_pack()).rules
WORKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
NAMES = ("team", "dana_mail", "kim_mail", "pulse")
RECEIVERS = tuple(
    Receiver(
        name=name,
        kind="webhook",
        url="http://127.0.0.1:9/",
        secret=SECRET,
        events=("heartbeat",) if name == "pulse" else (),
    )
    for name in NAMES
)
PEOPLE = Team(
    people=(
        Person(name="dana", receiver="dana_mail", timezone="Asia/Tokyo", digest_at="08:00"),
        Person(name="kim", receiver="kim_mail", timezone="America/New_York", deputy="dana"),
    )
)
ROTATION = Rotation(
    name="cs",
    people=("dana", "kim"),
    starts_on=date(2026, 3, 2),
    hand_over="09:00",
    escalate_after_minutes=30,
    default=("team",),
)
ALERTING = Alerting(
    page=Paging(above=Decimal(1000), within_days=60),
    digest_at="08:00",
    acknowledged_for_days=7,
    closes_after_healthy_days=5,
    not_real_days=30,
    flapping=Flapping(turns=4, within_hours=48),
    storm=Storm(cases=3, within_minutes=10),
)
SETTINGS = Settings(
    business_hours=BusinessHours(days=dict.fromkeys(WORKDAYS, ("09:00-17:00",)), holidays=(date(2026, 3, 5),))
)


def _in_force(world: World, alerting: Alerting = ALERTING, **changes: Any) -> None:
    routes = (Route(owner=True, and_on=True), Route(on_call="cs"))
    routing = Routing(receivers=RECEIVERS, routes=routes)
    team = changes.pop("team", PEOPLE)
    on_call = OnCall(rotations=(ROTATION,))
    world.apply("acme", routing, alerting=alerting, team=team, on_call=on_call, settings=SETTINGS, **changes)


def _account(world: World, watcher: Watcher, name: str, /, **traits: Any) -> int:
    """One that was looked at while it was well."""
    account = world.account(name, **{"name": name.title(), "owner": "dana"} | traits)
    world.computed(account)
    watcher.follow()
    return account


def _sent(world: World, kind: str = "%") -> list[tuple[str, str]]:
    return [
        (row[0], row[1])
        for row in world.rows(
            "select type, receiver from alerts.notification where type like %s order by seq", kind
        )
    ]


@pytest.fixture
def app(world: World) -> Iterator[App]:
    shared = SharedSettings(database_url=world.url)
    made = build(shared, AlertsSettings(), {}, world.clock, CollectorRegistry())
    yield made
    made.stop()


@pytest.fixture
def csm(world: World, app: App) -> Iterator[TestClient]:
    with TestClient(app.http, headers={"authorization": f"Bearer {world.key('act')}"}) as client:
        yield client


def _ok(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def test_only_money_near_its_deadline_or_a_hard_event_wakes_somebody(
    world: World, watcher: Watcher, csm: TestClient
) -> None:
    hard = RULES["complaints_rose"].model_copy(update={"hard": True})
    steps = (PlaybookStep(label="Call them", due_days=3),)
    grow = RULES["account_silent"].model_copy(
        update={
            "name": "may_grow",
            "queue": "growth",
            "condition": "a.user_days_28d > 200",
            "evidence": "More use.",
        }
    )
    fell = RULES["usage_fell"].model_copy(update={"mode": "live", "playbook": steps})
    _in_force(world, rules={"complaints_rose": hard, "usage_fell": fell, "may_grow": grow})
    far, near, cheap, loud = (
        _account(world, watcher, name, parent=parent)
        for name, parent in (("far", None), ("near", "group"), ("cheap", "group"), ("loud", None))
    )
    world.pass_time(days=1)
    world.computed(far, mrr=5000, days_to_notice=200, **FALLEN)
    world.renews(near, (900, 0.6, 30), (100, 0.1, 300))
    world.computed(near, mrr=1000, renewal_risk=0.6, **FALLEN)
    world.computed(
        cheap,
        mrr=10,
        days_to_notice=30,
        user_days_28d=300,
        **{k: FALLEN[k] for k in FALLEN if k != "user_days_28d"},
    )
    world.complains(loud)
    watcher.follow()
    # Once to the owner, once to whoever is on call, who is the owner: one receiver hears it once.
    assert _sent(world) == [("case.opened", "dana_mail")] * 2
    queue = _ok(csm.get("/v1/alerts", params={"sort": "priority", "assignee": "dana"}))["data"]
    assert [
        (case["account"], case["severity"], case["paging"], case["paged_at"] is not None) for case in queue
    ] == [
        ("far", "warning", "deadline-far", False),
        ("near", "critical", "money-and-deadline", True),
        ("loud", "critical", "hard-event", True),
        ("cheap", "warning", "under-limit", False),
    ]
    near_case = queue[1]
    assert (near_case["money_at_risk"], near_case["probability_from"]) == ("6600.00", "renewal-risk")
    assert (near_case["probability"], near_case["notice_deadline"][:10]) == ("0.5500", "2026-04-02")
    # A child's case is shown with its family's, and summed.
    assert [one["account"] for one in near_case["relatives"]] == ["cheap"]
    assert near_case["family_money_at_risk"] == "6630.00"
    first = _ok(csm.get("/v1/alerts", params={"sort": "priority", "limit": 1}))
    rest = _ok(csm.get("/v1/alerts", params={"sort": "priority", "cursor": first["next_cursor"]}))
    assert [case["id"] for case in first["data"] + rest["data"]] == [case["id"] for case in queue]
    (growth,) = _ok(csm.get("/v1/alerts", params={"queue": "growth"}))["data"]
    assert (growth["account"], growth["paging"], growth["money_at_risk"]) == ("cheap", "growth", None)
    # Three working days from Tuesday, Thursday being a holiday.
    detail = _ok(csm.get(f"/v1/alerts/{near_case['id']}"))
    (step,) = detail["steps"]
    assert (step["label"], step["owner"], step["due_on"], step["overdue"]) == (
        "Call them",
        "dana",
        "2026-03-09",
        False,
    )
    done = _ok(
        csm.post(
            f"/v1/alerts/{near_case['id']}/steps/{step['id']}", json={"status": "done", "note": "Called"}
        )
    )
    assert (done["steps_todo"], done["actions"][-1]["kind"]) == (0, "step-done")
    # The family's next case is no graver: people know of it already.
    sister = _account(world, watcher, "sister", parent="group")
    world.pass_time(days=1)
    world.renews(sister, (1000, 0.6, 28))
    world.computed(sister, mrr=1000, **FALLEN)
    watcher.follow()
    (held,) = _ok(csm.get("/v1/alerts", params={"account": "sister"}))["data"]
    assert (held["paging"], held["held"], held["paged_at"]) == ("money-and-deadline", "family-told", None)
    # The deadline comes near by itself: then it is told, and is critical.
    world.pass_time(days=1)
    world.computed(far, days_to_notice=40)
    watcher.follow()
    assert len(_sent(world, "case.opened")) == 3
    graver = _ok(csm.get("/v1/alerts", params={"severity": "critical"}))["data"]
    assert sorted(case["account"] for case in graver) == ["far", "loud", "near", "sister"]


def test_an_unanswered_page_goes_on_step_by_step_and_survives_whoever_sends_it(
    world: World, watcher: Watcher, new_watcher: Any, csm: TestClient
) -> None:
    _in_force(world, ALERTING.model_copy(update={"page": None}))
    globex, initech = (_account(world, watcher, name) for name in ("globex", "initech"))
    world.complains(globex)
    world.complains(initech)
    watcher.follow()
    (initech_case,) = [case["id"] for case in world.cases() if case["account"] == "initech"]
    _ok(csm.post(f"/v1/alerts/{initech_case}/acknowledge", json={"by": "dana"}))
    world.pass_time(minutes=31)
    watcher.follow()
    watcher.follow()
    assert _sent(world, "case.escalated") == [("case.escalated", "kim_mail")]
    world.pass_time(minutes=31)
    new_watcher().follow()
    world.pass_time(days=1)
    watcher.follow()
    assert _sent(world, "case.escalated") == [("case.escalated", "kim_mail"), ("case.escalated", "team")]
    # An override, a leave: who is on call says so, and later pages go there.
    now = world.now
    _ok(
        csm.post(
            "/v1/on-call/overrides",
            json={"rotation": "cs", "person": "kim", "ends_at": (now + timedelta(hours=2)).isoformat()},
        ),
        201,
    )
    first, last = now.date().isoformat(), (now + timedelta(days=9)).date().isoformat()
    _ok(csm.post("/v1/people/kim/leaves", json={"first": first, "last": last}), 201)
    (rotation,) = _ok(csm.get("/v1/on-call"))["data"]
    assert (rotation["now"]["person"], rotation["now"]["because"]) == ("kim", "override")
    assert [duty["person"] for duty in rotation["coming"]][:2] == ["kim", "dana"]
    (_, kim) = _ok(csm.get("/v1/people"))["data"]
    assert (kim["is_away"], kim["away_until"], kim["stand_in"]) == (True, last, "dana")


def test_a_digest_comes_once_a_working_day_by_its_owners_clock(
    world: World, watcher: Watcher, new_watcher: Any
) -> None:
    team = PEOPLE.model_copy(
        update={
            "people": (
                *PEOPLE.people[:1],
                PEOPLE.people[1].model_copy(
                    update={"leave": (Leave(first=date(2026, 3, 9), last=date(2026, 3, 9)),)}
                ),
            )
        }
    )
    _in_force(world, team=team)
    dana_s, kim_s = _account(world, watcher, "globex"), _account(world, watcher, "initech", owner="kim")
    world.pass_time(days=1)
    world.computed(dana_s, kim_s, **FALLEN)
    watcher.follow()
    # Tuesday noon UTC. Kim's morning is at 13:00 UTC, Dana's Wednesday begins at 23:00 UTC.
    world.pass_time(hours=1, minutes=1)
    watcher.follow()
    new_watcher().follow()
    assert [to for _, to in _sent(world, "digest.%")] == ["kim_mail"]
    world.pass_time(hours=10)
    watcher.follow()
    assert [to for _, to in _sent(world, "digest.%")] == ["kim_mail", "dana_mail"]
    # Thursday is a holiday, then comes the weekend; on Monday Kim is away and Dana stands in.
    for _ in range(5 * 4 - 1):
        world.pass_time(hours=6)
        watcher.follow()
    sent = world.rows(
        "select receiver, body from alerts.notification where type = 'digest.morning' order by seq"
    )
    days = [(row[0], orjson.loads(row[1])["data"]["day"]) for row in sent]
    assert days == [
        ("kim_mail", "2026-03-03"),
        ("dana_mail", "2026-03-04"),
        ("kim_mail", "2026-03-04"),
        ("dana_mail", "2026-03-06"),
        ("kim_mail", "2026-03-06"),
    ]
    world.pass_time(hours=14)
    watcher.follow()
    last = orjson.loads(
        world.rows(
            "select body from alerts.notification where type = 'digest.morning' order by seq desc limit 1"
        )[0][0]
    )
    assert (last["data"]["owner"], last["data"]["stands_in_for"], len(last["data"]["cases"])) == (
        "dana",
        ["kim"],
        2,
    )


def test_evidence_of_an_open_case_is_shown_as_it_was_and_as_it_is(
    world: World, watcher: Watcher, csm: TestClient
) -> None:
    _in_force(world, ALERTING.model_copy(update={"page": None}))
    globex = _account(world, watcher, "globex")
    world.complains(globex, 12)
    watcher.follow()
    world.computed(globex, complaints_7d=5, **FALLEN)
    watcher.follow()
    (case,) = _ok(csm.get("/v1/alerts"))["data"]
    by_rule = {alert["rule"]: alert for alert in case["alerts"]}
    rose = by_rule["complaints_rose"]
    assert sorted(by_rule) == ["complaints_rose", "usage_fell"], "what fires anew is attached"
    assert rose["evidence"].startswith("12 complaints in")
    assert rose["evidence_now"].startswith("5 complaints in")
    assert (rose["figures"]["complaints_7d"], rose["figures_now"]["complaints_7d"]) == (12, 5)
    world.pass_time(days=1)
    watcher.follow()
    told = world.rows("select type, body from alerts.notification where receiver = 'dana_mail' order by seq")
    (opened, worse, morning) = [orjson.loads(body)["data"] for _, body in told]
    assert [kind for kind, _ in told] == ["case.opened", "case.worsened", "digest.morning"]
    assert opened["alerts"][0]["evidence_now"] == opened["alerts"][0]["evidence"] == rose["evidence"]
    (spoken,) = [alert for alert in worse["alerts"] if alert["rule"] == "complaints_rose"]
    assert (spoken["evidence"], spoken["evidence_now"]) == (rose["evidence"], rose["evidence_now"])
    both = f"{rose['evidence']} Now: {rose['evidence_now']}"
    assert both in morning["cases"][0]["evidence"]
    assert any(both in line for line in brief_of("case.worsened", orjson.loads(told[1][1])).changed)
    # What is over, or of which nothing is known, has no present value: what was said stays.
    world.computed(globex, complaints_7d=None)
    watcher.follow()
    (case,) = _ok(csm.get("/v1/alerts"))["data"]
    (rose,) = [alert for alert in case["alerts"] if alert["rule"] == "complaints_rose"]
    assert (rose["evidence"], rose["evidence_now"]) == (spoken["evidence"], None)


def test_after_an_outage_the_digest_comes_late_and_a_day_that_was_lost_whole_is_said_on_the_next(
    world: World, watcher: Watcher
) -> None:
    _in_force(world)
    dana_s, kim_s = _account(world, watcher, "globex"), _account(world, watcher, "initech", owner="kim")
    world.pass_time(hours=10)
    world.computed(dana_s, kim_s, **FALLEN)
    watcher.follow()
    # Monday 22:00 UTC. Dana's Tuesday morning comes within the hour, Kim's at 13:00 UTC; then nothing runs until Wednesday, 22:00.
    for hours in (2, 13, 33):
        world.pass_time(hours=hours)
        watcher.follow()
    # On Thursday, a holiday, nobody hears anything; Dana's Friday begins on Thursday evening.
    for hours in (20, 6, 20):
        world.pass_time(hours=hours)
        watcher.follow()
    sent = [
        orjson.loads(body)["data"]
        for (body,) in world.rows(
            "select body from alerts.notification where type = 'digest.morning' order by seq"
        )
    ]
    assert [(one["owner"], one["day"], one["missed_days"]) for one in sent] == [
        ("dana", "2026-03-03", []),
        ("kim", "2026-03-03", []),
        ("kim", "2026-03-04", []),
        ("dana", "2026-03-06", ["2026-03-04"]),
        ("kim", "2026-03-06", []),
    ]


def test_a_case_closes_after_healthy_working_days_and_an_acknowledgement_runs_out(
    world: World, watcher: Watcher, csm: TestClient
) -> None:
    _in_force(
        world,
        ALERTING.model_copy(
            update={
                "page": None,
                "mute_times": (MuteTime(name="nights", weekdays=WORKDAYS, begins="20:00", ends="06:00"),),
            }
        ),
    )
    globex, initech = (_account(world, watcher, name) for name in ("globex", "initech"))
    world.complains(globex)
    world.complains(initech)
    watcher.follow()
    ids = {case["account"]: case["id"] for case in world.cases()}
    _ok(csm.post(f"/v1/alerts/{ids['initech']}/acknowledge", json={}))
    world.computed(globex, **HEALTHY)
    watcher.follow()
    world.pass_time(hours=2)
    watcher.follow()
    case = _ok(csm.get(f"/v1/alerts/{ids['globex']}"))
    # Monday afternoon: Tuesday, Wednesday, Friday (Thursday is a holiday), Monday and Tuesday are to be well.
    assert (case["status"], case["phase"], case["due_at"]) == ("open", "recovering", "2026-03-11T00:00:00Z")
    world.pass_time(days=7)
    watcher.follow()
    again = _ok(csm.get(f"/v1/alerts/{ids['initech']}"))
    assert (again["status"], again["lapsed_at"] is not None, again["actions"][-1]["kind"]) == (
        "open",
        True,
        "acknowledgement-lapsed",
    )
    assert ("case.lapsed", "dana_mail") in _sent(world)
    world.pass_time(days=2)
    watcher.follow()
    assert _ok(csm.get(f"/v1/alerts/{ids['globex']}"))["resolution"] == "recovered"
    # At night nothing is told until the morning.
    before = len(_sent(world, "case.opened"))
    world.pass_time(hours=8)
    world.complains(globex)
    watcher.follow()
    assert (len(_sent(world, "case.opened")), world.now.hour) == (before, 22)
    world.pass_time(hours=9)
    watcher.follow()
    assert _sent(world, "case.opened")[2:] == [("case.opened", "dana_mail"), ("case.opened", "kim_mail")]


def test_what_people_judged_not_real_stays_quiet_until_it_is_materially_worse(
    world: World, watcher: Watcher, csm: TestClient
) -> None:
    _in_force(world, ALERTING.model_copy(update={"page": None}))
    globex = _account(world, watcher, "globex")
    world.pass_time(days=14)
    world.computed(globex, **SILENT)
    watcher.follow()
    (case,) = world.cases()
    said = _ok(csm.post(f"/v1/alerts/{case['id']}/outcome", json={"outcome": "not_real"}))
    assert [one["rule"] for one in said["suppressions"]] == ["account_silent"]
    world.pass_time(days=3)
    world.computed(globex, days_silent=18)
    watcher.follow()
    assert world.alerts()[-1:] == [("account_silent", "standing", "not-real")]
    world.pass_time(days=6)
    world.computed(globex, days_silent=24)
    watcher.follow()
    assert len(world.cases()) == 2
    # It goes on and off: from the fourth time on it is held until it was quiet for two days.
    initech = _account(world, watcher, "initech")
    for _ in range(4):
        world.complains(initech)
        watcher.follow()
        world.pass_time(hours=2)
        world.computed(initech, complaints_7d=0, complaints_28d=0)
        watcher.follow()
        world.pass_time(hours=2)
        watcher.follow()
    assert ("complaints_rose", "firing", "flapping") in world.alerts()
    assert len([case for case in world.cases() if case["account"] == "initech"]) == 1


def test_a_storm_is_told_in_one_summary_and_the_pulse_only_while_all_is_well(
    world: World, watcher: Watcher
) -> None:
    _in_force(
        world,
        ALERTING.model_copy(update={"page": None, "heartbeat": Heartbeat(receiver="pulse", every_minutes=5)}),
    )
    accounts = [_account(world, watcher, f"account-{n}") for n in range(8)]
    for account in accounts:
        world.complains(account)
    watcher.follow()
    assert len(world.cases()) == 8
    assert len(_sent(world, "case.opened")) == 3
    assert len(_sent(world, "storm.summary")) == 1
    world.pass_time(seconds=20)
    watcher.follow()
    assert len(_sent(world, "heartbeat")) == 1
    world.pass_time(minutes=11)
    watcher.follow()
    assert world.rows("select cases, ended_at is not null from alerts.storm") == [(5, True)]
    assert len(_sent(world, "heartbeat")) == 1, "the engine has been silent for eleven minutes"
    world.drained()
    world.pass_time(seconds=20)
    watcher.follow()
    beats = world.rows("select status, reason from alerts.notification where type = 'heartbeat' order by seq")
    assert beats == [("failed", "superseded"), ("pending", None)]


def test_a_loss_opens_a_review_that_knows_what_was_seen(
    world: World, watcher: Watcher, csm: TestClient
) -> None:
    _in_force(world)
    globex = _account(world, watcher, "globex")
    world.pass_time(days=1)
    world.computed(globex, **FALLEN)
    watcher.follow()
    for at, delta in ((world.now - timedelta(days=300), 500), (world.now, -500)):
        world.connection.execute(
            "insert into engine.mrr_change (tenant_id, account_id, at, delta, currency) values (%s, %s, %s, %s, 'EUR')",
            (world.tenant_id, globex, at, delta),
        )
    # Told after it took effect, as people do.
    world.connection.execute(
        "insert into engine.subscription_change (tenant_id, account_id, subscription, effective_at, event_at, source, event_id, kind, reason) "
        "values (%s, %s, 's', %s, %s, 'crm', 'e1', 'cancelled', 'price')",
        (world.tenant_id, globex, world.now, world.now + timedelta(hours=1)),
    )
    world.pass_time(minutes=6)
    watcher.follow()
    (review,) = _ok(csm.get("/v1/loss-reviews"))["data"]
    proposal = review["proposal"]
    assert (review["status"], review["account"], review["mrr"], proposal["cause"]) == (
        "open",
        "globex",
        "500",
        "price",
    )
    assert [one["rule"] for one in proposal["seen"]] == ["usage_fell"]
    assert {"rule": "usage_fell", "why": "fired less than a day before the last day to act"} in proposal[
        "should_have_fired"
    ]
    body = {"cause": "bought by a competitor", "should_have_fired": ["usage_fell"], "by": "dana"}
    done = _ok(csm.post(f"/v1/loss-reviews/{review['id']}", json=body))
    assert (done["status"], done["completed_by"]) == ("completed", "dana")
    (case,) = world.cases()
    _ok(csm.post(f"/v1/alerts/{case['id']}/outcome", json={"outcome": "lost"}))
    _ok(csm.post("/v1/loss-reviews", json={"account": "globex"}), 409)
