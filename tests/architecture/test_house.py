"""Rules of the house that no other tool checks."""

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_LINES = 500
# Written so that this file does not contain what it looks for.
REGISTRY_HOSTS = [
    "".join(parts)
    for parts in (
        ("pypi", ".org"),
        ("python", "hosted.org"),
        ("repo.maven", ".apache.org"),
        ("repo1.maven", ".org"),
        ("registry.npm", "js.org"),
        ("proxy.golang", ".org"),
        ("deb.debian", ".org"),
        ("static.crates", ".io"),
    )
]
VENDORED = "/vendor/"


@cache
def tracked() -> tuple[Path, ...]:
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    return tuple(path for name in names.split("\0") if name and (path := ROOT / name).is_file())


def texts(*suffixes: str) -> list[tuple[str, str]]:
    """Relative names and contents of tracked text files, of all kinds when none is named."""
    found = []
    for path in tracked():
        if suffixes and path.suffix not in suffixes:
            continue
        content = path.read_bytes()
        if b"\0" not in content:
            found.append((str(path.relative_to(ROOT)), content.decode()))
    return found


def test_no_file_of_code_is_longer_than_five_hundred_lines() -> None:
    long = {
        name: text.count("\n")
        for name, text in texts(".py", ".sql", ".js", ".css", ".html")
        if VENDORED not in name
    }
    assert {name: lines for name, lines in long.items() if lines > MOST_LINES} == {}


def test_no_tracked_file_names_a_package_registry() -> None:
    pattern = re.compile("|".join(map(re.escape, REGISTRY_HOSTS)))
    assert [name for name, text in texts() if pattern.search(text)] == []


def test_package_files_hold_a_docstring_and_at_most_a_list_of_names() -> None:
    for name, text in texts(".py"):
        if not name.endswith("__init__.py"):
            continue
        for node in ast.parse(text).body:
            is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            is_listing = isinstance(node, ast.ImportFrom) or (
                isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
            )
            assert is_docstring or is_listing, f"{name} does something at line {node.lineno}"


def test_one_file_speaks_kafka() -> None:
    speakers = [
        name
        for name, text in texts(".py")
        if name.startswith(("libs/", "services/"))
        and re.search(r"^\s*(from|import) kafka\b", text, re.MULTILINE)
    ]
    assert speakers == ["libs/common/src/common/streams/kafka.py"]


def test_no_session_takes_the_defaults_of_its_database() -> None:
    """Except where only the server itself is asked whether it is there."""
    asks_nothing = {
        "libs/common/src/common/local/postgres.py",
        "services/kpi-engine/src/kpi_engine/app.py",  # its readiness; what it works on is opened with them
    }
    offenders = [
        name
        for name, text in texts(".py")
        if "/src/" in name and text.count("psycopg.connect(") > text.count("options=")
    ]
    assert set(offenders) <= asks_nothing


def test_settings_are_read_by_the_wiring_alone() -> None:
    readers = {
        Path(name).name
        for name, text in texts(".py")
        if name.startswith("services/")
        and re.search(r"^\s*from \w+(\.| import )settings\b", text, re.MULTILINE)
    }
    assert readers <= {"app.py", "__main__.py"}


def test_of_a_service_the_wiring_alone_reads_the_environment() -> None:
    offenders = [
        name
        for name, text in texts(".py")
        if name.startswith("services/")
        and Path(name).name != "app.py"
        and re.search(r"\bos\.(environ|getenv)\b", text)
    ]
    assert offenders == []


def test_nothing_is_left_to_do_and_nothing_is_skipped() -> None:
    marks = re.compile(
        "|".join(
            (
                "TO" + "DO",
                "FIX" + "ME",
                r"\bXX" + r"X\b",
                r"NotImplemented" + "Error",
                r"pytest\.sk" + "ip",
                r"mark\.sk" + "ip",
            )
        )
    )
    assert [
        f"{name}: {found[0]}" for name, text in texts(".py", ".sql", ".yaml") if (found := marks.search(text))
    ] == []


def test_tests_use_no_mocks_and_do_not_sleep() -> None:
    cheats = re.compile(
        r"unittest\.mock|MagicMock|monkeypatch\.setattr|\btime\.sle" + r"ep\(|asyncio\.sle" + r"ep\((?!0\))"
    )
    # A script that a test writes for another process may wait as long as it likes.
    in_process = re.compile(r'"[^"\n]*"')
    offenders = [
        name
        for name, text in texts(".py")
        if Path(name).name.startswith("test_") and cheats.search(in_process.sub('""', text))
    ]
    assert offenders == []


def test_the_commands_of_the_readme_are_targets_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(
        re.findall(r"`make ([a-z-]+)`|^make ([a-z-]+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    )
    commands = {one or other for one, other in named}
    assert {"demo", "test"} <= commands <= targets


def test_every_target_explains_itself() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == set(re.findall(r"^([a-z-]+):.*## \S", text, re.MULTILINE))


@pytest.mark.parametrize(
    "name",
    ["README.md", "CHANGELOG.md", "LICENSE", "CONTRIBUTING.md", "requirements.lock", "docker-compose.yml"],
)
def test_what_a_visitor_looks_for_is_there(name: str) -> None:
    assert (ROOT / name).stat().st_size > 0


def test_a_decision_record_has_its_parts() -> None:
    records = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert records
    for record in records:
        headings = set(
            re.findall(
                r"^(?:## |\*\*)(Context|Decision|Consequences|Check)\b", record.read_text(), re.MULTILINE
            )
        )
        assert headings == {"Context", "Decision", "Consequences", "Check"}, record.name


def test_the_uv_lock_is_not_kept() -> None:
    assert "uv.lock" in (ROOT / ".gitignore").read_text().splitlines()
    assert ROOT / "uv.lock" not in tracked()
