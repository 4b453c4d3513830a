"""Unmodified SDKs of others deliver: no error, no event twice, none lost, also when ingest turns them away for a while."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.integration.ingest.running import Ingest, Tenant

from common.testing import wait_until

ROOT = Path(__file__).resolve().parents[3]
NODE = ROOT / "tests" / "node"
COUNT = 250
SENT = Counter(
    {
        "user.updated": 1,
        "account.updated": 1,
        "page.viewed": 1,
        "screen.viewed": 1,
        "user.aliased": 1,
        "user.logged_in": 1,
        "feature.used": COUNT,
    }
)

Command = list[str]
Client = Callable[[str, str], "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def node_sdk() -> Path:
    """The script that uses the SDK, with its packages beside it."""
    if not (NODE / "node_modules" / "@segment" / "analytics-node").is_dir():
        subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"], cwd=NODE, check=True
        )
    return NODE / "segment.mjs"


@pytest.fixture(params=["python-2.3.5", "python-2.3.5-gzip", "python-2.4.0", "python-2.4.0-gzip", "node"])
def client(request: pytest.FixtureRequest) -> Client:
    """Starts one of the SDKs against an address, with a write key."""
    name: str = request.param
    if name == "node":
        script = request.getfixturevalue("node_sdk")
        return lambda host, key: _started(["node", str(script), host, key, str(COUNT)])
    _, version, *packed = name.split("-")
    path = request.getfixturevalue("python_sdks")[version]
    script = Path(__file__).with_name("segment_client.py")
    packing = "gzip" if packed else "plain"
    return lambda host, key: _started(
        [sys.executable, str(script), host, key, str(COUNT), packing], {"PYTHONPATH": str(path)}
    )


def _started(command: Command, environment: dict[str, str] | None = None) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def errors_of(running: "subprocess.Popen[str]") -> list[str]:
    output, complaints = running.communicate(timeout=120)
    assert running.returncode == 0, complaints
    found = json.loads(output)
    assert isinstance(found, list)
    return found


def assert_all_delivered_once(ingest: Ingest, tenant: Tenant) -> None:
    events = ingest.events(tenant)
    assert Counter(event["type"] for event in events) == SENT
    assert len({event["id"] for event in events}) == len(events)
    assert {event["subject"] for event in events} == {"acme"}
    assert {event["data"]["user"] for event in events} == {"ann"}


def test_an_sdk_delivers_everything_once_without_an_error(
    ingest: Ingest, tenant: Tenant, client: Client
) -> None:
    assert errors_of(client(ingest.url, tenant.ingest)) == []
    assert_all_delivered_once(ingest, tenant)


def test_an_sdk_with_an_unknown_key_gives_up(ingest: Ingest, client: Client) -> None:
    errors_of(client(ingest.url, "wk_unknown"))


@contextmanager
def full(ingest: Ingest, tenant: Tenant) -> Iterator[None]:
    """Fill what may be in flight with a body that comes so slowly that it is just not given up."""
    over = threading.Event()
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {tenant.ingest}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n["
    ).encode()

    def drip(connection: socket.socket) -> None:
        while not over.wait(1):
            connection.sendall(b" " * 8_192)

    with socket.create_connection(("127.0.0.1", ingest.port)) as slow:
        slow.sendall(head)
        dripping = threading.Thread(target=drip, args=(slow,))
        dripping.start()
        try:
            wait_until(lambda: ingest.metric("bellwether_ingest_in_flight_bytes") >= 1_000_000, 60)
            yield
        finally:
            over.set()
            dripping.join()


def turned_away(ingest: Ingest) -> float:
    return ingest.metric('bellwether_ingest_request_duration_seconds_count{route="segment",status="5xx"}')


def test_an_sdk_that_is_turned_away_waits_and_delivers_everything_once(
    start_ingest: Callable[..., Ingest], client: Client
) -> None:
    ingest = start_ingest(INGEST_IN_FLIGHT_BYTES="1000100", INGEST_BODY_TIMEOUT_SECONDS="60")
    tenant = ingest.new_tenant("acme")
    with full(ingest, tenant):
        running = client(ingest.url, tenant.ingest)
        wait_until(lambda: turned_away(ingest) >= 1, 60, "the SDK to be turned away")
    assert errors_of(running) == []
    assert_all_delivered_once(ingest, tenant)


def test_an_sdk_that_reads_retry_after_obeys_it(
    start_ingest: Callable[..., Ingest], python_sdks: dict[str, Path]
) -> None:
    ingest = start_ingest(INGEST_IN_FLIGHT_BYTES="1000100", INGEST_BODY_TIMEOUT_SECONDS="60")
    tenant = ingest.new_tenant("acme")
    script = Path(__file__).with_name("segment_client.py")
    command = [sys.executable, str(script), ingest.url, tenant.ingest, "1", "plain"]
    with full(ingest, tenant):
        running = _started(command, {"PYTHONPATH": str(python_sdks["2.4.0"])})
        not_yet = time.monotonic()

        def has_come() -> bool:
            nonlocal not_yet
            asked_at, times = time.monotonic(), turned_away(ingest)
            not_yet = asked_at if not times else not_yet
            return times >= 3

        wait_until(has_come, 60, "the SDK to be turned away three times")
        # From before the first time until after the third: never less than the SDK waited.
        assert time.monotonic() - not_yet > 1.5
    assert errors_of(running) == []
