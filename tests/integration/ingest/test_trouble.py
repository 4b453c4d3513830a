"""Overload, outages and the end of the process: clear answers, nothing acknowledged that isn't durable."""

import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec
import psycopg
import pytest
from psycopg import sql
from tests.conftest import PostgresServer
from tests.integration.ingest.running import Ingest, Tenant, event, raw_request

from common.auth.keys import mint
from common.auth.store import insert_key
from common.local.kafka import LocalKafka
from common.local.ports import free_ports
from common.testing import wait_until

StartIngest = Callable[..., Ingest]


def test_beyond_the_bytes_in_flight_a_request_is_told_when_to_come_back(start_ingest: StartIngest) -> None:
    ingest = start_ingest(INGEST_IN_FLIGHT_BYTES="4096")
    tenant = ingest.new_tenant("acme")
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.ingest}\r\n"
        "Content-Type: application/json\r\nContent-Length: 4090\r\n\r\n["
    ).encode()
    with socket.create_connection(("127.0.0.1", ingest.port)) as slow:
        slow.sendall(head)
        wait_until(lambda: ingest.metric("bellwether_ingest_in_flight_bytes") >= 4000, 60)
        for path, body in (("/v1/events", [event(1)]), ("/v1/track", {"userId": "a", "event": "x"})):
            answer = ingest.post(tenant.ingest, msgspec.json.encode(body), path=path)
            assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["message"]
    wait_until(lambda: ingest.metric("bellwether_ingest_in_flight_bytes") == 0, 60)
    assert ingest.send(tenant.ingest, [event(1)]).status_code == 200


def test_a_body_that_does_not_come_is_given_up(start_ingest: StartIngest) -> None:
    ingest = start_ingest(INGEST_BODY_TIMEOUT_SECONDS="0.5")
    tenant = ingest.new_tenant("acme")
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.ingest}\r\n"
        "Content-Type: application/json\r\nContent-Length: 4000\r\n\r\n"
    ).encode()
    for start in (head, head + b"["):
        answer = raw_request(ingest.port, start)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"body-timeout" in answer


@pytest.mark.timeout(400)  # three starts of real servers
def test_a_broker_that_is_down_is_503_at_once_and_recovers_by_itself(
    start_ingest: StartIngest, tmp_path: Path
) -> None:
    broker = LocalKafka(tmp_path / "kafka", *free_ports(2))
    broker.start()
    try:
        ingest = start_ingest(
            broker.bootstrap_servers, INGEST_PUBLISH_TIMEOUT_SECONDS="2", INGEST_STALL_SECONDS="1"
        )
        tenant = ingest.new_tenant("acme")

        def takes(number: int) -> bool:
            return ingest.send(tenant.ingest, [event(number)]).status_code == 200

        wait_until(lambda: takes(1), 60, "ingest to take events")
        broker.stop()
        first = ingest.send(tenant.ingest, [event(2)])
        assert (first.status_code, first.json()["code"]) in [
            (503, "publish-timeout"),
            (503, "kafka-unavailable"),
        ]
        assert int(first.headers["retry-after"]) >= 1
        assert httpx.get(f"{ingest.url}/readyz", timeout=60).status_code == 503

        def is_refused_at_once() -> bool:
            """Before anything of it is handed to the log."""
            answer = ingest.send(tenant.ingest, [event(3)])
            assert answer.status_code == 503
            return bool(answer.json()["code"] == "broker-stalled")

        wait_until(is_refused_at_once, 60, "requests to be refused at once")
        for _ in range(50):
            ingest.post(tenant.ingest, msgspec.json.encode([event(4, data={"text": "x" * 100_000})]))
        assert ingest.rss_bytes() < 300 * 1024 * 1024
        broker.start()
        wait_until(lambda: takes(5), 60, "ingest to take events again")
        wait_until(ingest.is_ready, 60, "ingest to be ready again")
        assert {"e-1", "e-5"} <= {found["id"] for found in ingest.events(tenant)}
        wait_until(lambda: ingest.metric("bellwether_ingest_in_flight_bytes") == 0, 60)
    finally:
        broker.stop()


