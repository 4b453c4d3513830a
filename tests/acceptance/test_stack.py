"""The local stack itself: it says when it is ready, mends what dies, keeps what it has, and leaves nothing behind."""

import shutil
import signal
import tempfile
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from tests.acceptance.conftest import free_base
from tests.acceptance.processes import role_of
from tests.acceptance.stack import Stack
from tests.reference.events import Json

from common.testing import wait_until

MENDED_SECONDS = 60
SERVICES = ("engine", "ingest", "gateway", "alerts")


def used(account: str) -> Json:
    return {
        "specversion": "1.0", "id": uuid.uuid4().hex, "source": "/app", "type": "feature.used", "subject": account,
        "time": datetime.now(UTC).isoformat(), "data": {"user": "u1", "feature": "export"},
    }  # fmt: skip


def events_of(stack: Stack, account: str) -> int:
    today = datetime.now(UTC).date()
    span = (today - timedelta(days=2), today + timedelta(days=2))
    return int(stack.client.figure("events", *span, accounts=[account]).value)


@pytest.fixture
def directory() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="bellwether-stack-"))
    yield path
    shutil.rmtree(path)


def test_it_says_what_the_contract_names(stack: Stack) -> None:
    assert stack.said["ready"] is True
    assert set(stack.urls) == set(SERVICES)
    assert set(stack.keys) == {"ingest", "read", "act", "admin"}
    assert stack.kafka.startswith("127.0.0.1:")
    assert stack.database_url.startswith("postgresql://")


def test_only_the_engine_is_called_engine(stack: Stack) -> None:
    named = [p for p in stack.processes() if "kpi-engine" in p.command or "kpi_engine" in p.command]
    assert len(named) >= 1
    assert all(role_of(p) == "engine" for p in named)
    others = [p for role in ("ingest", "gateway", "alerts", "broker") for p in stack.roles(role)]
    assert not {p.pid for p in named} & {p.pid for p in others}


def test_readiness_of_the_engine_names_each_dependency(stack: Stack) -> None:
    answer = stack.client.send("engine", "GET", "/readyz", timeout=20).json()
    assert answer == {"ready": True, "checks": {"kafka": "ok", "database": "ok", "partitions": "ok"}}


@pytest.mark.parametrize("role", SERVICES)
def test_a_killed_service_is_back_at_once(stack: Stack, role: str) -> None:
    victims = {p.pid for p in stack.kill(role)}

    def mended() -> bool:
        return bool({p.pid for p in stack.roles(role)} - victims) and ready(stack, role)

    wait_until(mended, MENDED_SECONDS, f"a new {role}")


def ready(stack: Stack, service: str) -> bool:
    try:
        return stack.client.send(service, "GET", "/readyz", timeout=20).status_code == 200
    except httpx.TransportError:
        return False


def test_a_second_stack_runs_beside_and_data_and_keys_survive_a_restart(
    stack: Stack, directory: Path
) -> None:
    (directory / "data").mkdir()
    (directory / "data" / "notes.txt").write_text("somebody else's file")
    account = f"kept-{uuid.uuid4().hex[:8]}"
    base = free_base(23_000)
    second = Stack.start(directory / "data", base)
    try:
        assert set(second.urls.values()).isdisjoint(stack.urls.values())
        second.client.post([used(account), used(account)])
        second.wait_applied()
        assert events_of(second, account) == 2
        assert events_of(stack, account) == 0
    finally:
        left = second.stop()
    assert left == []
    again = Stack.start(directory / "data", base)
    try:
        assert again.keys == second.keys
        assert again.urls == second.urls
        assert events_of(again, account) == 2
        again.client.post([used(account)])
        again.wait_applied()
        assert events_of(again, account) == 3
    finally:
        left = again.stop(signal.SIGINT)
    assert left == []
    assert (directory / "data" / "notes.txt").read_text() == "somebody else's file"


def test_servers_of_ones_own_take_the_place_of_its_own(
    directory: Path, postgres_url: str, kafka_bootstrap: str, fresh_topic: Callable[[str], str]
) -> None:
    running = Stack.start(
        directory / "data", free_base(23_000), DATABASE_URL=postgres_url, KAFKA_BOOTSTRAP_SERVERS=kafka_bootstrap,
        BELLWETHER_EVENTS_TOPIC=fresh_topic("events"), BELLWETHER_REJECTED_TOPIC=fresh_topic("rejected"),
    )  # fmt: skip
    try:
        assert (running.kafka, running.database_url) == (kafka_bootstrap, postgres_url)
        assert running.roles("broker") == running.roles("database") == []
        running.client.post([used("elsewhere")])
        running.wait_applied()
        assert events_of(running, "elsewhere") == 1
    finally:
        left = running.stop()
    assert left == []
