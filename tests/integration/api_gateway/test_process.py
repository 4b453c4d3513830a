"""The gateway as a process, as operators run it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from tests.integration.api_gateway.listening import Listening
from tests.integration.api_gateway.world import Tenant, World

from common.local.ports import free_ports
from common.testing import wait_until


@contextmanager
def running(port: int, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    given = {**os.environ, "GATEWAY_PORT": str(port), **environment}
    process = subprocess.Popen([sys.executable, "-m", "api_gateway"], env=given, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=60)


def _status(url: str) -> int:
    try:
        return httpx.get(url, trust_env=False).status_code
    except httpx.HTTPError:
        return 0


def test_it_ends_when_told_to_and_closes_its_streams(world: World, ours: Tenant) -> None:
    port = free_ports(1)[0]
    url = f"http://127.0.0.1:{port}"
    with running(port, DATABASE_URL=world.url) as process:
        wait_until(lambda: _status(f"{url}/readyz") == 200, 120, "readiness")
        with Listening(f"{url}/v1/stream", ours.headers()) as client:
            client.wait_for("ready")
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            wait_until(lambda: client.ended, 60, "the stream's end")


def test_without_a_database_it_lives_but_is_not_ready_and_says_why() -> None:
    port, closed = free_ports(2)
    url = f"http://127.0.0.1:{port}"
    with running(port, DATABASE_URL=f"postgresql://u:p@127.0.0.1:{closed}/d"):
        wait_until(lambda: _status(f"{url}/livez") == 200, 120, "life")
        answer = httpx.get(f"{url}/readyz", trust_env=False, timeout=60)
        assert answer.status_code == 503
        assert "database" in answer.json()["checks"]
        key = "bw_read_AAAAAAAA_" + "x" * 32
        refused = httpx.get(
            f"{url}/v1/accounts", headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=60
        )
        assert (refused.status_code, refused.json()["code"]) == (503, "database-unavailable")


def test_wrong_settings_are_named_and_right_ones_accepted() -> None:
    def checked(**environment: str) -> subprocess.CompletedProcess[str]:
        bare = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        command = [sys.executable, "-m", "api_gateway", "--check-config"]
        return subprocess.run(
            command, env={**bare, **environment}, capture_output=True, text=True, check=False, timeout=60
        )

    assert checked(DATABASE_URL="postgresql://x/y").returncode == 0
    missing = checked()
    assert missing.returncode == 2
    assert "setting DATABASE_URL" in missing.stderr
    assert "setting GATEWAY_PORT" in checked(DATABASE_URL="postgresql://x/y", GATEWAY_PORT="high").stderr
