"""Another tenant's ids, on every route, are ids that don't exist."""

from datetime import UTC, datetime

import pytest
from tests.integration.api_gateway.world import Served, Tenant, World

ROUTES = ["/v1/accounts/{}", "/v1/accounts/{}/events", "/v1/accounts/{}/timeline"]


@pytest.fixture
def foreign(world: World, theirs: Tenant) -> int:
    row = world.account(theirs, "foreign", mrr="99", traits={"segment": "secret", "owner": "spy"})
    world.event(theirs, row, "e1", datetime.now(UTC), feature="hidden")
    world.count(theirs, row, "events", datetime.now(UTC), 5)
    world.case(theirs, row)
    return row


@pytest.mark.parametrize("route", ROUTES)
def test_an_account_of_another_tenant_is_not_found(
    ours: Tenant, theirs: Tenant, foreign: int, gateway: Served, route: str
) -> None:
    assert gateway.get(route.format("foreign"), theirs).status_code == 200
    for tried in ("foreign", str(foreign)):
        answer = gateway.get(route.format(tried), ours)
        assert (answer.status_code, answer.json()["code"]) == (404, "account-unknown")
        assert "secret" not in answer.text


def test_lists_and_figures_leave_other_tenants_out(
    world: World, ours: Tenant, foreign: int, gateway: Served
) -> None:
    world.account(ours, "mine")
    for query in ("", "?segment=secret", "?owner=spy", "?q=foreign", "?case=open"):
        assert "foreign" not in gateway.get(f"/v1/accounts{query}", ours).text
    today = datetime.now(UTC).date().isoformat()
    for more in (
        {},
        {"accounts": ["foreign"]},
        {"group_by": ["account"]},
        {"filter": {"segment": ["secret"]}},
    ):
        answer = gateway.post(
            "/v1/query",
            ours,
            {"metrics": ["events"], "from": today, "to": "2199-01-01", "grain": "total", **more},
        )
        # What was asked for stands in `behind`; nothing else may show that there is such an account.
        assert all("foreign" not in str(one["group"]) for one in answer.json()["data"])
        assert all(not one["value"] for one in answer.json()["data"])


def test_a_load_of_another_tenant_is_not_found(ours: Tenant, theirs: Tenant, gateway: Served) -> None:
    load = gateway.post("/v1/loads", theirs, {"description": "history"}, "admin").json()["id"]
    for action in ("heartbeat", "end"):
        answer = gateway.post(f"/v1/loads/{load}/{action}", ours, None, "admin")
        assert (answer.status_code, answer.json()["code"]) == (404, "load-unknown")
    assert load not in gateway.get("/v1/loads", ours).text


def test_two_tenants_may_use_the_same_id(world: World, ours: Tenant, theirs: Tenant, gateway: Served) -> None:
    world.account(ours, "same", mrr="1")
    world.account(theirs, "same", mrr="2")
    assert gateway.get("/v1/accounts/same", ours).json()["mrr"] == "1.00"
    assert gateway.get("/v1/accounts/same", theirs).json()["mrr"] == "2.00"


@pytest.mark.parametrize(
    "account", ["%00", "%FF", "a" * 2000, "nothing", "%ED%A0%80", "..%2F..", "'; drop table x; --"]
)
def test_ids_that_can_not_be_are_not_found(ours: Tenant, gateway: Served, account: str) -> None:
    for route in ROUTES:
        assert gateway.get(route.format(account), ours).status_code == 404


def test_every_route_needs_a_key_and_the_right_scope(ours: Tenant, gateway: Served) -> None:
    for path in ("/v1/metrics", "/v1/metrics/events", "/v1/query", "/v1/accounts", "/v1/accounts/a", "/v1/stream", "/v1/alerts", "/v1/rules",
                 "/v1/silences", "/v1/receivers", "/v1/notifications", "/v1/events/recent", "/v1/events/live", "/v1/session"):  # fmt: skip
        for headers in (
            {},
            {"Authorization": "Bearer bw_read_AAAAAAAA_" + "x" * 32},
            {"Authorization": "Basic eDp5"},
            {"Authorization": "Bearer"},
        ):
            answer = gateway.client.get(path, headers=headers)
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == "Bearer"
        assert gateway.get(path, ours, "ingest").status_code == 403, path
