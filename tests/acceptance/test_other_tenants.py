"""Every id of another tenant, on every route that takes one: there is no such thing, and nothing happens to it."""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from tests.acceptance.stack import Stack
from tests.acceptance.tenants import Tenant
from tests.acceptance.test_openapi import document_of
from tests.acceptance.webhooks import WebhookReceiver
from tests.reference.events import Json

from common.testing import wait_until

SECRET_WORD = "nobody-elses-business"
PERSON = "one-of-theirs"
RULE = f"""
name: only_theirs
label: {SECRET_WORD}
description: {SECRET_WORD}
condition: a.complaints_7d >= 3
driven_by: [complaint.filed]
pending_seconds: 0
recover_seconds: 3600
severity: critical
evidence: {SECRET_WORD}
next_step: {SECRET_WORD}
playbook:
  - {{label: {SECRET_WORD}, due_days: 1}}
"""
PEOPLE = f"""
people:
  - {{name: {PERSON}, receiver: test_hook}}
"""
ON_CALL = f"""
rotations:
  - {{name: theirs, people: [{PERSON}], starts_on: 2026-01-05, hand_over: "09:00", escalate_after_minutes: 30, default: [test_hook]}}
"""
METRIC = f"""
- {{name: only_theirs, label: Theirs, description: {SECRET_WORD}, unit: count, direction: higher, kind: simple,
   formula: {{type: simple, measure: events}}, rollup: sum, owner: Us, depends_on_teams: [],
   raci: {{responsible: Us, accountable: Us}}, decision: What we do, evidence: direct, cadence: live, category: quantity,
   stage: adopt, feasibility: measured, settles_after: 24 hours, version: 1, effective_from: 2026-01-01}}
"""
WAIT_SECONDS = 60
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()
# What each operation, by the end of its path, needs to get as far as looking for the thing.
BODIES: dict[str, Json] = {
    "{}/assign": {"assignee": "spy"},
    "{}/snooze": {"until": TOMORROW},
    "{}/comment": {"comment": "seen"},
    "{}/outcome": {"outcome": "saved"},
    "{}/expected": {"until": TOMORROW},
    "health/rating": {"band": "good"},
    "{}/verdict": {"real": False},
    "steps/{}": {"status": "done"},
    "{}/leaves": {"first": "2026-01-05", "last": "2026-01-06"},
    "loss-reviews/{}": {"cause": "seen"},
}
NOTHING = {"source": "/support", "id": "no-such-event"}
# A write key in a path is a key of that tenant, and opens what it opens to whoever has it; so is the link of a notice's button.
KEYS_THEMSELVES = ("/v1/projects/{write_key}/settings", "/v1/buttons/{token}")


@dataclass(frozen=True)
class Owned:
    """What one tenant has: a path up to an id, earlier ids as {} -> the id that comes there."""

    tenant: Tenant
    account: str
    ids: dict[str, str]

    def fill(self, path: str) -> str:
        filled, start = "", ""
        for part in re.split(r"(\{\w+\})", path):
            if part.startswith("{"):
                assert start in self.ids, f"{path}: the test knows no id ({part}) of another tenant for it"
                filled, start = filled + quote(self.ids[start], safe=""), start + "{}"
            else:
                filled, start = filled + part, start + part
        return filled


@pytest.fixture(scope="module")
def hooks() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as running:
        yield running


def complaint(account: str, **changes: object) -> Json:
    number = uuid.uuid4().hex
    return {
        "specversion": "1.0", "id": number, "source": "/support", "type": "complaint.filed", "subject": account,
        "time": datetime.now(UTC).isoformat(), "data": {"complaint": number, "user": "ann"}, **changes,
    }  # fmt: skip


