"""The README's examples, run as they are printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.acceptance.stack import ROOT, Stack, environment

README = (ROOT / "README.md").read_text()


def runnable(language: str) -> list[str]:
    return re.findall(rf"^```{language} run\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def shell(stack: Stack) -> dict[str, str]:
    """The environment of somebody who has uv and has started the stack."""
    uv = subprocess.run(
        [str(ROOT / ".ci" / "get-uv")], check=True, capture_output=True, text=True
    ).stdout.strip()
    path = os.pathsep.join((str(Path(uv).parent), os.environ["PATH"]))
    return environment(PATH=path, BELLWETHER_DATA_DIR=str(stack.data_dir), UV_NO_SYNC="1")


def test_the_quickstart_works_as_it_is_printed(shell: dict[str, str]) -> None:
    script = "\n".join(("set -euo pipefail", *(f"{block}\necho" for block in runnable("sh"))))
    done = subprocess.run(
        ["bash"], check=False, input=script, cwd=ROOT, env=shell, capture_output=True, text=True, timeout=150
    )
    assert done.returncode == 0, done.stderr
    assert '{"accepted":1,"rejected":[]}' in done.stdout
    assert '"metric":"active_users_1d"' in done.stdout
    assert "user.logged_in" in done.stdout
    assert "acme" in done.stdout
    assert "2 events accepted" in done.stderr


def test_the_sdk_example_works_as_it_is_printed(shell: dict[str, str], stack: Stack) -> None:
    (example,) = runnable("python")
    variables = {
        "BELLWETHER_INGEST_URL": stack.urls["ingest"],
        "BELLWETHER_INGEST_KEY": stack.keys["ingest"],
    }
    subprocess.run(
        [sys.executable, "-c", example], cwd=ROOT, env={**shell, **variables}, check=True, timeout=60
    )
