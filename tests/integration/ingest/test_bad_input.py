"""What must never be a 5xx, a hang, a crash or growing memory, and stops nobody else."""

import gzip
import socket
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import psycopg
import pytest
import zstandard
from tests.integration.ingest.running import Ingest, Tenant, event, raw_request

from common.auth.keys import mint
from common.auth.store import insert_key, revoke_key
from common.testing import wait_until

MIB = 1024 * 1024


@pytest.fixture(autouse=True)
def _still_serving(ingest: Ingest, tenant: Tenant) -> Iterator[None]:
    """After every test the same process takes events, and has not grown."""
    pid = ingest.pid
    yield
    assert ingest.send(tenant.ingest, [event(1)]).json()["accepted"] == 1
    assert ingest.pid == pid
    assert ingest.rss_bytes() < 300 * MIB
    assert ingest.metric("bellwether_ingest_in_flight_bytes") == 0


def refused(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    if "rejected" in body:
        return answer.status_code, body["rejected"][0]["code"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["message"]
    assert body["status"] == answer.status_code
    return answer.status_code, body["code"]


HUGE = b'[{"id":"' + b"x" * (9 * MIB) + b'"}]'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (HUGE, (413, "body-too-large")),
        (b"[" + b"{}," * 99_999 + b"{}]", (413, "too-many-events")),
        (b"[" + b"0," * 3_000_000 + b"0]", (413, "too-many-elements")),
        (b"[" * 1_000_000, (400, "nesting-too-deep")),
        (b'{"a":' * 1_000_000 + b"1" + b"}" * 1_000_000, (400, "nesting-too-deep")),
        (b'{"data":' + b"[" * 100 + b"]" * 100 + b"}", (400, "nesting-too-deep")),
        (msgspec.json.encode(event(1, data={f"k{n}": n for n in range(100_000)})), (400, "event-too-large")),
        (msgspec.json.encode(event(1, data={f"k{n}": n for n in range(9_000)})), (400, "too-many-keys")),
        (b"", (400, "body-empty")),
        (b"{", (400, "invalid-json")),
        (b"[{},", (400, "invalid-json")),
        (b'"text"', (400, "not-an-object")),
        (b"\xff\xfe{}", (400, "invalid-utf8")),
        (b'{"id": NaN}', (400, "invalid-json")),
        (b'[{"id": Infinity}]', (400, "invalid-json")),
        (b'{"id": "\\ud800"}', (400, "lone-surrogate")),
        (b'{"id": "\\u0000"}', (400, "nul-character")),
        (b"{}", (400, "attribute-missing")),
    ],
)
def test_a_bad_body_is_answered_with_a_code(
    ingest: Ingest, tenant: Tenant, body: bytes, expected: tuple[int, str]
) -> None:
    assert refused(ingest.post(tenant.ingest, body)) == expected


def test_numbers_of_any_size_are_kept_as_they_were_written(ingest: Ingest, tenant: Tenant) -> None:
    body = msgspec.json.encode(event(1)).replace(
        b'{"user"', b'{"a":1e400,"b":18446744073709551616,"c":-0.10,"user"'
    )
    assert ingest.post(tenant.ingest, body).json()["accepted"] == 1
    assert ingest.bodies(tenant) == [body]


@pytest.mark.parametrize(
    ("time", "code"),
    [
        ("0001-01-01T00:00:00Z", "time-too-old"),
        ("9999-12-31T23:59:59Z", "time-in-future"),
        ("9999-12-31T23:59:59-14:00", "time-in-future"),
        ("0001-01-01T00:00:00+14:00", "time-too-old"),
        (1_763_748_000_000, "time-invalid"),
        ("2026-11-01T10:00:00", "time-without-zone"),
        ("2026-06-29T23:59:60Z", "time-invalid"),
        ((datetime.now(UTC) + timedelta(days=2)).isoformat(), "time-in-future"),
    ],
)
def test_times_that_cannot_be_are_refused(ingest: Ingest, tenant: Tenant, time: Any, code: str) -> None:
    assert refused(ingest.send(tenant.ingest, [event(1, time=time)])) == (400, code)


@pytest.mark.parametrize("time", ["2026-06-30t12:00:00z", "2026-06-30T23:59:60Z"])
def test_rare_spellings_of_instants_are_accepted_as_they_came(
    ingest: Ingest, tenant: Tenant, time: str
) -> None:
    made = event(
        1, time=time, type="subscription.cancelled", data={"subscription": "s", "effective_at": time}
    )
    body = msgspec.json.encode(made)
    assert ingest.post(tenant.ingest, body).json()["accepted"] == 1
    assert ingest.bodies(tenant) == [body]


def test_an_hour_that_daylight_saving_skips_is_an_instant_like_any_other(
    ingest: Ingest, tenant: Tenant
) -> None:
    assert ingest.send(tenant.ingest, [event(1, time="2026-03-29T02:30:00+01:00")]).json()["accepted"] == 1


def test_formulas_and_foreign_scripts_are_names(ingest: Ingest, tenant: Tenant) -> None:
    names = ["=HYPERLINK(1)", "+1", "@x", "Łódź", "𐍈", "a b"]
    answer = ingest.send(tenant.ingest, [event(n, subject=name) for n, name in enumerate(names)])
    assert answer.json()["accepted"] == len(names)


