"""A running Bellwether as its users have it: started by `bellwether up --json`, spoken to over HTTP, ended by SIGTERM."""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import psycopg
from tests.acceptance.client import Client
from tests.acceptance.processes import Process, descendants, role_of
from tests.reference.topic import end_offsets

from common.testing import wait_until

ROOT = Path(__file__).parents[2]
START_SECONDS = 240  # the first start installs what the broker needs
END_SECONDS = 60
GONE_SECONDS = 20
BACK_SECONDS = 60
OWN_SERVERS = ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS")


def command(*arguments: str) -> list[str]:
    """The installed `bellwether`, as `uv run bellwether` would run it."""
    return [str(Path(sys.executable).with_name("bellwether")), *arguments]


def environment(**extra: str) -> dict[str, str]:
    """Ours without servers of somebody else and without keys of another stack."""
    kept = {k: v for k, v in os.environ.items() if k not in OWN_SERVERS and not k.startswith("BELLWETHER_")}
    return {**kept, **extra}


@dataclass
class Stack:
    process: subprocess.Popen[str]
    data_dir: Path
    port_base: int
    said: dict[str, Any]
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.client_with(self.keys)

    @classmethod
    def start(cls, data_dir: Path, port_base: int, *, engines: int = 1, **servers: str) -> Self:
        """`servers` (DATABASE_URL, KAFKA_BOOTSTRAP_SERVERS) take the place of its own. Waits for the one line of readiness; what it wrote to stderr is in `up.log` beside the data."""
        log_path = data_dir.parent / f"{data_dir.name}-up.log"
        with log_path.open("a") as log:
            process = subprocess.Popen(
                command("up", "--json", "--data-dir", str(data_dir), "--port-base", str(port_base), "--engines", str(engines)),
                cwd=ROOT, env=environment(**servers), stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
            )  # fmt: skip
        line = _first_line(process, START_SECONDS)
        if not line:
            process.terminate()
            process.communicate(timeout=END_SECONDS)
            raise AssertionError(
                f"the stack did not start; the end of its log:\n{log_path.read_text()[-4000:]}"
            )
        said = json.loads(line)
        assert said["ready"] is True
        return cls(process, data_dir, port_base, said)

    @property
    def keys(self) -> dict[str, str]:
        return dict(self.said["keys"])

    @property
    def urls(self) -> dict[str, str]:
        return dict(self.said["urls"])

    @property
    def kafka(self) -> str:
        return str(self.said["kafka"])

    @property
    def topic(self) -> str:
        return str(self.said["topic"])

    @property
    def database_url(self) -> str:
        return str(self.said["database_url"])

    def client_with(self, keys: dict[str, str]) -> Client:
        return Client(self.urls, keys)

    def processes(self) -> list[Process]:
        return descendants(self.process.pid)

    def roles(self, role: str) -> list[Process]:
        return [p for p in self.processes() if role_of(p) == role]

    def kill(self, role: str) -> list[Process]:
        """SIGKILL to every process of a role, once there is one; returns who they were, when none of them is left."""
        victims = wait_until(lambda: self.roles(role), BACK_SECONDS, f"a process of the stack that is {role}")
        for victim in victims:
            victim.kill()
        wait_until(lambda: not any(victim.alive for victim in victims), GONE_SECONDS, f"{role} to be dead")
        return victims

    def wait_applied(self, timeout_seconds: float = 120) -> None:
        """Until everything that is in the topic now is in the figures, and no account waits to be recomputed."""
        # kafka-python leaves the socket of a refused connection to the garbage collector, whose warning would fail some later test.
        wait_until(self._broker_listens, BACK_SECONDS, "the broker to listen")
        ends = {p: end for p, end in end_offsets(self.kafka, self.topic).items() if end}

        def applied() -> bool:
            try:
                done = self.progress()
                return all(done.get(p, 0) >= end for p, end in ends.items()) and not self.dirty_accounts()
            except psycopg.OperationalError:  # a database that was killed is on its way back
                return False

        wait_until(applied, timeout_seconds, "the engine to apply all events")

    def _broker_listens(self) -> bool:
        host, port = self.kafka.rsplit(":", 1)
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except OSError:
            return False
        return True

    def wait_ready(self, timeout_seconds: float = 90) -> None:
        """Until every service says that it and all it needs are there."""

        def ready() -> bool:
            try:
                answers = [self.client.send(name, "GET", "/readyz", timeout=20) for name in self.urls]
            except httpx.TransportError:
                return False
            return all(answer.status_code == 200 for answer in answers)

        wait_until(ready, timeout_seconds, "all services to be ready")

    def progress(self) -> dict[int, int]:
        """Next offset by partition, as committed with the figures."""
        rows = self.select(
            "select partition, next_offset from published.progress where topic = %s", self.topic
        )
        return {int(partition): int(offset) for partition, offset in rows}

    def dirty_accounts(self) -> int:
        return int(self.select("select coalesce(sum(dirty_accounts), 0) from published.progress")[0][0])

    def select(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as conn:
            return conn.execute(query.encode(), parameters).fetchall()

    def run(
        self, *arguments: str, timeout_seconds: float = 180, **extra: str
    ) -> subprocess.CompletedProcess[str]:
        """A `bellwether` command against this stack; raises with its output when it fails."""
        done = subprocess.run(
            command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=timeout_seconds, check=False,
            env=environment(BELLWETHER_DATA_DIR=str(self.data_dir), **extra),
        )  # fmt: skip
        assert done.returncode == 0, (
            f"bellwether {' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
        return done

    def stop(self, with_signal: int = signal.SIGTERM) -> list[Process]:
        """Ends it as a user would; returns what is still alive of all it had started."""
        self.client.close()
        if self.process.poll() is not None:
            return []
        family = self.processes()
        self.process.send_signal(with_signal)
        self.process.wait(END_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return still_alive(family)


def still_alive(family: Sequence[Process]) -> list[Process]:
    """Who of them does not end. What was killed last takes a moment to be gone, and longer beside other work."""
    with suppress(AssertionError):
        wait_until(lambda: not any(one.alive for one in family), GONE_SECONDS)
    return [one for one in family if one.alive]


def _first_line(process: subprocess.Popen[str], timeout_seconds: float) -> str:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        return process.stdout.readline() if selector.select(timeout_seconds) else ""
