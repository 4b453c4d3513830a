"""`bellwether demo` as `make demo` starts it: from nothing to a warning that reached somebody, and to nothing again."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.conftest import free_base
from tests.acceptance.processes import descendants
from tests.acceptance.stack import ROOT, command, environment

from common.testing import wait_until

# On a machine that is shared with other tests; alone it is a third of it.
TOLD_SECONDS = 400
END_SECONDS = 25


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    said = tmp_path / "said"
    with said.open("wb") as output:
        process = subprocess.Popen(
            command("demo", "--data-dir", str(tmp_path / "data"), "--port-base", str(free_base(27_000))),
            cwd=ROOT, env=environment(COLUMNS="120"), stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        yield process, said
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGTERM)
            process.wait(END_SECONDS)


@pytest.mark.timeout(TOLD_SECONDS * 2)
def test_a_year_is_told_a_warning_arrives_and_ctrl_c_ends_everything(
    demo: tuple["subprocess.Popen[bytes]", Path],
) -> None:
    process, said = demo

    def heard(text: str) -> bool:
        assert process.poll() is None, said.read_text()
        return text in said.read_text()

    wait_until(lambda: heard("Dashboard  http://127.0.0.1:"), TOLD_SECONDS, "the address of the dashboard")
    assert "all of them are in the figures" not in said.read_text(), (
        "the address comes before the load has ended"
    )
    wait_until(lambda: heard("all of them are in the figures"), TOLD_SECONDS, "the year to be loaded")
    wait_until(lambda: heard("case.opened (signature verified)"), TOLD_SECONDS, "the warning")
    assert "Complaints rose" in said.read_text()
    assert "refused" not in said.read_text()
    children = descendants(process.pid)
    assert children
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(END_SECONDS) == 0
    assert "Everything has ended" in said.read_text()
    assert [child for child in children if child.alive] == []