@pytest.fixture(scope="module")
def theirs(stack: Stack, new_tenant: Callable[..., Tenant], hooks: WebhookReceiver) -> Owned:
    overlay = {
        "receivers.yaml": hooks.overlay(),
        "rules/only_theirs.yaml": RULE,
        "metrics/theirs.yaml": METRIC,
        "people.yaml": PEOPLE,
        "on-call.yaml": ON_CALL,
    }
    tenant = new_tenant("theirs", overlay)
    client, account = tenant.client, f"{SECRET_WORD}-{uuid.uuid4().hex[:6]}"

    def made(path: str, body: Json) -> Any:
        answer = client.send("gateway", "POST", path, tenant.keys["admin"], json=body)
        assert answer.status_code in (200, 201, 202), answer.text
        return answer.json()

    client.post([complaint(account) for _ in range(6)])
    refused = client.send(
        "ingest", "POST", "/v1/events", tenant.keys["ingest"], json=[complaint(account, time="soon")]
    )
    assert refused.status_code == 400
    wait_until(lambda: hooks.about(account), WAIT_SECONDS, "the webhook about the account")
    wait_until(lambda: rejected_of(tenant), WAIT_SECONDS, "the refused event to be kept")

    def nothing_under_way() -> bool:
        return all(one["status"] == "delivered" for one in client.get("/v1/notifications")["data"])

    wait_until(nothing_under_way, WAIT_SECONDS, "every notice to be noted as delivered")
    case = client.get("/v1/alerts")["data"][0]["id"]
    override = {"rotation": "theirs", "person": PERSON, "ends_at": TOMORROW}
    night = {"name": "night", "weekdays": ["monday"], "begins": "22:00", "ends": "06:00"}
    away = {"first": TOMORROW[:10], "last": TOMORROW[:10]}
    return Owned(
        tenant, account,
        {
            "/v1/accounts/": account,
            "/v1/metrics/": "only_theirs",
            "/v1/alerts/": case,
            "/v1/alerts/{}/steps/": client.get(f"/v1/alerts/{case}")["steps"][0]["id"],
            "/v1/accuracy/": "rule",
            "/v1/accuracy/{}/": "only_theirs",
            "/v1/people/": PERSON,
            "/v1/people/{}/leaves/": made(f"/v1/people/{PERSON}/leaves", away)["id"],
            "/v1/on-call/overrides/": made("/v1/on-call/overrides", override)["id"],
            "/v1/mute-times/": made("/v1/mute-times", night)["id"],
            "/v1/loss-reviews/": made("/v1/loss-reviews", {"account": account})["id"],
            "/v1/notifications/": client.get("/v1/notifications")["data"][0]["id"],
            "/v1/rules/": "only_theirs",
            "/v1/receivers/": "test_hook",
            "/v1/silences/": made("/v1/silences", {"account": "quiet", "ends_at": TOMORROW, "comment": SECRET_WORD})["id"],
            "/v1/loads/": made("/v1/loads", {"description": SECRET_WORD})["id"],
            "/v1/imports/": imported(stack, tenant),
            "/v1/annotations/": made(
                "/v1/annotations", {"from": "2026-01-01", "to": "2026-01-02", "kind": "price", "text": SECRET_WORD}
            )["id"],
            "/v1/backfills/": made("/v1/backfills", {"description": SECRET_WORD})["id"],
            "/v1/corrections/": made("/v1/events/deletions", {"account": account, **NOTHING, "reason": SECRET_WORD})["id"],
            "/v1/erasures/": made("/v1/erasures", {"person": "nobody", "reason": SECRET_WORD})["id"],
            "/v1/events/rejected/": str(rejected_of(tenant)[0]["id"]),
        },
    )  # fmt: skip


def imported(stack: Stack, tenant: Tenant) -> str:
    """The id of an import, of a file of that name."""
    file = stack.data_dir / f"{SECRET_WORD}.csv"
    file.write_text("day,currency,rate\n2026-01-01,USD,0.9\n")
    options = ("--tenant", tenant.slug, "--database-url", stack.database_url, "--json")
    told: Json = json.loads(stack.run("import", "rates", str(file), *options).stdout)
    return str(told["id"])


def rejected_of(tenant: Tenant) -> list[Json]:
    answer = tenant.client.send("ingest", "GET", "/v1/events/rejected", tenant.keys["admin"])
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["data"]
    return found


@pytest.fixture(scope="module")
def ours(new_tenant: Callable[..., Tenant]) -> Tenant:
    return new_tenant("ours")