def test_a_bad_event_among_500_stops_none_of_the_others(ingest: Ingest, tenant: Tenant) -> None:
    texts = [msgspec.json.encode(event(n)) for n in range(500)]
    texts[17] = b'{"id": "bad", "data": {"v": NaN}}'
    texts[400] = b'{"id": "\\ud800"}'
    answer = ingest.post(tenant.ingest, b"[" + b",".join(texts) + b"]")
    assert answer.json()["accepted"] == 498
    assert [r["index"] for r in answer.json()["rejected"]] == [17, 400]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_compressed_bombs_and_damaged_bodies_are_refused(ingest: Ingest, tenant: Tenant, pack: Any) -> None:
    name = "gzip" if pack is gzip.compress else "zstd"

    def sent(body: bytes) -> tuple[int, str]:
        return refused(ingest.post(tenant.ingest, body, headers={"Content-Encoding": name}))

    whole = pack(msgspec.json.encode([event(1)]))
    assert sent(pack(bytes(40 * MIB)))[0] == 413
    assert sent(whole[:-1]) == (400, "encoding-invalid")
    assert sent(whole + b"tail") == (400, "encoding-invalid")
    assert sent(b"nothing of the kind") == (400, "encoding-invalid")
    assert sent(b"") == (400, "encoding-invalid")


@pytest.mark.parametrize(
    ("media", "encoding", "expected"),
    [
        ("text/plain", "", (415, "media-type-unknown")),
        ("application/xml", "", (415, "media-type-unknown")),
        ("application/json; charset=utf-16", "", (415, "charset-unknown")),
        ("application/json", "br", (415, "encoding-unknown")),
        ("application/json", "gzip, gzip", (415, "encoding-unknown")),
    ],
)
def test_what_is_not_read_is_said(
    ingest: Ingest, tenant: Tenant, media: str, encoding: str, expected: tuple[int, str]
) -> None:
    assert refused(ingest.post(tenant.ingest, b"[]", media, {"Content-Encoding": encoding})) == expected


def test_an_endless_body_ends_with_an_answer(ingest: Ingest, tenant: Tenant) -> None:
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.ingest}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    chunk = b"100000\r\n" + b" " * MIB + b"\r\n"
    answer = raw_request(ingest.port, head + chunk * 40)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"body-too-large" in answer


@pytest.mark.parametrize("length", ["-1", "abc", "99999999999999999999999", "5, 6", ""])
def test_a_length_that_is_none_is_answered(ingest: Ingest, tenant: Tenant, length: str) -> None:
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.ingest}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode()
    assert raw_request(ingest.port, head + b"[]").split(b" ")[1] in (b"400", b"413")


def test_a_client_that_resets_in_the_middle_leaves_nothing_behind(ingest: Ingest, tenant: Tenant) -> None:
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.ingest}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {4 * MIB}\r\n\r\n"
    ).encode()
    for _ in range(20):
        connection = socket.create_connection(("127.0.0.1", ingest.port))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(head + b"[" * 1000)
        connection.close()
    wait_until(
        lambda: ingest.metric("bellwether_ingest_in_flight_bytes") == 0, 60, "the bytes to be given back"
    )


def test_new_account_names_without_end_take_no_memory(ingest: Ingest, tenant: Tenant) -> None:
    before = ingest.rss_bytes()
    for page in range(10):
        events = [event(n, subject=f"name-{page}-{n}") for n in range(5_000)]
        assert ingest.send(tenant.ingest, events).json()["accepted"] == 5_000
    assert ingest.rss_bytes() - before < 60 * MIB


def test_keys_that_open_nothing_are_told_why(ingest: Ingest, tenant: Tenant) -> None:
    now = datetime.now(UTC)
    expired = mint("ingest", tenant.id, tenant.slug, "old", expires_at=now - timedelta(days=1))
    revoked = mint("ingest", tenant.id, tenant.slug, "gone")
    with psycopg.connect(ingest.database_url) as connection:
        insert_key(connection, expired.row)
        insert_key(connection, revoked.row)
        revoke_key(connection, tenant.id, revoked.row.id, now - timedelta(seconds=1))

    def asked(key: str) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        media = {"Content-Type": "application/json"}
        return refused(
            httpx.post(f"{ingest.url}/v1/events", content=b"[]", headers=headers | media, timeout=60)
        )

    assert asked(expired.text) == (401, "key-expired")
    assert asked(revoked.text) == (401, "key-revoked")
    assert asked("") == (401, "key-missing")
    assert asked("nonsense") == (401, "key-invalid")
    assert asked("bw_ingest_" + "x" * 500) == (401, "key-invalid")
    assert asked(tenant.ingest[:-1] + ("a" if tenant.ingest[-1] != "a" else "b")) == (401, "key-invalid")
    assert asked(tenant.read) == (403, "scope-missing")
    assert asked(tenant.admin) == (403, "scope-missing")


def test_a_key_writes_to_its_own_tenant_whatever_the_payload_says(ingest: Ingest, tenant: Tenant) -> None:
    other = ingest.new_tenant(f"{tenant.slug}-other")
    ingest.send(tenant.ingest, [event(1, tenant=other.slug, bellwethertenant=other.slug)])
    assert len(ingest.events(tenant)) == 1
    assert ingest.events(other) == []


def test_other_methods_and_addresses_are_problems(ingest: Ingest) -> None:
    assert refused(httpx.get(f"{ingest.url}/v1/events", timeout=60)) == (405, "method-not-allowed")
    assert refused(httpx.delete(f"{ingest.url}/v1/track", timeout=60)) == (405, "method-not-allowed")
    assert refused(httpx.get(f"{ingest.url}/v1/nothing", timeout=60)) == (404, "not-found")
    assert refused(httpx.post(f"{ingest.url}/v1/events/recent", timeout=60)) == (405, "method-not-allowed")