def test_known_keys_work_while_the_database_is_down(
    start_ingest: StartIngest, postgres_server: PostgresServer, postgres_url: str
) -> None:
    ingest = start_ingest(INGEST_KEY_FRESH_SECONDS="0.1")
    tenant = ingest.new_tenant("acme")
    unknown = mint("ingest", tenant.id, tenant.slug, "unknown")
    with psycopg.connect(postgres_url) as connection:
        insert_key(connection, unknown.row)
    assert ingest.send(tenant.ingest, [event(1)]).status_code == 200
    name = postgres_url.rsplit("/", 1)[1]
    postgres_server.execute("alter database {} with allow_connections false", name)
    with psycopg.connect(postgres_server.url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("select pg_terminate_backend(pid) from pg_stat_activity where datname = {}").format(name)
        )
    for number in range(5):
        assert ingest.send(tenant.ingest, [event(number)]).status_code == 200
    answer = ingest.send(unknown.text, [event(9)])
    assert (answer.status_code, answer.json()["code"]) == (503, "database-unavailable")
    assert ingest.is_ready()
    postgres_server.execute("alter database {} with allow_connections true", name)
    wait_until(lambda: ingest.send(unknown.text, [event(9)]).status_code == 200, 60, "the new key to work")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_told_to_end_it_finishes_what_it_has_and_loses_nothing(
    start_ingest: StartIngest, workers: str
) -> None:
    ingest = start_ingest(INGEST_WORKERS=workers)
    tenant = ingest.new_tenant("acme")
    acknowledged: Counter[str] = Counter()

    def send_until_refused(sender: int) -> None:
        for number in range(10_000):
            events = [event(n, id=f"{sender}-{number}-{n}") for n in range(50)]
            try:
                answer = ingest.send(tenant.ingest, events)
            except httpx.TransportError:
                return
            if answer.status_code == 200:
                acknowledged.update(one["id"] for one in events)

    senders = [threading.Thread(target=send_until_refused, args=(n,)) for n in range(4)]
    for sender in senders:
        sender.start()
    wait_until(lambda: len(acknowledged) > 2_000, 60, "some events to be acknowledged")
    ingest.terminate()
    assert ingest.wait() == 0
    for sender in senders:
        sender.join()
    assert set(acknowledged) <= {found["id"] for found in ingest.events(tenant)}


def test_killed_in_the_middle_nothing_that_was_acknowledged_is_lost(start_ingest: StartIngest) -> None:
    ingest = start_ingest()
    tenant = ingest.new_tenant("acme")
    acknowledged: set[str] = set()

    def send_until_gone() -> None:
        number = 0
        while True:
            number += 1
            events = [event(n, id=f"{number}-{n}") for n in range(100)]
            try:
                answer = ingest.send(tenant.ingest, events)
            except httpx.TransportError:
                return
            assert answer.status_code == 200
            acknowledged.update(one["id"] for one in events)

    sender = threading.Thread(target=send_until_gone)
    sender.start()
    wait_until(lambda: len(acknowledged) > 1_000, 60, "some events to be acknowledged")
    os.kill(ingest.pid, signal.SIGKILL)
    sender.join()
    ingest.wait()
    assert acknowledged <= {found["id"] for found in ingest.events(tenant)}


def test_an_open_stream_does_not_hold_up_the_end(start_ingest: StartIngest) -> None:
    ingest = start_ingest()
    tenant = ingest.new_tenant("acme")
    headers = {"Authorization": f"Bearer {tenant.read}"}
    with httpx.stream("GET", f"{ingest.url}/v1/events/live", headers=headers, timeout=60) as stream:
        assert stream.status_code == 200
        ingest.terminate()
        assert ingest.wait() == 0
        # It was ended, not cut off when the time for open requests was over.
        stream.read()


def test_settings_are_checked_without_starting(ingest: Ingest, tmp_path: Path) -> None:
    def checked(**settings: str) -> int:
        service = Ingest(ingest.database_url, ingest.bootstrap, "a", "b", tmp_path / "log", settings)
        return service.check()

    assert checked() == 0
    assert checked(INGEST_PORT="none") == 2
    assert checked(DATABASE_URL="") == 2
    assert "PORT" in (tmp_path / "log").read_text()


def test_two_tenants_never_meet_in_a_record(ingest: Ingest, tenant: Tenant) -> None:
    other = ingest.new_tenant(f"{tenant.slug}-other")
    for number in range(20):
        ingest.send(tenant.ingest, [event(number, id="mine")])
        ingest.send(other.ingest, [event(number, id="theirs")])
    assert {found["id"] for found in ingest.events(tenant)} == {"mine"}
    assert {found["id"] for found in ingest.events(other)} == {"theirs"}
