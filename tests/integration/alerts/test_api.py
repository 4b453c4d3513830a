"""The routes as their callers see them, over real tables."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient
from tests.integration.alerts.conftest import Watcher
from tests.integration.alerts.world import COMPLAINING, FALLEN, HEALTHY, SECRET, SILENT, World

from alerts.app import App, build
from alerts.settings import AlertsSettings, SharedSettings
from common.catalogue.models import Receiver


@pytest.fixture
def app(world: World) -> Iterator[App]:
    shared = SharedSettings(database_url=world.url)
    made = build(shared, AlertsSettings(smtp_host="127.0.0.1"), {}, world.clock, CollectorRegistry())
    yield made
    made.stop()


@pytest.fixture
def anybody(app: App) -> Iterator[TestClient]:
    with TestClient(app.http, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def csm(world: World, anybody: TestClient) -> TestClient:
    """Someone with a key that may act."""
    anybody.headers["authorization"] = f"Bearer {world.key('act')}"
    return anybody


@pytest.fixture
def case_id(world: World, watcher: Watcher) -> str:
    """An open case: complaints, and active use that fell."""
    globex = world.account("globex", name="Globex", owner="dana")
    world.computed(globex)
    watcher.follow()
    world.pass_time(days=1)
    world.arrives(globex, "complaint.filed", count=4)
    world.computed(globex, **COMPLAINING, **FALLEN)
    watcher.follow()
    return str(world.cases()[0]["id"])


def _ok(answer: httpx2.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def test_a_case_is_listed_with_its_evidence(csm: TestClient, case_id: str) -> None:
    (case,) = _ok(csm.get("/v1/alerts", params={"status": "open", "account": "globex"}))["data"]
    assert (case["id"], case["account_name"], case["owner"], case["mrr"]) == (
        case_id,
        "Globex",
        "dana",
        "500",
    )
    assert {alert["rule"] for alert in case["alerts"]} == {"complaints_rose", "usage_fell"}
    (evidence,) = [alert["evidence"] for alert in case["alerts"] if alert["rule"] == "usage_fell"]
    assert (
        evidence
        == "Active use is down 50%: 50 user-days in the last 28 days, 100 in the 28 before. Its segment is unchanged."
    )


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"rule": "usage_fell"}, 1),
        ({"rule": "account_silent"}, 0),
        ({"severity": "critical"}, 1),
        ({"severity": ["info", "warning"]}, 0),
        ({"status": ["acknowledged", "resolved"]}, 0),
        ({"origin": "load"}, 0),
        ({"account": "nobody"}, 0),
    ],
)
def test_filters_keep_what_they_name(
    csm: TestClient, case_id: str, filters: dict[str, Any], found: int
) -> None:
    assert len(_ok(csm.get("/v1/alerts", params=filters))["data"]) == found


def test_a_misspelt_filter_is_refused(csm: TestClient) -> None:
    said = csm.get("/v1/alerts", params={"acount": "globex"})
    assert (said.status_code, said.json()["code"]) == (400, "parameter-unknown")


def test_pages_follow_one_another_without_gap_or_repeat(
    csm: TestClient, world: World, watcher: Watcher
) -> None:
    for number in range(5):
        account = world.account(f"account-{number}")
        world.complains(account)
    watcher.follow()
    seen, cursor = [], None
    while True:
        page = _ok(csm.get("/v1/alerts", params={"limit": 2} | ({"cursor": cursor} if cursor else {})))
        seen += [case["id"] for case in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 5


def test_an_acknowledged_case_waits_for_its_outcome(
    csm: TestClient, case_id: str, world: World, watcher: Watcher
) -> None:
    said = _ok(csm.post(f"/v1/alerts/{case_id}/acknowledge", json={"by": "dana", "comment": "on it"}))
    assert (said["status"], said["acknowledged_by"]) == ("acknowledged", "dana")
    world.pass_time(days=2)
    world.computed(1, **HEALTHY)
    watcher.follow()
    world.pass_time(days=2)
    watcher.follow()
    case = _ok(csm.get(f"/v1/alerts/{case_id}"))
    assert (case["status"], case["recovered_at"] is not None) == ("acknowledged", True)
    assert (
        csm.post(f"/v1/alerts/{case_id}/outcome", json={"outcome": "not_real", "real": True}).json()["code"]
        == "verdict-contradicts"
    )
    done = _ok(
        csm.post(f"/v1/alerts/{case_id}/outcome", json={"outcome": "saved", "real": True, "by": "dana"})
    )
    assert (done["status"], done["resolution"], done["real"]) == ("resolved", "saved", True)
    # What is learnt later corrects the verdict and leaves the outcome alone.
    said = _ok(csm.post(f"/v1/alerts/{case_id}/verdict", json={"real": False, "by": "dana"}))
    assert (said["resolution"], said["real"]) == ("saved", False)
    assert [(act["kind"], act["actor"]) for act in said["actions"]] == [
        ("acknowledged", "dana"),
        ("outcome", "dana"),
        ("verdict", "dana"),
    ]


def test_a_closed_case_does_not_come_back_by_itself(
    csm: TestClient, case_id: str, world: World, watcher: Watcher
) -> None:
    assert _ok(csm.post(f"/v1/alerts/{case_id}/outcome", json={"outcome": "not_real"}))["real"] is False
    world.pass_time(days=1)
    world.computed(1, user_days_28d=49)
    watcher.follow()
    assert [case["status"] for case in world.cases()] == ["resolved"]
    assert csm.post(f"/v1/alerts/{case_id}/acknowledge").json()["code"] == "case-closed"
    world.arrives(1, "complaint.filed")
    world.computed(1, complaints_7d=6)
    watcher.follow()
    assert [case["status"] for case in world.cases()] == ["resolved", "open"]


def test_expected_quiet_closes_the_case_and_brings_it_back_if_it_lasts(
    csm: TestClient, world: World, watcher: Watcher
) -> None:
    globex = world.account("globex")
    world.computed(globex, days_silent=14)
    watcher.follow()
    world.pass_time(days=1)
    world.computed(globex, **SILENT)
    watcher.follow()
    until = (world.now + timedelta(days=7)).isoformat()
    case_id = world.cases()[0]["id"]
    done = _ok(
        csm.post(f"/v1/alerts/{case_id}/expected", json={"until": until, "comment": "company holiday"})
    )
    assert (done["status"], done["resolution"]) == ("resolved", "expected")
    for day in range(6):
        world.pass_time(days=1)
        world.computed(globex, days_silent=16 + day)
        watcher.follow()
    assert world.notices() == ["case.opened"]
    world.pass_time(days=1)
    watcher.follow()
    assert world.notices() == ["case.opened", "case.opened"]


def test_a_snoozed_case_is_told_of_afterwards(csm: TestClient, world: World, watcher: Watcher) -> None:
    globex = world.account("globex")
    world.computed(globex)
    watcher.follow()
    world.pass_time(days=1)
    world.computed(globex, **FALLEN)
    watcher.follow()
    until = (world.now + timedelta(hours=2)).isoformat()
    _ok(csm.post(f"/v1/alerts/{world.cases()[0]['id']}/snooze", json={"until": until}))
    world.complains(globex)
    watcher.follow()
    assert world.notices() == ["case.opened"]
    world.pass_time(hours=2)
    watcher.follow()
    assert world.notices() == ["case.opened", "case.worsened"]


def test_a_silence_keeps_the_case_and_holds_the_notice(
    csm: TestClient, world: World, watcher: Watcher
) -> None:
    ends_at = (world.now + timedelta(hours=1)).isoformat()
    body = {"account": "globex", "ends_at": ends_at, "comment": "migration weekend", "by": "dana"}
    silence = _ok(csm.post("/v1/silences", json=body), 201)
    globex = world.account("globex")
    world.complains(globex)
    watcher.follow()
    assert (len(world.cases()), world.notices()) == (1, [])
    assert [one["id"] for one in _ok(csm.get("/v1/silences"))["data"]] == [silence["id"]]
    (held,) = _ok(csm.get("/v1/alerts"))["data"]
    assert (held["held"], held["held_by"]) == ("silenced", "migration weekend")
    assert held["held_until"] == silence["ends_at"]
    world.pass_time(minutes=1)
    _ok(csm.delete(f"/v1/silences/{silence['id']}"), 204)
    watcher.follow()
    assert world.notices() == ["case.opened"]
    assert _ok(csm.get("/v1/silences"))["data"] == []
    assert len(_ok(csm.get("/v1/silences", params={"with_ended": True}))["data"]) == 1


def test_assign_and_comment_are_kept(csm: TestClient, case_id: str) -> None:
    _ok(csm.post(f"/v1/alerts/{case_id}/assign", json={"assignee": "dana"}))
    case = _ok(csm.post(f"/v1/alerts/{case_id}/comment", json={"comment": "called, they switch tools"}))
    assert case["assignee"] == "dana"
    assert [(act["kind"], act["actor"]) for act in case["actions"]] == [
        ("assigned", "act key"),
        ("commented", "act key"),
    ]


def test_rules_are_shown_as_they_are_in_force(csm: TestClient) -> None:
    rules = _ok(csm.get("/v1/rules"))
    assert {rule["name"] for rule in rules["data"]} >= {
        "account_silent",
        "complaints_rose",
        "usage_fell",
        "invoice_failed",
    }
    assert _ok(csm.get("/v1/rules/invoice_failed"))["inputs"] == ["s.invoice_failed"]
    assert _ok(csm.get("/v1/rules/complaints_rose"))["driven_by"] == ["complaint.filed"]
    assert csm.get("/v1/rules/nothing").json()["code"] == "rule-unknown"


def test_a_receiver_s_secret_is_shown_once(csm: TestClient, world: World) -> None:
    made = _ok(
        csm.post("/v1/receivers", json={"name": "ops", "kind": "webhook", "url": "https://hooks.example/x"}),
        201,
    )
    assert made["secret"].startswith("whsec_")
    everything = csm.get("/v1/receivers").text + csm.get("/v1/receivers/ops").text
    assert "whsec_" not in everything
    again = csm.post(
        "/v1/receivers", json={"name": "ops", "kind": "webhook", "url": "https://hooks.example/x"}
    )
    assert (again.status_code, again.json()["code"]) == (409, "receiver-exists")
    rotated = _ok(csm.post("/v1/receivers/ops/rotate"))
    assert rotated["secret"] != made["secret"]
    stored = world.rows("select secrets from alerts.receiver where name = 'ops'")
    assert stored == [([rotated["secret"], made["secret"]],)]
    test = _ok(csm.post("/v1/receivers/ops/test"), 202)
    assert _ok(csm.get(f"/v1/notifications/{test['id']}"))["type"] == "receiver.test"
    _ok(csm.delete("/v1/receivers/ops"), 204)
    gone = _ok(csm.get(f"/v1/notifications/{test['id']}"))
    assert (gone["status"], gone["reason"], gone["receiver"]) == ("failed", "receiver-deleted", "ops")


def test_slack_and_pagerduty_are_made_tested_and_never_show_what_opens_them(csm: TestClient) -> None:
    token, key, path = (
        "xoxb-1-2-abcdefghijkl",
        "R0123456789abcdef0123456789abcde",
        "/services/T1/B1/verysecret",
    )
    made = [
        {"name": "bot", "kind": "slack", "secret": token, "channel": "#cs", "person": "Dana"},
        {"name": "hook", "kind": "slack", "secret": f"https://hooks.slack.com{path}"},
        {"name": "pager", "kind": "pagerduty", "secret": key, "url": "https://events.eu.pagerduty.com"},
    ]
    said = "".join(csm.post("/v1/receivers", json=body).text for body in made)
    said += csm.get("/v1/receivers").text + csm.get("/v1/receivers/bot").text
    for body in made:
        test = _ok(csm.post(f"/v1/receivers/{body['name']}/test"), 202)
        said += csm.get(f"/v1/notifications/{test['id']}").text
        assert csm.post(f"/v1/receivers/{body['name']}/rotate").json()["code"] == "no-secret"
    assert not any(secret in said for secret in (token, key, path))
    bot = _ok(csm.get("/v1/receivers/bot"))
    assert (bot["target"], bot["channel"], bot["person"]) == ("https://slack.com", "#cs", "Dana")
    assert _ok(csm.get("/v1/receivers/pager"))["target"] == "https://events.eu.pagerduty.com"


def test_a_receiver_from_a_file_is_changed_in_the_file(csm: TestClient) -> None:
    _ok(csm.get("/v1/rules"))
    answer = csm.delete("/v1/receivers/team")
    assert (answer.status_code, answer.json()["code"]) == (409, "receiver-from-file")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"kind": "webhook", "url": "http://127.0.0.1/"}, "address-refused"),
        ({"kind": "webhook", "url": "http://2130706433/"}, "address-refused"),
        ({"kind": "webhook", "url": "http://[::ffff:10.0.0.1]/"}, "address-refused"),
        ({"kind": "webhook", "url": "http://localhost:8080/"}, "address-refused"),
        ({"kind": "webhook", "url": "ftp://hooks.example/"}, "url-invalid"),
        ({"kind": "webhook", "url": "https://user:secret@hooks.example/"}, "url-invalid"),
        ({"kind": "webhook", "url": "https://hooks.example/", "secret": "short"}, "secret-invalid"),
        ({"kind": "webhook"}, "request-invalid"),
        ({"kind": "webhook", "url": "https://hooks.example/", "to": "a@example.com"}, "request-invalid"),
        ({"kind": "email", "to": "nobody"}, "mail-address-invalid"),
        ({"kind": "email", "to": "a@example.com\nBcc: b@example.com"}, "mail-address-invalid"),
        ({"kind": "slack"}, "request-invalid"),
        ({"kind": "slack", "secret": "xoxb-1-2-abcdefghijkl"}, "request-invalid"),
        (
            {"kind": "slack", "secret": "https://hooks.slack.com/services/x", "channel": "#a"},
            "request-invalid",
        ),
        ({"kind": "slack", "secret": "http://127.0.0.1/services/x"}, "address-refused"),
        ({"kind": "slack", "secret": "xoxb-1\n2-abcdefghijkl", "channel": "#a"}, "secret-invalid"),
        ({"kind": "pagerduty", "secret": "R" * 32, "url": "http://10.0.0.1/"}, "address-refused"),
        ({"kind": "pagerduty", "secret": "short"}, "secret-invalid"),
        ({"kind": "pigeon", "to": "a@example.com"}, "request-invalid"),
        ({"kind": "email", "to": "a@example.com", "events": ["everything"]}, "request-invalid"),
    ],
)
def test_receivers_that_can_t_work_are_refused_by_name(
    csm: TestClient, body: dict[str, Any], code: str
) -> None:
    answer = csm.post("/v1/receivers", json={"name": "ops", **body})
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_what_belongs_to_another_tenant_is_not_there(
    anybody: TestClient, case_id: str, world: World, watcher: Watcher
) -> None:
    world.tenant("other", Receiver(name="theirs", kind="webhook", url="http://127.0.0.1:9/", secret=SECRET))
    anybody.headers["authorization"] = f"Bearer {world.key('act', 'other')}"
    (notice,) = world.rows("select id from alerts.notification limit 1")[0]
    until = (world.now + timedelta(days=1)).isoformat()
    bodies: dict[str, dict[str, Any] | None] = {
        "acknowledge": {},
        "assign": {"assignee": "x"},
        "snooze": {"until": until},
        "comment": {"comment": "x"},
        "outcome": {"outcome": "saved"},
        "verdict": {"real": True},
        "expected": {"until": until},
    }
    answers = [anybody.post(f"/v1/alerts/{case_id}/{action}", json=body) for action, body in bodies.items()]
    answers += [
        anybody.get(f"/v1/alerts/{case_id}"),
        anybody.get(f"/v1/notifications/{notice}"),
        anybody.post(f"/v1/notifications/{notice}/resend"),
        anybody.get("/v1/receivers/team"),
        anybody.post("/v1/receivers/team/test"),
        anybody.post("/v1/receivers/team/enable"),
        anybody.post("/v1/receivers/team/rotate"),
        anybody.delete("/v1/receivers/team"),
        anybody.delete("/v1/silences/sil_1"),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert _ok(anybody.get("/v1/alerts"))["data"] == []
    assert _ok(anybody.get("/v1/notifications"))["data"] == []
    assert [case["status"] for case in world.cases()] == ["open"]


def test_keys_open_what_their_scope_says(anybody: TestClient, case_id: str, world: World) -> None:
    assert anybody.get("/v1/alerts").status_code == 401
    for scope, reads, acts in (
        ("ingest", 403, 403),
        ("read", 200, 403),
        ("act", 200, 200),
        ("admin", 200, 200),
    ):
        headers = {"authorization": f"Bearer {world.key(scope)}"}
        assert anybody.get("/v1/alerts", headers=headers).status_code == reads
        assert (
            anybody.post(f"/v1/alerts/{case_id}/comment", json={"comment": "x"}, headers=headers).status_code
            == acts
        )


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/alerts?limit=0", None),
        ("GET", "/v1/alerts?limit=100000", None),
        ("GET", "/v1/alerts?cursor=garbage", None),
        ("GET", "/v1/alerts?cursor=djE6AAAA", None),
        ("GET", "/v1/alerts?status=sleeping", None),
        ("GET", "/v1/alerts?account=%00", None),
        ("POST", "/v1/alerts/case_1/comment", {"comment": "a\0b"}),
        ("POST", "/v1/alerts/case_1/comment", {"comment": ""}),
        ("POST", "/v1/alerts/case_1/comment", {"comment": "x", "more": 1}),
        ("POST", "/v1/alerts/case_1/snooze", {"until": "2026-03-02T12:00:00"}),
        ("POST", "/v1/alerts/case_1/snooze", {"until": "99999-01-01T00:00:00Z"}),
        ("POST", "/v1/alerts/case_1/outcome", {"outcome": "great"}),
        ("POST", "/v1/silences", {"ends_at": "2030-01-01T00:00:00Z", "comment": "everything"}),
        ("POST", "/v1/silences", {"account": "a", "ends_at": "2001-01-01T00:00:00Z", "comment": "over"}),
    ],
)
def test_bad_input_gets_a_clear_answer(
    csm: TestClient, method: str, path: str, body: dict[str, Any] | None
) -> None:
    answer = csm.request(method, path, json=body)
    assert answer.status_code == 400, answer.text
    assert {"code", "message"} <= answer.json().keys()


def test_it_says_whether_it_is_alive_and_ready(anybody: TestClient) -> None:
    assert anybody.get("/livez").status_code == 200
    assert _ok(anybody.get("/readyz"))["ready"] is True
    assert "bellwether_alerts_transitions_total" in anybody.get("/metrics").text
