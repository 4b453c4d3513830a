"""One set of versions: the lock that `make` installs and the constraints that `uv run` resolves under."""

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = [ROOT / "pyproject.toml", *sorted(ROOT.glob("*/*/pyproject.toml"))]


def manifest(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())


def locked_lines() -> list[str]:
    lines = (
        line.removesuffix("\\").strip() for line in (ROOT / "requirements.lock").read_text().splitlines()
    )
    return [line for line in lines if line and not line.startswith(("#", "--hash"))]


def normalised(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def test_the_lock_and_the_constraints_of_uv_run_agree() -> None:
    settings = manifest(ROOT / "pyproject.toml")["tool"]["uv"]
    assert settings["constraint-dependencies"] == locked_lines()
    assert set(settings["build-constraint-dependencies"]) <= set(locked_lines())


def test_everything_that_a_manifest_asks_for_is_locked() -> None:
    own = {manifest(path)["project"]["name"] for path in MANIFESTS}
    asked = {
        normalised(one) for path in MANIFESTS for one in manifest(path)["project"].get("dependencies", [])
    }
    asked |= {normalised(one) for one in manifest(ROOT / "pyproject.toml")["dependency-groups"]["dev"]}
    assert asked - own <= {normalised(line) for line in locked_lines()}, "run `make lock`"


def test_every_locked_package_has_one_exact_version_and_hashes() -> None:
    text = (ROOT / "requirements.lock").read_text()
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(locked_lines())
    for entry in entries:
        assert re.match(r"[a-z0-9._-]+(\[[a-z0-9,-]+\])?==\S+", entry), entry.splitlines()[0]
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_the_lock_names_no_address_and_no_path() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"://|\bfile:|^-e|^/|^\.", text, flags=re.MULTILINE)
