"""`bellwether lint` and `bellwether apply`, as somebody at a terminal meets them."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
import typer
from typer.testing import CliRunner

from bellwether.commands import apply, lint
from common.catalogue import apply as store
from common.catalogue import current, load, loading, schemas
from common.catalogue.store import latest_version
from common.testing import wait_until

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
    assert f"{len(load(BASE).metrics)} metrics" in output
    (tmp_path / "settings.yaml").write_text("week_start: caturday\n", encoding="utf-8")
    code, output = run(app, "lint", "--base", BASE, str(tmp_path))
    assert code == 1
    assert f"{tmp_path}/settings.yaml:1 week_start" in output
    assert "1 error, " in output.splitlines()[-1]


def test_lint_warns_without_failing_unless_it_is_asked_to(app: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "goals").mkdir()
    words = "name: own\nlabel: Launch the new portal\nkpis: [{metric: reviews_held}]\n"
    (tmp_path / "goals" / "own.yaml").write_text(words, encoding="utf-8")
    code, output = run(app, "lint", "--base", BASE, str(tmp_path))
    assert code == 0
    assert f"{tmp_path}/goals/own.yaml:2 own.label: warning: begins with 'Launch'" in output
    code, output = run(app, "lint", "--base", BASE, str(tmp_path), "--strict", "--format", "json")
    assert code == 1
    shown = json.loads(output)
    assert (shown["errors"], shown["warnings"]) == (0, len(shown["findings"]))
    assert [one["line"] for one in shown["findings"] if one["field"] == "own.label"] == [2]
    assert shown["findings"][0].keys() == {"severity", "file", "line", "field", "message", "advice"}
    assert shown["counts"]["goals"] == len(load(BASE).goals) + 1
    assert run(app, "lint", "--base", str(tmp_path / "nowhere"))[0] == 1
    assert run(app, "lint", "--format", "xml")[0] == 2


def test_lint_gives_editors_a_schema_of_every_kind_of_file(app: typer.Typer) -> None:
    titles: dict[str, str] = {}
    assert len(set(schemas.KINDS)) == len(schemas.KINDS)
    for kind in schemas.KINDS:
        code, output = run(app, "lint", "--schema", kind)
        assert code == 0
        made = json.loads(output)
        references = set(re.findall(r'"\$ref": "#/\$defs/(\w+)"', output))
        assert references <= made["$defs"].keys(), kind
        titles[kind] = made["title"]
    files = {file for file in titles.values() if "*" not in file}
    assert files == set(loading.SINGLES)
    assert set(titles.values()) - files == {f"{kind}/*.yaml" for kind in loading.KINDS}
    assert (titles["risk"], titles["risk.yaml"]) == ("risk/*.yaml", "risk.yaml")
    assert run(app, "lint", "--schema", "dreams")[0] == 2


def test_apply_makes_a_version_once(app: typer.Typer, database: str, tmp_path: Path) -> None:
    assert "demo is at version 1" in run(app, "apply", "--base", BASE, "--database-url", database)[1]
    assert "stays at version 1" in run(app, "apply", "--base", BASE, "--database-url", database)[1]
    (tmp_path / "settings.yaml").write_text("week_start: sunday\n", encoding="utf-8")
    arguments = ("apply", "--base", BASE, "--database-url", database, "--tenant", "demo", str(tmp_path))
    assert "demo is at version 2" in run(app, *arguments)[1]
    with psycopg.connect(database) as conn:
        applied = current(conn, 1)
    assert applied is not None
    assert applied.settings.week_start == "sunday"


def test_apply_says_what_changes_and_what_is_counted_again(
    app: typer.Typer, database: str, tmp_path: Path
) -> None:
    arguments = ("apply", "--base", BASE, "--database-url", database)
    run(app, *arguments)
    for kind, text in (
        ("measures", "name: complaints\nagg: count\nevent_types: [complaint.filed, ticket.opened]\n"),
        ("metrics", "name: stories\nremoved: true\n"),
        ("segments", "name: partners\nlabel: Partners\nfilter: {kind: [partner, reseller]}\n"),
    ):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "own.yaml").write_text(text, encoding="utf-8")
    code, output = run(app, *arguments, str(tmp_path), "--dry-run")
    assert code == 0
    lines = output.splitlines()
    said = " ".join(output.split())
    assert (
        "Metric complaints means something else (measure complaints) but keeps its version; raise it" in said
    )
    assert "Metric complaints_per_100_accounts means something else (metric complaints)" in said
    assert "metrics: removed stories" in lines
    assert "segments: changed partners (description, filter)" in lines
    counted = next(line for line in lines if line.startswith("Counted for the past: complaints, for "))
    assert {"complaints", "complaints_per_100_accounts"} <= set(re.findall(r"\w+", counted))
    assert lines[-1] == "Nothing was applied."
    with psycopg.connect(database) as conn:
        assert latest_version(conn, 1) == 1
    assert "counts otherwise than before" in run(app, *arguments, str(tmp_path))[1]


def test_apply_changes_nothing_but_what_it_said(app: typer.Typer, database: str, tmp_path: Path) -> None:
    """Of two people who apply at once, the second took back what the first had brought, and was told of none of it."""
    arguments = ("apply", "--base", BASE, "--database-url", database)
    run(app, *arguments)
    (tmp_path / "settings.yaml").write_text("week_start: sunday\n", encoding="utf-8")
    is_next = "select exists (select from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid)))"
    with ThreadPoolExecutor(1) as pool, psycopg.connect(database) as first:
        first.execute("select from control.tenant for update")
        second = pool.submit(run, app, *arguments, str(tmp_path))
        wait_until(lambda: first.execute(is_next).fetchone() == (True,), 60)
        pack = load(BASE)
        fiscal = pack.settings.model_copy(update={"fiscal_start_month": 4})
        assert store(first, "demo", pack.model_copy(update={"settings": fiscal})) == 2
        first.commit()
        code, output = second.result(timeout=60)
        assert code == 1
        assert "Nothing was applied: version 2 of demo was applied meanwhile" in " ".join(output.split())
        assert latest_version(first, 1) == 2
    assert "settings: changed (week_start, fiscal_start_month)" in run(app, *arguments, str(tmp_path))[1]


def test_apply_refuses_a_metric_from_a_day_to_come(app: typer.Typer, database: str, tmp_path: Path) -> None:
    arguments = ("apply", "--base", BASE, "--database-url", database)
    run(app, *arguments)
    stories = json.loads(load(BASE).metrics["stories"].model_dump_json()) | {"version": 2}
    (tmp_path / "metrics").mkdir()
    own = tmp_path / "metrics" / "own.yaml"
    for day, code, said in (
        ("2126-01-01", 1, "Nothing was applied: stories is effective from 2126-01-01, which is to come"),
        ("2020-01-01", 1, "is effective from 2020-01-01, before version 1 was"),
        ("2026-02-01", 0, "demo is at version 2"),
    ):
        own.write_text(json.dumps(stories | {"effective_from": day}), encoding="utf-8")
        found, output = run(app, *arguments, str(tmp_path))
        assert (found, said in " ".join(output.split())) == (code, True), output
    own.unlink()
    back = "Metric stories goes back from version 2 to 1: right only if it means what it meant then"
    assert back in " ".join(run(app, *arguments, str(tmp_path))[1].split())


def test_apply_changes_nothing_when_something_is_wrong(
    app: typer.Typer, database: str, tmp_path: Path
) -> None:
    (tmp_path / "settings.yaml").write_text("timezone: Mars\n", encoding="utf-8")
    assert run(app, "apply", "--base", BASE, "--database-url", database, str(tmp_path))[0] == 1
    assert run(app, "apply", "--base", BASE, "--database-url", database, "--tenant", "nobody")[0] == 1
    assert run(app, "apply", "--base", BASE, "--database-url", "postgresql://127.0.0.1:1/x")[0] == 1
    with psycopg.connect(database) as conn:
        assert current(conn, 1) is None


@pytest.mark.parametrize(
    ("file", "text", "kinds"),
    [
        ("settings.yaml", "timezone: Europe/Berlin\n", "settings"),
        ("segments/own.yaml", "name: own\nlabel: Own\nfilter: {plan: [own]}\n", "segments"),
        ("receivers.yaml", "receivers: [{name: us, kind: email, to: us@example.com}]\nroutes: [{receivers: [us]}]\n", "routing"),
    ],
)  # fmt: skip
def test_apply_without_the_overlay_is_refused_unless_it_is_meant(
    app: typer.Typer, database: str, tmp_path: Path, file: str, text: str, kinds: str
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text, encoding="utf-8")
    arguments = ("apply", "--base", BASE, "--database-url", database)
    assert run(app, *arguments, str(tmp_path))[0] == 0
    for more in ((), ("--dry-run",)):
        code, output = run(app, *arguments, *more)
        assert code == 1
        assert f"would take away what the last version has in {kinds} (above)" in " ".join(output.split())
    assert run(app, *arguments, "--base-only", str(tmp_path))[0] == 2
    assert "demo stays at version 1" in run(app, *arguments, str(tmp_path))[1]
    assert run(app, *arguments, "--base-only")[0] == 0
    with psycopg.connect(database) as conn:
        assert latest_version(conn, 1) == 2
    assert "Nothing changed: " in run(app, *arguments)[1]


def test_apply_waits_until_the_past_is_counted(app: typer.Typer, database: str, tmp_path: Path) -> None:
    arguments = ("apply", "--base", BASE, "--database-url", database)
    run(app, *arguments)
    (tmp_path / "settings.yaml").write_text("timezone: Asia/Kolkata\n", encoding="utf-8")
    with ThreadPoolExecutor(1) as pool, psycopg.connect(database, autocommit=True) as conn:
        waiting = pool.submit(run, app, *arguments, str(tmp_path), "--wait")
        wait_until(lambda: latest_version(conn, 1) == 2, 60)
        conn.execute("insert into engine.definition_counted (tenant_id, version) values (1, 2)")
        code, output = waiting.result(timeout=60)
    assert code == 0, output
    assert output.splitlines()[-1] == "Version 2 is in force."
