"""The main job: an event enters, a figure moves, a person is warned, and everybody who looks can see why."""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from tests.acceptance.client import Client
from tests.acceptance.stack import Stack
from tests.acceptance.tenants import Tenant
from tests.acceptance.webhooks import WebhookReceiver
from tests.reference.events import Json

from common.testing import wait_until

WARNED_SECONDS = 90
SHOWN_SECONDS = 60


def complaint(account: str, user: str = "ann", at: datetime | None = None) -> Json:
    event_id = uuid.uuid4().hex
    return {
        "specversion": "1.0", "id": event_id, "source": "/support", "type": "complaint.filed", "subject": account,
        "time": (at or datetime.now(UTC)).isoformat(), "data": {"complaint": event_id, "user": user, "severity": "high"},
    }  # fmt: skip


@pytest.fixture(scope="module")
def hooks() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as running:
        yield running


@pytest.fixture(scope="module")
def customer(stack: Stack, new_tenant: Callable[..., Tenant], hooks: WebhookReceiver) -> Tenant:
    return new_tenant("story", {"receivers.yaml": hooks.overlay()})


def case_of(client: Client, account: str) -> Json | None:
    cases: list[Json] = client.get("/v1/alerts")["data"]
    return next((case for case in cases if case["account"] == account), None)


def test_a_rise_in_complaints_reaches_a_person_and_is_visible_everywhere(
    customer: Tenant, hooks: WebhookReceiver
) -> None:
    account = f"brand-new-{uuid.uuid4().hex[:8]}"
    client = customer.client
    with client.stream("accounts,alerts") as lines:
        client.post([complaint(account, f"user-{n}") for n in range(6)])
        wait_until(lambda: lines.naming(account), SHOWN_SECONDS, "the stream to name the new account")
        wait_until(lambda: hooks.about(account), WARNED_SECONDS, "the webhook about the account")
        wait_until(lambda: case_of(client, account), SHOWN_SECONDS, "the case in the list")
        wait_until(
            lambda: any(account in data for name, data, _ in lines.seen if name == "alerts"),
            SHOWN_SECONDS,
            "the stream to show the case",
        )
    page = client.get(f"/v1/accounts/{account}")
    assert page["figures"]["complaints_7d"] == 6
    today = datetime.now(UTC).date()
    assert (
        client.figure(
            "complaints", today - timedelta(days=1), today + timedelta(days=1), accounts=[account]
        ).value
        == 6
    )


def test_the_same_complaints_again_warn_nobody_again(
    customer: Tenant, stack: Stack, hooks: WebhookReceiver
) -> None:
    account = f"repeats-{uuid.uuid4().hex[:8]}"
    events = [complaint(account, f"user-{n}") for n in range(6)]
    customer.client.post(events)
    wait_until(lambda: hooks.about(account), WARNED_SECONDS, "the webhook about the account")
    customer.client.post(events)
    stack.wait_applied()
    assert customer.client.get(f"/v1/accounts/{account}")["figures"]["complaints_7d"] == 6
    assert len({delivery.id for delivery in hooks.about(account)}) == 1


def test_complaints_of_long_ago_warn_nobody(customer: Tenant, stack: Stack, hooks: WebhookReceiver) -> None:
    """The new account's own warning, sent after it, shows that the way was open."""
    old, fresh = f"long-ago-{uuid.uuid4().hex[:8]}", f"today-{uuid.uuid4().hex[:8]}"
    long_ago = datetime.now(UTC) - timedelta(days=3)
    customer.client.post([complaint(old, f"user-{n}", long_ago) for n in range(6)])
    stack.wait_applied()
    customer.client.post([complaint(fresh, f"user-{n}") for n in range(6)])
    wait_until(lambda: hooks.about(fresh), WARNED_SECONDS, "the webhook about the other account")
    assert hooks.about(old) == []


def test_the_dashboard_and_the_reference_are_served(customer: Tenant) -> None:
    for path in ("/", "/docs", "/openapi.json"):
        answer = customer.client.send("gateway", "GET", path, follow_redirects=True)
        assert answer.status_code == 200, path
    for service in ("ingest", "gateway", "alerts", "engine"):
        for path in ("/livez", "/readyz", "/metrics"):
            assert customer.client.send(service, "GET", path).status_code == 200, (service, path)


def test_keys_open_what_their_scope_says(customer: Tenant) -> None:
    client, keys = customer.client, customer.keys
    statuses = {
        ("read", "gateway"): client.send("gateway", "GET", "/v1/metrics", keys["read"]).status_code,
        ("admin", "gateway"): client.send("gateway", "GET", "/v1/metrics", keys["admin"]).status_code,
        ("ingest", "gateway"): client.send("gateway", "GET", "/v1/metrics", keys["ingest"]).status_code,
        ("none", "gateway"): client.send("gateway", "GET", "/v1/metrics").status_code,
        ("admin", "ingest"): client.send("ingest", "POST", "/v1/events", keys["admin"], json=[]).status_code,
        ("ingest", "ingest"): client.send(
            "ingest", "POST", "/v1/events", keys["ingest"], json=[]
        ).status_code,
    }
    assert statuses == {
        ("read", "gateway"): 200, ("admin", "gateway"): 200, ("ingest", "gateway"): 403, ("none", "gateway"): 401,
        ("admin", "ingest"): 403, ("ingest", "ingest"): 200,
    }  # fmt: skip


def test_a_tenant_sees_nothing_of_another(customer: Tenant, stack: Stack) -> None:
    account = f"mine-{uuid.uuid4().hex[:8]}"
    customer.client.post([complaint(account)])
    stack.wait_applied()
    assert customer.client.get(f"/v1/accounts/{account}")["figures"]["complaints_7d"] == 1
    answer = stack.client.send("gateway", "GET", f"/v1/accounts/{account}", stack.keys["read"])
    assert answer.status_code == 404
