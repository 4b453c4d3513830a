"""The broker and the server that the local stack and the tests run on."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from common.local import process
from common.local.kafka import LocalKafka
from common.local.ports import claim_block, first_free_block, free_ports, is_free
from common.local.postgres import LocalPostgres
from common.local.process import ProcessSpec, SetupError
from common.testing import wait_until

PATIENCE_SECONDS = 60


def test_a_broker_answers_on_its_port(kafka_bootstrap: str) -> None:
    host, port = kafka_bootstrap.rsplit(":", 1)
    socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS).close()


def test_a_killed_server_comes_back_with_its_data(tmp_path: Path) -> None:
    server = LocalPostgres(tmp_path, free_ports(1)[0])
    server.start()
    try:
        with psycopg.connect(server.url(), autocommit=True) as conn:
            conn.execute("create table kept as select 42 as answer")
        assert server._running is not None
        os.kill(server._running.pid, signal.SIGKILL)
        server._running.wait()
        wait_until(lambda: starts(server), PATIENCE_SECONDS, "the server to start over its old files")
        with psycopg.connect(server.url()) as conn:
            assert conn.execute("select answer from kept").fetchone() == (42,)
    finally:
        server.stop()


def starts(server: LocalPostgres) -> bool:
    """False while the killed server's last children still hold its shared memory."""
    try:
        server.start()
    except SetupError:
        return False
    return True


def test_a_child_is_gone_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import sys, time\nfrom pathlib import Path\nfrom common.local import process\n"
        f"spec = process.ProcessSpec('child', ('sleep', '600'), Path({str(tmp_path / 'log')!r}))\n"
        f"Path({str(tmp_path / 'pid')!r}).write_text(str(process.start(spec).pid))\n"
        "time.sleep(600)\n"
    )
    pid_file = tmp_path / "pid"
    parent = process.start(ProcessSpec("parent", (sys.executable, str(script)), tmp_path / "parent.log"))
    child = int(
        wait_until(lambda: pid_file.exists() and pid_file.read_text(), PATIENCE_SECONDS, "the child's pid")
    )
    assert Path(f"/proc/{child}").exists()
    parent.kill()
    parent.wait()
    wait_until(lambda: not Path(f"/proc/{child}").exists(), PATIENCE_SECONDS, "the child to end")


def test_a_stubborn_process_and_its_children_are_killed_in_time(tmp_path: Path) -> None:
    script = "trap '' TERM; sleep 600 & echo $!; wait"
    spec = ProcessSpec("stubborn", ("sh", "-c", script), tmp_path / "log")
    running = process.start(spec)
    grandchild = int(
        wait_until(lambda: spec.log_path.read_text().strip(), PATIENCE_SECONDS, "the grandchild's pid")
    )
    assert not process.stop(running, spec, timeout_seconds=0.2)
    wait_until(lambda: not Path(f"/proc/{grandchild}").exists(), PATIENCE_SECONDS, "the grandchild to end")


def test_two_stacks_get_different_ports(unused_base: int) -> None:
    first = first_free_block(range(unused_base, unused_base + 40, 10), 8)
    second = first_free_block(range(unused_base, unused_base + 40, 10), 8)
    try:
        assert first.base != second.base
        with pytest.raises(SetupError, match="--port-base"):
            claim_block(first.base, 8)
    finally:
        first.close()
        second.close()
    claim_block(first.base, 8).close()


def test_a_port_in_use_is_named(unused_base: int) -> None:
    with socket.create_server(("127.0.0.1", unused_base + 3)):
        assert not is_free(unused_base + 3)
        with pytest.raises(SetupError, match=f"port {unused_base + 3} is in use"):
            claim_block(unused_base, 8)


@pytest.fixture
def unused_base() -> int:
    return first_unused(range(20_000, 32_000, 50))


def first_unused(bases: range) -> int:
    return next(base for base in bases if all(is_free(port) for port in range(base, base + 48)))


def test_missing_java_is_one_sentence_that_says_what_to_install(tmp_path: Path) -> None:
    code = "from common.local.kafka import java_program; java_program()"
    environment = {**os.environ, "PATH": str(tmp_path), "JAVA_HOME": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    last_line = done.stderr.strip().splitlines()[-1]
    assert "install Java 17 or newer" in last_line


def test_a_broker_knows_where_it_listens(tmp_path: Path) -> None:
    assert LocalKafka(tmp_path, 1234, 1235).bootstrap_servers == "127.0.0.1:1234"
