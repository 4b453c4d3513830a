"""What nobody should send, through every open door: a clear answer with a code, never a 5xx, and nobody else stopped."""

import gzip
import json
import socket
import uuid
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import cache
from urllib.parse import urlsplit

import httpx
import pytest
from tests.acceptance.client import BATCH, Client
from tests.acceptance.processes import role_of
from tests.acceptance.stack import Stack
from tests.acceptance.tenants import Tenant
from tests.reference.events import Json

from common.testing import wait_until

SINGLE = "application/cloudevents+json"
SEGMENT_ROUTES = (
    "track",
    "identify",
    "group",
    "page",
    "screen",
    "alias",
    "batch",
    "t",
    "i",
    "g",
    "p",
    "s",
    "a",
    "b",
    "import",
)
BOMB_BYTES = 300_000_000
DEEP = b"[" * 100_000 + b"]" * 100_000
DEEP_OBJECT = b'{"a":' * 100_000 + b"1" + b"}" * 100_000


def event(**changes: object) -> Json:
    whole: Json = {
        "specversion": "1.0", "id": uuid.uuid4().hex, "source": "/app", "type": "feature.used", "subject": "acme",
        "time": datetime.now(UTC).isoformat(), "data": {"user": "u1", "feature": "export"},
    }  # fmt: skip
    return {name: value for name, value in {**whole, **changes}.items() if value is not None}


@pytest.fixture(scope="module")
def victim(stack: Stack, new_tenant: Callable[..., Tenant]) -> Tenant:
    return new_tenant("victim")


SERVICES = ("ingest", "engine", "gateway", "alerts")


def services(stack: Stack) -> set[int]:
    return {process.pid for process in stack.processes() if role_of(process) in SERVICES}


@pytest.fixture(autouse=True, scope="module")
def nobody_was_lost(stack: Stack) -> Iterator[None]:
    """No process of the stack ended, whatever all the tests here sent."""
    before = services(stack)
    yield
    assert services(stack) == before


@pytest.fixture(autouse=True)
def nobody_else_is_stopped(victim: Tenant) -> Iterator[None]:
    """Whatever a test sent, the next event of somebody else is accepted."""
    yield
    victim.client.post([event(subject="bystander")])


def assert_clear(answer: httpx.Response, what: object) -> None:
    """Refused with a reason a program and a person can read."""
    assert 400 <= answer.status_code < 500, f"{what}: {answer.status_code} {answer.text[:300]}"
    body = answer.json()
    if body.get("rejected"):
        body = body["rejected"][0]
    assert isinstance(body["code"], str), what
    assert body["code"], what
    assert isinstance(body["message"], str), what


