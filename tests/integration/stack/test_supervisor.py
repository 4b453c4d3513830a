"""The supervisor on real processes, and the stack's keys on a real database."""

import json
import os
import signal
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from bellwether.stack.keys import ensure_keys
from bellwether.stack.supervisor import Supervisor
from common.auth.keys import SCOPES, parse
from common.auth.store import find_key, revoke_key
from common.local.process import ProcessSpec
from common.testing import wait_until

PATIENCE_SECONDS = 60


class Stage:
    """A supervisor and what it said."""

    def __init__(self, directory: Path) -> None:
        self.said: list[str] = []
        self.supervisor = Supervisor(self.said.append)
        self._directory = directory

    def add(self, name: str, script: str, before: str = ":") -> Path:
        """Runs a script; each of its starts adds its pid as a line to a file, once it has done what comes `before`."""
        pids = self._directory / name
        log = self._directory / f"{name}.log"
        self.supervisor.add(ProcessSpec(name, ("sh", "-c", f"{before}; echo $$ >> {pids}; {script}"), log))
        wait_until(lambda: starts_in(pids), PATIENCE_SECONDS, f"the first start of {name}")
        return pids

    def wait_for_starts(self, pids: Path, count: int) -> None:
        def enough() -> bool:
            self.supervisor.tick()
            return len(starts_in(pids)) >= count

        wait_until(enough, PATIENCE_SECONDS, f"{count} starts")


def starts_in(pids: Path) -> list[int]:
    return [int(line) for line in pids.read_text().split()] if pids.exists() else []


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.supervisor.stop(stage.supervisor.names, 0.5)


def test_a_killed_process_is_started_again_and_the_supervisor_says_so(stage: Stage) -> None:
    pids = stage.add("worker", "exec sleep 600")
    os.kill(starts_in(pids)[0], signal.SIGKILL)
    stage.wait_for_starts(pids, 2)
    assert any("worker was killed by SIGKILL; starting it again" in sentence for sentence in stage.said)


def test_a_process_that_ends_by_itself_is_started_again_and_again(stage: Stage) -> None:
    pids = stage.add("quitter", "exit 0")
    stage.wait_for_starts(pids, 4)
    assert stage.supervisor.quick_ends("quitter") >= 3


def test_what_a_dead_process_left_running_is_ended_before_the_next_start(
    stage: Stage, tmp_path: Path
) -> None:
    left = tmp_path / "left"
    pids = stage.add("parent", f"sleep 600 & echo $! >> {left}; wait")
    wait_until(lambda: starts_in(left), PATIENCE_SECONDS, "the grandchild")
    os.kill(starts_in(pids)[0], signal.SIGKILL)
    stage.wait_for_starts(pids, 2)
    wait_until(lambda: not is_alive(starts_in(left)[0]), PATIENCE_SECONDS, "the grandchild to end")


def test_stopping_ends_even_who_refuses(stage: Stage) -> None:
    polite, stubborn = (
        stage.add("polite", "exec sleep 600"),
        stage.add("stubborn", "sleep 600; sleep 600", before="trap '' TERM"),
    )
    stage.supervisor.stop(["polite"], PATIENCE_SECONDS)
    assert not is_alive(starts_in(polite)[0])
    assert stage.said == []
    stage.supervisor.stop(["stubborn"], 0.5)
    assert not is_alive(starts_in(stubborn)[0])
    assert stage.said == ["stubborn did not end in time and was killed"]


def test_the_keys_are_the_same_after_a_restart_and_only_the_owner_can_read_them(
    postgres_url: str, tmp_path: Path
) -> None:
    path = tmp_path / "keys.json"
    keys = ensure_keys(postgres_url, path)
    assert set(keys) == set(SCOPES)
    assert ensure_keys(postgres_url, path) == keys == json.loads(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_key_that_the_database_does_not_honour_is_replaced(postgres_url: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    before = ensure_keys(postgres_url, path)
    with psycopg.connect(postgres_url) as conn:
        row = find_key(conn, parse(before["act"]).id)
        assert row is not None
        revoke_key(conn, row.tenant_id, row.id, datetime.now(UTC))
    after = ensure_keys(postgres_url, path)
    assert {scope for scope in SCOPES if before[scope] != after[scope]} == {"act"}
