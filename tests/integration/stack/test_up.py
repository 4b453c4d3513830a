"""What becomes of a stack when its supervisor is killed, which no handler can catch, and when it is given another number of engines."""

import signal
import subprocess
from pathlib import Path

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


def owners_of_events(stack: Stack) -> int:
    rows = stack.select("select distinct owner from engine.progress where topic = %s", stack.topic)
    return len(rows)
