"""The README's examples, run as they are printed."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.acceptance.stack import ROOT, Stack, environment

from common.testing import wait_until

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
        ["bash"], check=False, input=script, cwd=ROOT, env=shell, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    assert '{"accepted":1,"rejected":[]}' in done.stdout
    assert '"metric":"active_users_1d"' in done.stdout
    assert "user.logged_in" in done.stdout
    assert "acme" in done.stdout
    assert "2 events accepted" in done.stderr


@pytest.mark.parametrize(
    ("number", "sent"), [(0, "exports"), (1, "Exported")], ids=["cloudevents", "segment"]
)
def test_the_sdk_examples_work_as_they_are_printed(
    shell: dict[str, str], stack: Stack, python_sdks: dict[str, Path], number: int, sent: str
) -> None:
    examples = runnable("python")
    assert len(examples) == 2
    variables = {
        "BELLWETHER_INGEST_URL": stack.urls["ingest"],
        "BELLWETHER_INGEST_KEY": stack.keys["ingest"],
        "PYTHONPATH": str(python_sdks["2.4.0"]) if "segment" in examples[number] else "",
    }
    before = features(stack)[sent]
    done = subprocess.run(
        [sys.executable, "-c", examples[number]], cwd=ROOT, env={**shell, **variables}, capture_output=True, text=True,
        check=False, timeout=240,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    wait_until(lambda: features(stack)[sent] == before + 1, 60, f"the event about {sent} to be accepted")


def features(stack: Stack) -> Counter[str]:
    """What was used, as the timeline of the examples' account has it."""
    answer = stack.client.send(
        "gateway", "GET", "/v1/accounts/acme/events", stack.keys["read"], params={"limit": 100}
    )
    if answer.status_code == 404:
        return Counter()
    assert answer.status_code == 200, answer.text
    return Counter(str(event["data"].get("feature")) for event in answer.json()["data"])


def test_every_command_that_is_named_is_there(shell: dict[str, str], stack: Stack) -> None:
    named = set(re.findall(r"uv run bellwether ([a-z-]+)", README)) | {"demo"}
    assert len(named) > 8
    listed = stack.run("--help").stdout
    assert {command for command in named if not re.search(rf"^\W*{command}\s", listed, re.MULTILINE)} == set()
    for line in ("doctor", "top", "keys create --scope ingest --name shop", "keys list"):
        assert f"`uv run bellwether {line.split(maxsplit=1)[0]}" in README
        assert stack.run(*line.split()).stdout, line
    # Which database to change is said, never found.
    assert stack.run("migrate", DATABASE_URL=stack.database_url).stdout
