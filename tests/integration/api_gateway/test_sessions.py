from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from tests.integration.api_gateway.world import Served, Tenant, World, serving

OWN_PAGE = {"X-Bellwether-Dashboard": "1"}


@contextmanager
def signed_in(gateway: Served, tenant: Tenant, scope: str = "read") -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, timeout=60, trust_env=False) as browser:
        answer = browser.post("/v1/session", json={"key": tenant.keys[scope]}, headers=OWN_PAGE)
        assert answer.status_code == 200, answer.text
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert tenant.keys[scope] not in cookie
        yield browser


def test_a_cookie_opens_pages_and_api_until_signing_out(ours: Tenant, gateway: Served) -> None:
    with signed_in(gateway, ours) as browser:
        assert browser.get("/v1/accounts").status_code == 200
        assert browser.get("/").status_code == 200
        assert browser.delete("/v1/session", headers=OWN_PAGE).status_code == 204
        assert browser.get("/v1/accounts").status_code == 401
        assert browser.get("/").headers["location"] == "/sign-in"


def test_a_session_survives_a_restart_and_is_known_to_other_copies(
    world: World, ours: Tenant, gateway: Served
) -> None:
    with signed_in(gateway, ours) as browser, serving(world.url) as other:
        assert (
            other.client.get(
                "/v1/session",
                headers={"Cookie": f"bellwether_session={browser.cookies['bellwether_session']}"},
            ).status_code
            == 200
        )


def test_the_table_of_sessions_holds_no_key_and_no_cookie(
    world: World, ours: Tenant, gateway: Served
) -> None:
    with signed_in(gateway, ours) as browser, world.connect() as connection:
        rows = connection.execute(
            "select id, sealed_key from control.session where tenant_id = %s", (ours.id,)
        ).fetchall()
        assert len(rows) == 1
        assert ours.keys["read"].encode() not in rows[0][1]
        assert browser.cookies["bellwether_session"].encode() not in rows[0][0]


def test_a_change_by_cookie_needs_our_own_page(ours: Tenant, gateway: Served) -> None:
    body = {"metrics": ["events"], "from": "2026-03-09", "to": "2026-03-12"}
    with signed_in(gateway, ours) as browser:
        assert browser.post("/v1/query", json=body, headers=OWN_PAGE).status_code == 200
        for headers in (
            {},
            {**OWN_PAGE, "Sec-Fetch-Site": "cross-site"},
            {**OWN_PAGE, "Sec-Fetch-Site": "same-site"},
        ):
            answer = browser.post("/v1/query", json=body, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "cross-site")
        assert browser.post("/v1/query", json=body, headers=ours.headers()).status_code == 200


def test_wrong_keys_do_not_sign_in(ours: Tenant, gateway: Served) -> None:
    for key, status in (
        ("", 401),
        ("nonsense", 401),
        (ours.keys["read"][:-1] + "!", 401),
        (ours.keys["ingest"], 403),
    ):
        assert gateway.client.post("/v1/session", json={"key": key}, headers=OWN_PAGE).status_code == status
    assert gateway.client.post("/v1/session", json={"key": ours.keys["read"]}).status_code == 403
    assert gateway.client.post("/v1/session", json={}, headers=OWN_PAGE).status_code == 400


def test_a_key_in_an_address_opens_nothing(ours: Tenant, gateway: Served) -> None:
    for path in ("/", "/v1/accounts"):
        assert gateway.client.get(path, params={"key": ours.keys["read"]}).status_code in (303, 401)


def test_pages_carry_a_strict_policy_and_load_nothing_from_elsewhere(ours: Tenant, gateway: Served) -> None:
    with signed_in(gateway, ours) as browser:
        for path in ("/", "/accounts", "/account?id=x", "/cases", "/events", "/docs"):
            answer = browser.get(path)
            policy = answer.headers["content-security-policy"]
            assert "script-src 'self';" in policy
            assert ("'unsafe-inline'" in policy) == (path == "/docs")
            assert answer.headers["x-frame-options"] == "DENY"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "https://" not in answer.text
            assert "<script>" not in answer.text


def test_the_api_reference_is_served_with_problems_and_examples(gateway: Served) -> None:
    description = gateway.client.get("/openapi.json").json()
    assert {
        "/v1/query",
        "/v1/stream",
        "/v1/accounts/{account}",
        "/v1/alerts/{id}/acknowledge",
        "/v1/loads",
    } <= description["paths"].keys()
    for path, operations in description["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            assert (
                any(
                    "application/problem+json" in answer.get("content", {})
                    for answer in operation["responses"].values()
                )
                or path == "/v1/session"
            ), path
    assert gateway.client.get("/static/vendor/rapidoc-9.3.8.min.js").status_code == 200
