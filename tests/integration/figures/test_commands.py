"""`bellwether lint` and `bellwether apply`, as somebody at a terminal meets them."""

from pathlib import Path

import psycopg
import pytest
import typer
from typer.testing import CliRunner

from bellwether.commands import apply, lint
from common.catalogue import current

BASE = str(Path(__file__).parents[3] / "catalogue")


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    lint.register(made)
    apply.register(made)
    return made


@pytest.fixture
def database(postgres_url: str) -> str:
    with psycopg.connect(postgres_url) as conn:
        conn.execute("insert into control.tenant (slug, name) values ('demo', 'Demo')")
    return postgres_url


def run(app: typer.Typer, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


def test_lint_says_what_it_looked_at_or_where_the_faults_are(app: typer.Typer, tmp_path: Path) -> None:
    code, output = run(app, "lint", "--base", BASE)
    assert code == 0
    assert output.startswith("No findings in")
    (tmp_path / "settings.yaml").write_text("week_start: caturday\n", encoding="utf-8")
    code, output = run(app, "lint", "--base", BASE, str(tmp_path))
    assert code == 1
    assert f"{tmp_path}/settings.yaml:1 week_start" in output


def test_apply_makes_a_version_once(app: typer.Typer, database: str, tmp_path: Path) -> None:
    assert "demo is at version 1" in run(app, "apply", "--base", BASE, "--database-url", database)[1]
    assert "stays at version 1" in run(app, "apply", "--base", BASE, "--database-url", database)[1]
    (tmp_path / "settings.yaml").write_text("timezone: Europe/Berlin\n", encoding="utf-8")
    arguments = ("apply", "--base", BASE, "--database-url", database, "--tenant", "demo", str(tmp_path))
    assert "demo is at version 2" in run(app, *arguments)[1]
    with psycopg.connect(database) as conn:
        applied = current(conn, 1)
    assert applied is not None
    assert applied.settings.timezone == "Europe/Berlin"


def test_apply_changes_nothing_when_something_is_wrong(
    app: typer.Typer, database: str, tmp_path: Path
) -> None:
    (tmp_path / "settings.yaml").write_text("timezone: Mars\n", encoding="utf-8")
    assert run(app, "apply", "--base", BASE, "--database-url", database, str(tmp_path))[0] == 1
    assert run(app, "apply", "--base", BASE, "--database-url", database, "--tenant", "nobody")[0] == 1
    assert run(app, "apply", "--base", BASE, "--database-url", "postgresql://127.0.0.1:1/x")[0] == 1
    with psycopg.connect(database) as conn:
        assert current(conn, 1) is None
