"""Who asks whether a service is ready hears it soon, also while what it depends on hangs."""

import threading
from collections.abc import Iterator
from time import monotonic

import httpx
import pytest
import uvicorn
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from common.http.ops import NO_ANSWER, PATIENCE_SECONDS, ops_routes
from common.http.serve import serving_aside
from common.local.ports import free_ports
from common.testing import wait_until


class Database:
    """Takes connections and says nothing while it is frozen."""

    def __init__(self) -> None:
        self.asked, self.frozen = 0, threading.Event()

    def check(self) -> str | None:
        self.asked += 1
        if self.frozen.is_set():
            wait_until(lambda: not self.frozen.is_set(), 60, "the database to go on")
        return None


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def service(database: Database) -> Iterator[httpx.Client]:
    [port] = free_ports(1)
    app = Starlette(
        routes=ops_routes({"kafka": lambda: None, "database": database.check}, CollectorRegistry())
    )
    config = uvicorn.Config(app, "127.0.0.1", port, log_level="warning")
    with serving_aside(config), httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        wait_until(lambda: _listens(client), 20, "an answer")
        yield client
    database.frozen.clear()


def _listens(client: httpx.Client) -> bool:
    try:
        return client.get("/livez").is_success
    except httpx.TransportError:
        return False


def test_a_check_that_hangs_is_told_within_its_time_and_asked_once(
    service: httpx.Client, database: Database
) -> None:
    assert service.get("/readyz").json() == {"ready": True, "checks": {"kafka": "ok", "database": "ok"}}
    database.frozen.set()
    for _ in range(2):
        began = monotonic()
        answer = service.get("/readyz")
        assert monotonic() - began < 3 * PATIENCE_SECONDS
        assert answer.status_code == 503
        assert answer.json() == {"ready": False, "checks": {"kafka": "ok", "database": NO_ANSWER}}
    assert database.asked == 2
    database.frozen.clear()
    wait_until(lambda: service.get("/readyz").is_success, 20, "readiness, now that the database goes on")
