"""The live view on what the engine has written."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psycopg
import pytest
from tests.integration.ingest.running import Ingest, Tenant, event, read_topic

from common import catalogue as catalogues
from common.catalogue.models import EventField, EventType
from common.contracts.record import unpack_events
from common.testing import wait_until

BASE = catalogues.load(Path(__file__).parents[3] / "catalogue")


def write_fates(ingest: Ingest, tenant: Tenant, batch_no: int, ids: list[str]) -> None:
    """Write a batch's fates as the engine does."""
    fates = [
        {
            "at": "2026-11-21T18:00:00Z",
            "id": name,
            "source": "crm",
            "type": "page.opened",
            "account": "acme",
            "time": "2026-11-21T17:59:00Z",
            "fate": "accepted",
            "code": None,
            "message": None,
        }
        for name in ids
    ]
    with psycopg.connect(ingest.database_url) as connection:
        connection.execute(
            "insert into engine.fate (tenant_id, partition, batch_no, fates) values (%s, 0, %s, %s::jsonb)",
            (tenant.id, batch_no, json.dumps(fates)),
        )
        connection.execute("select pg_notify('bellwether_change', '0:1')")


def write_refused(ingest: Ingest, tenant: Tenant, offset: int, body: bytes, message: str = "why") -> int:
    with psycopg.connect(ingest.database_url) as connection:
        row = connection.execute(
            'insert into engine.rejected (tenant_id, received_at, stage, code, message, body, topic, partition, "offset") '
            "values (%s, now(), 'ingest', 'subject-missing', %s, %s, %s, 0, %s) returning id",
            (tenant.id, message, body, tenant.slug, offset),
        ).fetchone()
        assert row is not None
        return int(row[0])