def routes(stack: Stack) -> list[tuple[str, str, str]]:
    """(service asked, method, path) of every operation with an id in its path, of all documents."""
    return [
        (asked, method.upper(), path)
        for service, asked in (("gateway", "gateway"), ("alerts", "gateway"), ("ingest", "ingest"))
        for path, operations in document_of(stack, service)["paths"].items()
        for method in operations
        if "{" in path and path not in KEYS_THEMSELVES
    ]


def state(owned: Owned) -> dict[str, Any]:
    """What the owner sees of the things, without what changes by itself."""
    client, ids = owned.tenant.client, owned.ids
    case = client.get(f"/v1/alerts/{ids['/v1/alerts/']}")
    return {
        "case": {name: case[name] for name in ("status", "assignee", "real")},
        "steps": case["steps"],
        "people": client.get("/v1/people"),
        "overrides": [one["overrides"] for one in client.get("/v1/on-call")["data"]],
        "mute_times": client.get("/v1/mute-times"),
        "reviews": client.get("/v1/loss-reviews"),
        "events": len(client.get(f"/v1/accounts/{owned.account}/events")["data"]),
        "receiver": client.get(f"/v1/receivers/{ids['/v1/receivers/']}"),
        "silences": client.get("/v1/silences"),
        "annotations": client.get("/v1/annotations"),
        "loads": [(load["id"], load["ended_at"]) for load in client.get("/v1/loads")["data"]],
        "rejected": [(item["id"], item["replayed_at"]) for item in rejected_of(owned.tenant)],
        "notifications": len(client.get("/v1/notifications")["data"]),
    }


def test_no_route_finds_what_belongs_to_another_tenant(stack: Stack, theirs: Owned, ours: Tenant) -> None:
    before, tried = state(theirs), routes(stack)
    assert len(tried) > 20
    for service, method, path in tried:
        body = BODIES.get("/".join(re.sub(r"\{\w+\}", "{}", path).split("/")[-2:]), {})
        sent = {"json": body} if method == "POST" else {}
        key = ours.keys["ingest" if path.endswith("/replay") else "admin"]
        answer = ours.client.send(service, method, theirs.fill(path), key, **sent)
        assert answer.status_code == 404, (method, path, answer.status_code, answer.text[:300])
        assert answer.json()["code"], path
        assert SECRET_WORD not in answer.text.replace(theirs.account, ""), (method, path)
    assert state(theirs) == before


def test_lists_streams_and_figures_name_nothing_of_another_tenant(
    stack: Stack, theirs: Owned, ours: Tenant
) -> None:
    lists = [
        ("gateway" if service != "ingest" else service, path)
        for service in ("gateway", "alerts", "ingest")
        for path, operations in document_of(stack, service)["paths"].items()
        if "get" in operations
        and "{" not in path
        and path not in ("/v1/stream", "/v1/events/live", "/v1/query")
    ]
    assert len(lists) > 8
    for service, path in lists:
        answer = ours.client.send(service, "GET", path, ours.keys["admin"])
        assert answer.status_code == 200, (path, answer.text[:300])
        assert SECRET_WORD not in answer.text, path
    today = datetime.now(UTC).date()
    for more in ({}, {"accounts": [theirs.account]}, {"group_by": ["account"]}):
        rows = ours.client.query("events", today, today + timedelta(days=2), "total", **more)
        assert [row.value for row in rows if row.value] == [], more
    with (
        ours.client.stream("metrics,accounts,alerts") as lines,
        theirs.tenant.client.stream("accounts") as owned,
    ):
        theirs.tenant.client.post([complaint(theirs.account)])
        wait_until(lambda: owned.naming(theirs.account), WAIT_SECONDS, "their own stream to name the account")
        assert not [data for _, data, _ in lines.seen if SECRET_WORD in data]


@pytest.mark.parametrize("service", ["gateway", "ingest"])
def test_every_route_wants_a_key(stack: Stack, ours: Tenant, service: str) -> None:
    for path, operations in document_of(stack, service)["paths"].items():
        for method in operations:
            if path in ("/v1/session", *KEYS_THEMSELVES):
                continue
            answer = ours.client.send(service, method.upper(), re.sub(r"\{\w+\}", "1", path), json={})
            assert answer.status_code == 401, (method, path, answer.status_code)
            assert answer.json()["code"], path
