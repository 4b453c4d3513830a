"""What becomes of a stack when its supervisor is killed, which no handler can catch, when it is given another number of engines, and when
its engine refuses to go on."""

import signal
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from tests.acceptance.conftest import free_base
from tests.acceptance.stack import END_SECONDS, Stack, command, environment

from common.testing import wait_until


@pytest.mark.timeout(480)  # two starts of everything, perhaps beside other work
def test_a_killed_stack_leaves_nothing_running_and_starts_again_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "notes.txt").write_text("not ours")
    first = Stack.start(tmp_path / "data", free_base(25_000), engines=2)
    family = first.processes()
    try:
        wait_until(lambda: owners_of_events(first) == 2, 60, "two engines to share the events")
        refused = subprocess.run(
            command("up", "--data-dir", str(first.data_dir)),
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert refused.returncode == 1
        assert "is running on" in refused.stderr
    finally:
        first.client.close()
        first.process.kill()
        first.process.communicate()
    wait_until(lambda: not any(one.alive for one in family), END_SECONDS, "every process of the stack to end")
    again = Stack.start(first.data_dir, first.port_base)
    try:
        assert again.said == first.said
        wait_until(lambda: owners_of_events(again) == 1, 60, "the one engine to have all partitions")
        assert (first.data_dir / "notes.txt").read_text() == "not ours"
    finally:
        left = again.stop(signal.SIGINT)
    assert left == []


@pytest.mark.timeout(480)
def test_a_stack_whose_engine_waits_for_a_person_is_there_for_that_person(tmp_path: Path) -> None:
    first = Stack.start(tmp_path / "data", free_base(25_000))
    topic_id = first.select("select topic_id from engine.progress where topic = %s", first.topic)[0][0]
    with psycopg.connect(first.database_url) as conn:
        conn.execute(
            "update engine.progress set topic_id = gen_random_uuid() where topic = %s", (first.topic,)
        )
    assert first.stop(signal.SIGINT) == []
    stack = Stack.start(first.data_dir, first.port_base)
    try:
        assert "kpi-engine applies nothing until you have decided" in (tmp_path / "data-up.log").read_text()
        now = datetime.now(UTC).isoformat()
        login = {"type": "user.logged_in", "subject": "acme", "time": now, "data": {"user": "ada"}}
        stack.client.post([{"specversion": "1.0", "id": "e1", "source": "app"} | login])
        with psycopg.connect(stack.database_url) as conn:
            conn.execute("update engine.progress set topic_id = %s where topic = %s", (topic_id, stack.topic))
        stack.wait_applied()
    finally:
        stack.stop(signal.SIGINT)


def test_addresses_that_a_shell_still_has_of_an_ended_stack_are_named(tmp_path: Path) -> None:
    """As after `bellwether env`: they take the place of the stack's own."""
    gone = environment(DATABASE_URL="postgresql://127.0.0.1:1/x", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    refused = subprocess.run(
        command("up", "--data-dir", str(tmp_path), "--port-base", str(free_base(25_000))),
        env=gone,
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert "`unset DATABASE_URL KAFKA_BOOTSTRAP_SERVERS`" in refused.stderr


def owners_of_events(stack: Stack) -> int:
    rows = stack.select("select distinct owner from engine.progress where topic = %s", stack.topic)
    return len(rows)
