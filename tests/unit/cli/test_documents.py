"""What the documents say exists."""

import re
import subprocess
from pathlib import Path

import pytest

from bellwether import commands

ROOT = Path(__file__).parents[3]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUNBOOKS = ROOT / "docs" / "runbooks"


def fenced(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_shell_examples_are_shell(document: Path) -> None:
    for block in fenced(document.read_text(), "sh"):
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)


def test_every_command_that_is_named_exists() -> None:
    # The module of `import` is called import_, for the word is the language's; that of `train-risk` train_risk.
    known = {path.stem.rstrip("_").replace("_", "-") for path in Path(commands.__path__[0]).glob("[a-z]*.py")}
    for document in DOCUMENTS:
        named = set(re.findall(r"`(?:uv run )?bellwether ([a-z-]+)", document.read_text()))
        assert named <= known, document


def test_every_runbook_is_listed_and_every_one_that_is_named_exists() -> None:
    pages = {path.name for path in RUNBOOKS.glob("*.md")} - {"README.md"}
    assert set(re.findall(r"\]\(([a-z-]+\.md)\)", (RUNBOOKS / "README.md").read_text())) == pages
    files = [
        path
        for part in ("libs", "services", "deploy")
        for kind in ("py", "yml", "yaml")
        for path in (ROOT / part).rglob(f"*.{kind}")
    ]
    sources = [path.read_text() for path in files]
    named = {name for text in sources for name in re.findall(r"docs/runbooks/([a-z-]+\.md)", text)}
    assert named
    assert named <= pages