def send(client: Client, content: bytes, content_type: str = SINGLE, **headers: str) -> httpx.Response:
    return client.send(
        "ingest", "POST", "/v1/events", client.keys["ingest"], content=content,
        headers={"content-type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}},
    )  # fmt: skip


BODIES = {
    "nothing": b"",
    "not json": b"hello",
    "half an object": b'{"specversion": "1.0", "id": "1"',
    "null": b"null",
    "number": b"12",
    "string": b'"event"',
    "array where one is due": b"[]",
    "deep array": DEEP,
    "deep object": DEEP_OBJECT,
    "invalid utf-8": json.dumps(event()).encode().replace(b"acme", b"\xff\xfe\xfd"),
    "nul byte": json.dumps(event()).encode() + b"\x00",
    "byte order mark twice": b"\xef\xbb\xbf\xef\xbb\xbf{}",
    "two objects": b"{} {}",
    "nan": json.dumps(event(data={"value": float("nan")})).encode(),
    "infinity": json.dumps(event(data={"value": float("inf")})).encode(),
    "too large": json.dumps(event(data={"x": "y" * 3_000_000})).encode(),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_no_event_is_refused_with_a_code(victim: Tenant, name: str) -> None:
    assert_clear(send(victim.client, BODIES[name]), name)


EVENTS: dict[str, Json] = {
    "no id": event(id=None),
    "empty id": event(id=""),
    "id of 100,000": event(id="x" * 100_000),
    "id a number": event(id=12),
    "no source": event(source=None),
    "no type": event(type=None),
    "type with spaces": event(type="a b\nc"),
    "no subject": event(subject=None),
    "subject a list": event(subject=["acme"]),
    "subject of 100,000": event(subject="a" * 100_000),
    "subject with nul": event(subject="a\x00b"),
    "lone surrogate": event(subject="\ud800"),
    "other version": event(specversion="0.3"),
    "time in words": event(time="yesterday"),
    "time without zone": event(time="2026-01-01T00:00:00"),
    "time in milliseconds": event(time=1_767_225_600_000),
    "year one": event(time="0001-01-01T00:00:00Z"),
    "year 9999": event(time="9999-12-31T23:59:59Z"),
    "31 February": event(time="2026-02-31T00:00:00Z"),
    "hour 25": event(time="2026-02-01T25:00:00Z"),
    "data a list": event(data=[1, 2]),
    "data a string": event(data="x"),
    "user a number": event(data={"user": 7}),
}


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_that_is_wrong_is_refused_and_its_neighbours_are_not(victim: Tenant, name: str) -> None:
    assert_clear(send(victim.client, json.dumps(EVENTS[name]).encode()), name)
    good = [event(), event()]
    answer = send(victim.client, json.dumps([good[0], EVENTS[name], good[1]]).encode(), BATCH)
    assert answer.status_code == 200
    assert answer.json()["accepted"] == 2
    assert [item["index"] for item in answer.json()["rejected"]] == [1]
    assert answer.json()["rejected"][0]["code"]


def test_of_a_key_that_stands_twice_everybody_takes_the_last(stack: Stack, victim: Tenant) -> None:
    first, last = (f"{name}-{uuid.uuid4().hex[:8]}" for name in ("first", "last"))
    twice = json.dumps(event(subject=first)).encode()[:-1] + b', "subject": "%b"}' % last.encode()
    assert send(victim.client, twice).json() == {"accepted": 1, "rejected": []}
    stack.wait_applied()
    found = {
        name: victim.client.send("gateway", "GET", f"/v1/accounts/{name}", victim.keys["read"])
        for name in (first, last)
    }
    assert {name: answer.status_code for name, answer in found.items()} == {first: 404, last: 200}


def test_one_bad_event_among_five_hundred_is_named_by_its_place(victim: Tenant) -> None:
    batch = [event() for _ in range(500)]
    batch[321] = event(type=None)
    answer = send(victim.client, json.dumps(batch).encode(), BATCH).json()
    assert (answer["accepted"], [item["index"] for item in answer["rejected"]]) == (499, [321])


def test_an_empty_batch_is_fine(victim: Tenant) -> None:
    answer = send(victim.client, b"[]", BATCH)
    assert (answer.status_code, answer.json()) == (200, {"accepted": 0, "rejected": []})


def test_a_hundred_thousand_items_are_answered(victim: Tenant) -> None:
    assert_clear(send(victim.client, b"[" + b",".join([b"{}"] * 100_000) + b"]", BATCH), "100,000 items")


@cache
def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(b" " * 1_000_000) for _ in range(size // 1_000_000)) + packer.flush()


COMPRESSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "not gzip at all": (lambda: b"hello", "gzip"),
    "cut gzip": (lambda: gzip.compress(json.dumps(event()).encode())[:-12], "gzip"),
    "gzip and garbage": (lambda: gzip.compress(json.dumps(event()).encode()) + b"garbage", "gzip"),
    "gzip bomb": (lambda: bomb(BOMB_BYTES), "gzip"),
    "gzip in gzip bomb": (lambda: gzip.compress(bomb(BOMB_BYTES)), "gzip"),
    "not zstd at all": (lambda: b"hello", "zstd"),
    "cut zstd": (lambda: b"\x28\xb5\x2f\xfd\x04", "zstd"),
    "unknown encoding": (lambda: b"hello", "rot13"),
    "a chain of encodings": (lambda: b"hello", "gzip, gzip, gzip, gzip"),
}


@pytest.mark.parametrize("name", COMPRESSED)
def test_bad_compression_is_refused(victim: Tenant, name: str) -> None:
    made, encoding = COMPRESSED[name]
    assert_clear(send(victim.client, made(), content_encoding=encoding), name)


@pytest.mark.parametrize(
    "content_type",
    ["text/html", "application/xml", "multipart/form-data", "x", "application/cloudevents+avro"],
)
def test_unknown_content_types_are_refused(victim: Tenant, content_type: str) -> None:
    assert_clear(send(victim.client, json.dumps([event()]).encode(), content_type), content_type)


def raw_exchange(address: str, request: bytes, give_up_seconds: float = 90) -> bytes:
    """What comes back to bytes that no HTTP library would send; empty when the connection was just closed."""
    url = urlsplit(address)
    with closing(socket.create_connection((str(url.hostname), url.port), give_up_seconds)) as connection:
        try:
            connection.sendall(request)
            with suppress(OSError):  # who refused it already may have closed the connection
                connection.shutdown(socket.SHUT_WR)
            return connection.recv(65_536)
        except (BrokenPipeError, ConnectionResetError):
            return b""


WIRE = {
    "no http": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
    "length too long": b"POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer KEY\r\ncontent-length: 1000\r\n\r\n{}",
    "length a word": b"POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer KEY\r\ncontent-length: many\r\n\r\n{}",
    "negative length": b"POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer KEY\r\ncontent-length: -1\r\n\r\n{}",
    "endless chunks": b"POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer KEY\r\ntransfer-encoding: chunked\r\n\r\n"
    b"10000\r\n" + b" " * 65_536 + b"\r\n" + (b"10000\r\n" + b" " * 65_536 + b"\r\n") * 400,
    "broken chunks": b"POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer KEY\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\nxx",
    "100,000 bytes of headers": b"POST /v1/events HTTP/1.1\r\nhost: x\r\nx-long: " + b"y" * 100_000 + b"\r\n\r\n",
    "nul in the path": b"GET /v1/accounts/%00 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer KEY\r\nconnection: close\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("service", ["ingest", "gateway"])
@pytest.mark.parametrize("name", WIRE)
def test_bytes_that_are_hardly_http_never_make_it_fail(victim: Tenant, service: str, name: str) -> None:
    key = victim.keys["ingest" if service == "ingest" else "read"].encode()
    answer = raw_exchange(victim.client.urls[service], WIRE[name].replace(b"KEY", key))
    assert answer == b"" or answer.split()[1].startswith(b"4"), answer[:200]


@pytest.mark.parametrize("route", SEGMENT_ROUTES)
def test_segment_routes_answer_nonsense_with_code_and_message(victim: Tenant, route: str) -> None:
    key = victim.keys["ingest"]
    for content in (b"", b"hello", b"[]", b"null", b"12", DEEP, b"\xff\xfe"):
        answer = victim.client.send("ingest", "POST", f"/v1/{route}", auth=(key, ""), content=content)
        assert_clear(answer, (route, content[:20]))
    odd = (
        b"{}",
        b'{"batch": 7}',
        b'{"batch": []}',
        b'{"userId": {}}',
        b'{"batch": [1, null, {"type": "x"}]}',
        b'{"type":"track","userId":"\\ud800"}',
    )
    for content in odd:
        answer = victim.client.send("ingest", "POST", f"/v1/{route}", auth=(key, ""), content=content)
        assert answer.status_code in (200, 400), (route, content, answer.text[:300])
    assert_clear(victim.client.send("ingest", "POST", f"/v1/{route}", content=b"{}"), (route, "no key"))


@pytest.mark.parametrize(
    "key", ["", "x", "bw_ingest_00000000_00000000000000000000000000000000", "bw_ingest", "ключ", "a" * 50_000]
)
def test_keys_that_are_none_are_refused(victim: Tenant, key: str) -> None:
    for service, method, path in (
        ("ingest", "POST", "/v1/events"),
        ("gateway", "GET", "/v1/metrics"),
        ("gateway", "GET", "/v1/alerts"),
    ):
        answer = victim.client.send(
            service, method, path, headers={"authorization": f"Bearer {key}".strip().encode()}
        )
        assert_clear(answer, (service, path, key[:20]))


QUERIES: dict[str, object] = {
    "nothing": {},
    "a list": [],
    "unknown metric": {"metrics": ["nonsense"], "from": "2026-01-01", "to": "2026-02-01", "grain": "day"},
    "no metrics": {"metrics": [], "from": "2026-01-01", "to": "2026-02-01", "grain": "day"},
    "unknown grain": {"metrics": ["events"], "from": "2026-01-01", "to": "2026-02-01", "grain": "minute"},
    "backwards": {"metrics": ["events"], "from": "2026-02-01", "to": "2026-01-01", "grain": "day"},
    "no dates": {"metrics": ["events"], "from": "soon", "to": "later", "grain": "day"},
    "year 0": {"metrics": ["events"], "from": "0000-01-01", "to": "2026-01-01", "grain": "day"},
    "a foreign cursor": {"metrics": ["events"], "from": "2026-01-01", "to": "2026-02-01", "grain": "day", "cursor": "AAAA"},
    "sql for a dimension": {"metrics": ["events"], "from": "2026-01-01", "to": "2026-02-01", "grain": "day", "group_by": ["x'; drop table engine.account; --"]},
    "a number of metrics": {"metrics": 7, "from": "2026-01-01", "to": "2026-02-01", "grain": "day"},
}  # fmt: skip


@pytest.mark.parametrize("name", QUERIES)
def test_queries_that_make_no_sense_are_refused(victim: Tenant, name: str) -> None:
    answer = victim.client.send("gateway", "POST", "/v1/query", victim.keys["read"], json=QUERIES[name])
    assert_clear(answer, name)


@pytest.mark.parametrize("content", [b"", b"hello", DEEP, DEEP_OBJECT, b"\xff"])
def test_query_bodies_that_are_no_json_are_refused(victim: Tenant, content: bytes) -> None:
    assert_clear(
        victim.client.send("gateway", "POST", "/v1/query", victim.keys["read"], content=content), content[:20]
    )


def test_a_grain_that_is_none_is_refused_by_name(victim: Tenant) -> None:
    asked = {"metrics": ["events"], "from": "2016-11-01", "to": "2026-11-01", "grain": "minute"}
    answer = victim.client.send("gateway", "POST", "/v1/query", victim.keys["read"], json=asked)
    assert_clear(answer, asked)
    assert answer.json()["code"] == "grain-unknown"


@pytest.mark.parametrize(("first", "grain"), [("2000-01-01", "hour"), ("1971-01-01", "day")])
def test_more_buckets_than_are_answered_at_once_go_on_by_cursor(
    victim: Tenant, first: str, grain: str
) -> None:
    asked = {"metrics": ["events"], "from": first, "to": "2026-11-01", "grain": grain, "limit": 10_000}
    answer = victim.client.send("gateway", "POST", "/v1/query", victim.keys["read"], json=asked)
    assert answer.status_code == 200
    assert answer.json()["next_cursor"] is not None
    assert len(answer.json()["data"]) in (400 * 24, 8_000), "one stretch"


PATHS = (
    "/v1/accounts?cursor=AAAA", "/v1/accounts?limit=-1", "/v1/accounts?limit=x", "/v1/accounts?sort=nonsense", "/v1/accounts/nobody",
    "/v1/accounts/%00", "/v1/accounts/%ff%fe", "/v1/accounts/" + "x" * 5000, "/v1/metrics/nonsense", "/v1/nothing",
    "/v1/query?metrics=nonsense&from=a&to=b&grain=c", "/v1/alerts/0", "/v1/alerts/nonsense", "/v1/alerts/%00", "/v1/alerts?cursor=AAAA",
    "/v1/alerts/99999999999999999999999", "/v1/stream?topics=nonsense", "/v1/rules/nonsense",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids=lambda path: str(path)[:40])
def test_addresses_of_nothing_are_refused(victim: Tenant, path: str) -> None:
    assert_clear(victim.client.send("gateway", "GET", path, victim.keys["read"]), path[:60])


@pytest.mark.parametrize("action", ["acknowledge", "assign", "snooze", "comment", "outcome", "expected"])
def test_deeds_on_cases_that_do_not_exist_are_refused(victim: Tenant, action: str) -> None:
    for case in ("0", "nonsense", str(uuid.uuid4()), "99999999999999999999999"):
        for content in (b"{}", b"", b"hello", b"[]", DEEP):
            answer = victim.client.send(
                "gateway", "POST", f"/v1/alerts/{case}/{action}", victim.keys["act"], content=content
            )
            assert_clear(answer, (case, action, content[:10]))


def first_of(tenant: Tenant, url: str, field: str, last_event_id: str | None) -> tuple[int, str]:
    """The status of a stream, and what its first line of `field` says; a refusal is read as a clear one."""
    headers = {"authorization": f"Bearer {tenant.keys['read']}"}
    headers |= {"last-event-id": last_event_id} if last_event_id is not None else {}
    with httpx.stream("GET", url, headers=headers, timeout=60, trust_env=False) as answer:
        if answer.status_code != 200:
            answer.read()
            assert_clear(answer, last_event_id)
            return answer.status_code, ""
        found = (
            line.removeprefix(f"{field}:").strip()
            for line in answer.iter_lines()
            if line.startswith(f"{field}:")
        )
        return 200, next(found)


STREAMS = (
    ("gateway", "/v1/stream?topics=accounts"),
    ("gateway", "/v1/events/live"),
    ("ingest", "/v1/events/live"),
)


@pytest.mark.parametrize(("service", "path"), STREAMS)
@pytest.mark.parametrize(
    "last_event_id", ["nonsense", "-1", "9" * 60, "9" * 10_000, '{"0":"x"}', "0:9,1:8", "%00"]
)
def test_a_place_that_a_stream_never_gave_out_is_a_reset_and_no_failure(
    victim: Tenant, service: str, path: str, last_event_id: str
) -> None:
    answered = first_of(victim, victim.client.urls[service] + path, "event", last_event_id)
    assert answered in {(200, "reset"), (400, "")}


def test_a_place_in_the_stream_of_another_tenant_is_a_reset(
    victim: Tenant, new_tenant: Callable[..., Tenant]
) -> None:
    other, url = new_tenant("placed"), victim.client.urls["gateway"] + "/v1/stream?topics=accounts"
    with ThreadPoolExecutor(1) as pool:
        place = pool.submit(first_of, other, url, "id", None)
        wait_until(
            lambda: place.done() or not other.client.post([event(subject="told")]),
            60,
            "a place in the stream",
        )
    assert place.result()[1]
    assert first_of(victim, url, "event", place.result()[1]) == (200, "reset")


def test_the_live_view_shows_what_was_refused_and_why(victim: Tenant) -> None:
    refused = event(id=f"refused-{uuid.uuid4().hex}", time="yesterday")
    send(victim.client, json.dumps(refused).encode())

    def shown() -> list[Json]:
        answer = victim.client.send("ingest", "GET", "/v1/events/recent", victim.keys["read"])
        assert answer.status_code == 200
        return [fate for fate in answer.json()["data"] if fate["id"] == refused["id"]]

    (fate,) = wait_until(shown, 60, "the refused event in the live view")
    assert (fate["fate"], fate["code"]) == ("rejected", "time-invalid")
    assert fate["message"]
