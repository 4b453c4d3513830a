"""Segment's API over HTTP: keys in every place, answers that its SDKs understand."""

import base64
import gzip
from typing import Any

import httpx
import msgspec
import pytest
from tests.integration.ingest.running import Ingest, Tenant, ago


def track(number: int = 0, **changes: Any) -> dict[str, Any]:
    made = {
        "type": "track",
        "messageId": f"m-{number}",
        "userId": "ann",
        "event": "Report Exported",
        "timestamp": ago(60),
        **changes,
    }
    return {name: value for name, value in made.items() if value is not None}


def post(ingest: Ingest, path: str, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    sent = {"Content-Type": "application/json", **(headers or {})}
    return httpx.post(f"{ingest.url}{path}", content=content, headers=sent, timeout=60)


def basic(key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


@pytest.mark.parametrize("name", ["batch", "b", "import"])
def test_a_batch_is_answered_200_and_published(ingest: Ingest, tenant: Tenant, name: str) -> None:
    body = {"batch": [track(n) for n in range(20)], "sentAt": ago(0), "writeKey": tenant.ingest}
    answer = post(ingest, f"/v1/{name}", body)
    assert (answer.status_code, answer.content) == (200, b'{"success":true}')
    assert [one["id"] for one in ingest.events(tenant)] == [f"m-{n}" for n in range(20)]


@pytest.mark.parametrize(
    ("path", "members", "event_type"),
    [
        ("track", {"event": "x"}, "feature.used"),
        ("t", {"event": "Signed In"}, "user.logged_in"),
        ("identify", {"traits": {"role": "admin"}}, "user.updated"),
        ("i", {}, "user.updated"),
        ("group", {"groupId": "acme", "traits": {"plan": "pro"}}, "account.updated"),
        ("g", {"groupId": "acme"}, "account.updated"),
        ("page", {"name": "Home"}, "page.viewed"),
        ("p", {}, "page.viewed"),
        ("screen", {}, "screen.viewed"),
        ("s", {}, "screen.viewed"),
        ("alias", {"previousId": "x"}, "user.aliased"),
        ("a", {"previousId": "x"}, "user.aliased"),
    ],
)
def test_each_path_takes_its_call(
    ingest: Ingest, tenant: Tenant, path: str, members: dict[str, Any], event_type: str
) -> None:
    answer = post(ingest, f"/v1/{path}", {"userId": "ann", **members}, basic(tenant.ingest))
    assert answer.content == b'{"success":true}'
    (found,) = ingest.events(tenant)
    assert found["type"] == event_type


def test_a_key_is_taken_from_every_place_and_the_header_wins(ingest: Ingest, tenant: Tenant) -> None:
    other = ingest.new_tenant(f"{tenant.slug}-other")
    bare = {"Authorization": "Basic " + base64.b64encode(tenant.ingest.encode()).decode()}
    bearer = {"Authorization": f"Bearer {tenant.ingest}"}
    assert post(ingest, "/v1/track", track(1, writeKey=other.ingest), basic(tenant.ingest)).status_code == 200
    assert post(ingest, "/v1/track", track(2), bare).status_code == 200
    assert post(ingest, "/v1/track", track(3, writeKey=tenant.ingest)).status_code == 200
    assert post(ingest, "/v1/track", track(4), bearer).status_code == 200
    assert len(ingest.events(tenant)) == 4
    assert ingest.events(other) == []


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic !!!"}, {"Authorization": "Basic eDp5"}])
def test_an_unknown_key_is_401_with_code_and_message(ingest: Ingest, headers: dict[str, str]) -> None:
    answer = post(ingest, "/v1/batch", {"batch": [track()], "writeKey": "wk_unknown"}, headers)
    assert answer.status_code == 401
    assert answer.json()["code"] == "key-invalid"
    assert answer.json()["message"]


def test_invalid_calls_are_kept_and_the_answer_stays_200(ingest: Ingest, tenant: Tenant) -> None:
    batch = [track(1), track(2, event=None), track(3, timestamp="soon"), {"type": "track"}, 7, track(4)]
    answer = post(ingest, "/v1/batch", {"batch": batch, "writeKey": tenant.ingest})
    assert answer.status_code == 200
    assert answer.json()["success"] is True
    assert answer.json()["accepted"] == 2
    codes = [(r["index"], r["code"]) for r in answer.json()["rejected"]]
    assert codes == [
        (1, "event-name-missing"),
        (2, "time-invalid"),
        (3, "no-user-anon-id"),
        (4, "not-an-object"),
    ]
    assert {item.code for item in ingest.wait_for_refused(tenant, 4)} == {code for _, code in codes}


def test_a_call_that_is_not_json_is_kept_and_stops_no_other(ingest: Ingest, tenant: Tenant) -> None:
    calls = [msgspec.json.encode(track(n)) for n in range(3)]
    calls[1] = b'{"type":"track","userId":"ann","event":"x","properties":{"v":NaN}}'
    key = msgspec.json.encode(tenant.ingest)
    answer = post(ingest, "/v1/batch", b'{"writeKey":' + key + b',"batch":[' + b",".join(calls) + b"]}")
    assert (answer.status_code, answer.json()["accepted"]) == (200, 2)


def test_times_are_moved_by_the_senders_clock(ingest: Ingest, tenant: Tenant) -> None:
    hour, earliest = 3600, ago(61)
    post(
        ingest,
        "/v1/batch",
        {"batch": [track(1, timestamp=ago(hour + 60))], "sentAt": ago(hour), "writeKey": tenant.ingest},
    )
    latest = ago(59)
    (found,) = ingest.events(tenant)
    assert earliest < found["time"] < latest
    assert found["originaltime"] < ago(hour)


def test_the_source_is_what_the_key_declares(ingest: Ingest, tenant: Tenant) -> None:
    post(ingest, "/v1/track", track(1), basic(tenant.ingest))
    named = ingest.new_tenant(f"{tenant.slug}-named", source="mobile-app")
    post(ingest, "/v1/track", track(1), basic(named.ingest))
    assert [one["source"] for one in ingest.events(tenant)] == ["segment"]
    assert [one["source"] for one in ingest.events(named)] == ["mobile-app"]


def test_browsers_may_send_text_and_ask_first(ingest: Ingest, tenant: Tenant) -> None:
    origin = {"Origin": "https://app.example.com"}
    answer = post(ingest, "/v1/t", track(1, writeKey=tenant.ingest), {**origin, "Content-Type": "text/plain"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://app.example.com"
    asked = httpx.options(f"{ingest.url}/v1/t", headers=origin, timeout=60)
    assert asked.status_code == 200
    assert "authorization" in asked.headers["access-control-allow-headers"]
    assert asked.headers["access-control-max-age"] == "86400"


def test_size_limits_are_400_with_a_code(ingest: Ingest, tenant: Tenant) -> None:
    def code(path: str, body: Any, headers: dict[str, str] | None = None) -> tuple[int, str]:
        answer = post(ingest, path, body, {**basic(tenant.ingest), **(headers or {})})
        return answer.status_code, answer.json()["code"]

    assert code("/v1/track", track(properties={"text": "x" * 40_000})) == (400, "event-too-large")
    assert code("/v1/batch", {"batch": [{}] * 2_501}) == (400, "too-many-events")
    large = {"batch": [track(n, properties={"text": "x" * 30_000}) for n in range(20)]}
    assert code("/v1/batch", large) == (400, "body-too-large")
    packed = gzip.compress(msgspec.json.encode(large))
    assert code("/v1/batch", packed, {"Content-Encoding": "gzip"}) == (400, "body-too-large")
    assert code("/v1/batch", b"{") == (400, "invalid-json")
    assert code("/v1/batch", b"[]") == (400, "not-an-object")
    assert code("/v1/batch", {"batch": 5}) == (400, "batch-missing")
    assert code("/v1/batch", b'{"batch":' + b"[" * 100_000) == (400, "nesting-too-deep")


def test_a_batch_of_the_largest_calls_is_taken(ingest: Ingest, tenant: Tenant) -> None:
    calls = [track(n, properties={"text": "x" * 31_000}) for n in range(15)]
    assert (
        post(ingest, "/v1/batch", {"batch": calls, "writeKey": tenant.ingest}).content == b'{"success":true}'
    )


def test_settings_are_given_to_holders_of_a_key(ingest: Ingest, tenant: Tenant) -> None:
    answer = httpx.get(f"{ingest.url}/v1/projects/{tenant.ingest}/settings", timeout=60)
    assert answer.json()["integrations"]["Segment.io"]["apiHost"] == f"127.0.0.1:{ingest.port}/v1"
    assert httpx.get(f"{ingest.url}/v1/projects/wk_unknown/settings", timeout=60).status_code == 401