def get(ingest: Ingest, key: str, path: str, **parameters: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.get(f"{ingest.url}/v1/events/{path}", params=parameters, headers=headers, timeout=60)


def live_clients(ingest: Ingest, count: int) -> None:
    wait_until(
        lambda: ingest.metric("bellwether_ingest_live_clients") == count,
        60,
        f"{count} clients of the live view",
    )


class Stream:
    """An open stream of the live view."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.iter_lines()

    def next(self) -> dict[str, str]:
        """The next message that isn't a comment."""
        found: dict[str, str] = {}
        for line in self._lines:
            if not line and "data" in found:
                return found
            name, _, value = line.partition(": ")
            if name and line[0] != ":":
                found[name] = value
        raise AssertionError("the stream ended")


@contextmanager
def opened(ingest: Ingest, key: str, last_event_id: str | None = None) -> Iterator[Stream]:
    headers = {"Authorization": f"Bearer {key}"}
    if last_event_id is not None:
        headers["Last-Event-ID"] = last_event_id
    with httpx.stream("GET", f"{ingest.url}/v1/events/live", headers=headers, timeout=60) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Stream(response)


def test_recent_shows_the_newest_fates_first(ingest: Ingest, tenant: Tenant) -> None:
    write_fates(ingest, tenant, 1, ["a", "b"])
    write_fates(ingest, tenant, 2, ["c"])
    assert [fate["id"] for fate in get(ingest, tenant.read, "recent").json()["data"]] == ["c", "b", "a"]
    assert [fate["id"] for fate in get(ingest, tenant.ingest, "recent", limit=2).json()["data"]] == ["c", "b"]


def test_live_sends_fates_as_they_are_written_and_resumes(ingest: Ingest, tenant: Tenant) -> None:
    write_fates(ingest, tenant, 1, ["old"])
    with opened(ingest, tenant.read) as stream:
        live_clients(ingest, 1)
        write_fates(ingest, tenant, 2, ["a", "b"])
        first, second = stream.next(), stream.next()
        assert [json.loads(m["data"])["id"] for m in (first, second)] == ["a", "b"]
        assert "id" not in first
        seen = second["id"]
    write_fates(ingest, tenant, 3, ["c"])
    with opened(ingest, tenant.read, seen) as stream:
        assert json.loads(stream.next()["data"])["id"] == "c"
        write_fates(ingest, tenant, 4, ["d"])
        assert json.loads(stream.next()["data"])["id"] == "d"
    live_clients(ingest, 0)


def test_two_streams_of_a_tenant_see_the_same_and_another_tenant_sees_none_of_it(
    ingest: Ingest, tenant: Tenant
) -> None:
    other = ingest.new_tenant(f"{tenant.slug}-other")
    with (
        opened(ingest, tenant.read) as one,
        opened(ingest, tenant.read) as two,
        opened(ingest, other.read) as third,
    ):
        live_clients(ingest, 3)
        write_fates(ingest, tenant, 1, ["mine"])
        write_fates(ingest, other, 1, ["theirs"])
        assert [json.loads(s.next()["data"])["id"] for s in (one, two, third)] == ["mine", "mine", "theirs"]


@pytest.mark.parametrize("last", ["garbage", "-1", "99999999999999", "1e3"])
def test_a_last_event_id_that_is_not_ours_starts_anew_with_a_reset(
    ingest: Ingest, tenant: Tenant, last: str
) -> None:
    with opened(ingest, tenant.read, last) as stream:
        assert stream.next()["event"] == "reset"


def test_refused_events_are_paged_newest_first(ingest: Ingest, tenant: Tenant) -> None:
    ids = [write_refused(ingest, tenant, n, b'{"n":%d}' % n) for n in range(5)]
    first = get(ingest, tenant.read, "rejected", limit=3).json()
    assert [row["id"] for row in first["data"]] == ids[:1:-1]
    assert first["data"][0]["body"] == '{"n":4}'
    rest = get(ingest, tenant.read, "rejected", limit=3, cursor=first["next_cursor"]).json()
    assert [row["id"] for row in rest["data"]] == ids[1::-1]
    assert rest["next_cursor"] is None


def test_a_body_that_is_no_text_is_shown_in_base64(ingest: Ingest, tenant: Tenant) -> None:
    write_refused(ingest, tenant, 0, b"\xff\xfe")
    assert get(ingest, tenant.read, "rejected").json()["data"][0]["body_base64"] == "//4="


def test_a_key_that_sends_sees_why_something_was_refused_and_not_what(ingest: Ingest, tenant: Tenant) -> None:
    write_refused(ingest, tenant, 0, b'{"secret": 1}')
    (shown,) = get(ingest, tenant.ingest, "rejected").json()["data"]
    (read,) = get(ingest, tenant.read, "rejected").json()["data"]
    assert read == {**shown, "body": '{"secret": 1}'}
    assert shown["code"]


def replay(ingest: Ingest, key: str, rejected_id: Any, body: bytes = b"") -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    url = f"{ingest.url}/v1/events/rejected/{rejected_id}/replay"
    return httpx.post(url, content=body, headers=headers, timeout=60)


def replays_of(ingest: Ingest, tenant: Tenant) -> list[int | None]:
    found = [unpack_events(r.value, r.headers) for r in read_topic(ingest.bootstrap, ingest.events_topic)]
    return [record.replay_of for record in found if record.tenant == tenant.slug]


def test_a_refused_event_is_replayed_mended(ingest: Ingest, tenant: Tenant) -> None:
    wrong = msgspec.json.encode(event(1, subject=None))
    kept = write_refused(ingest, tenant, 0, wrong)
    answer = replay(ingest, tenant.ingest, kept)
    assert (answer.status_code, answer.json()["code"]) == (400, "subject-missing")
    mended = msgspec.json.encode(event(1))
    assert replay(ingest, tenant.ingest, kept, mended).json() == {"accepted": 1, "replayed": kept}
    assert ingest.bodies(tenant) == [mended]
    assert replays_of(ingest, tenant) == [kept]


def test_a_refused_event_that_is_right_by_now_is_replayed_as_it_was(ingest: Ingest, tenant: Tenant) -> None:
    body = msgspec.json.encode(event(1))
    assert replay(ingest, tenant.ingest, write_refused(ingest, tenant, 0, body)).status_code == 200
    assert ingest.bodies(tenant) == [body]


def declare(ingest: Ingest, tenant: Tenant, most: int) -> None:
    """`page.opened` has a number of at most so much."""
    seconds = EventType(
        name="page.opened", activity=True, fields={"seconds": EventField(type="number", max=most)}
    )
    with psycopg.connect(ingest.database_url) as connection:
        catalogues.apply(
            connection, tenant.slug, BASE.model_copy(update={"event_types": {seconds.name: seconds}})
        )


def test_a_refused_event_is_judged_by_what_is_declared_now(ingest: Ingest, tenant: Tenant) -> None:
    declare(ingest, tenant, most=10)
    body = msgspec.json.encode(event(1, data={"seconds": 50}))
    kept = write_refused(ingest, tenant, 0, body)
    assert replay(ingest, tenant.ingest, kept).json()["code"] == "field-out-of-range"
    declare(ingest, tenant, most=100)
    wait_until(
        lambda: replay(ingest, tenant.ingest, kept).status_code == 200, 5, "a replay by what is declared now"
    )


def test_a_kept_call_of_segment_is_replayed_as_the_event_that_it_is(ingest: Ingest, tenant: Tenant) -> None:
    call = b'{"type":"track","userId":"ann","event":"Signed In","messageId":"m"}'
    assert replay(ingest, tenant.ingest, write_refused(ingest, tenant, 0, call)).status_code == 200
    (found,) = ingest.events(tenant)
    assert (found["type"], found["id"]) == ("user.logged_in", "m")


def test_a_shortened_item_cannot_be_replayed_as_it_is(ingest: Ingest, tenant: Tenant) -> None:
    ingest.post(tenant.ingest, msgspec.json.encode(event(1, data={"text": "x" * 200_000})))
    (item,) = ingest.wait_for_refused(tenant, 1)
    assert len(item.body) == 64 * 1024
    kept = write_refused(ingest, tenant, 0, item.body, item.message)
    assert replay(ingest, tenant.ingest, kept).json()["code"] == "rejected-shortened"


def test_no_other_tenant_and_no_reader_can_replay(ingest: Ingest, tenant: Tenant) -> None:
    other = ingest.new_tenant(f"{tenant.slug}-other")
    kept = write_refused(ingest, tenant, 0, msgspec.json.encode(event(1)))
    assert replay(ingest, other.ingest, kept).status_code == 404
    assert replay(ingest, tenant.read, kept).status_code == 403
    assert replay(ingest, tenant.ingest, kept + 10_000).status_code == 404
    assert get(ingest, other.read, "rejected").json()["data"] == []
    for nonsense in ("0", "-1", "x", 2**70):
        assert replay(ingest, tenant.ingest, nonsense).status_code in (400, 404)


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("recent", {"limit": 0}),
        ("recent", {"limit": "x"}),
        ("rejected", {"limit": 10**9}),
        ("rejected", {"cursor": "!!"}),
        ("rejected", {"cursor": "cjE6eA=="}),
    ],
)
def test_parameters_that_make_no_sense_are_named(
    ingest: Ingest, tenant: Tenant, path: str, parameters: dict[str, Any]
) -> None:
    answer = get(ingest, tenant.read, path, **parameters)
    assert answer.status_code == 400
    assert answer.json()["code"] in ("request-invalid", "cursor-invalid")


def test_the_live_view_wants_a_key(ingest: Ingest) -> None:
    for path in ("recent", "rejected", "live"):
        assert httpx.get(f"{ingest.url}/v1/events/{path}", timeout=60).status_code == 401


def test_a_stream_that_never_reads_does_not_stop_another(ingest: Ingest, tenant: Tenant) -> None:
    request = f"GET /v1/events/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.read}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", ingest.port)) as idle, opened(ingest, tenant.read) as stream:
        idle.sendall(request.encode())
        live_clients(ingest, 2)
        for batch in range(30):
            write_fates(ingest, tenant, batch, [f"{batch}-{n}-{'x' * 200}" for n in range(100)])
        for _ in range(3_000):
            last = stream.next()
        assert json.loads(last["data"])["id"].startswith("29-99-")
