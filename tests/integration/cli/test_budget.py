"""Rules that cost more than there is time for, as somebody who writes them meets it: named by `lint`, refused by `apply`."""

from pathlib import Path
from typing import Any

import psycopg
import pytest
import typer
from tests.integration.cli.peer import KEY, Door
from typer.testing import CliRunner

from bellwether.commands import apply, lint
from common.auth.keys import parse
from common.catalogue.store import latest_version

PACK = {
    "settings": "timezone: UTC\n",
    "event-types/own": "{name: portal.login, activity: true, description: They came.}\n",
    "engagement-models/own": (
        "{name: high, label: High, description: Close., contact_interval_days: 14, playbook: Call., alert_budget: 5, default: true}\n"
    ),
}
RULE = "{{name: {name}, label: Gone, description: Nobody comes., condition: a.days_silent > 3, severity: warning, evidence: Gone., next_step: Call.}}\n"
SAID: dict[str, Any] = {
    "from": "2026-01-05", "to": "2026-03-01", "changed": ["noisy"], "recorded": [], "not_replayed": [], "over": True,
    "loads": [{"engagement_model": "high", "owner": "Dana Kim", "budget": 5, "per_week": 7.5, "before": 1.0, "busiest_week": 12, "over": True,
               "rules": [{"rule": "noisy", "per_week": 6.5}, {"rule": "calm", "per_week": 1.0}]}],
}  # fmt: skip


@pytest.fixture
def base(tmp_path: Path) -> str:
    """A pack of one rule."""
    for name, text in {**PACK, "rules/calm": RULE.format(name="calm")}.items():
        path = tmp_path / "base" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return str(tmp_path / "base")


@pytest.fixture
def noisy(tmp_path: Path) -> str:
    """An overlay that adds a rule."""
    rules = tmp_path / "own" / "rules"
    rules.mkdir(parents=True)
    (rules / "noisy.yaml").write_text(RULE.format(name="noisy"), encoding="utf-8")
    return str(tmp_path / "own")


def run(door: Door, *arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    lint.register(app)
    apply.register(app)
    pointed = {"BELLWETHER_GATEWAY_URL": door.url, "BELLWETHER_KEY": KEY}
    done = CliRunner(env=pointed).invoke(app, arguments)
    return done.exit_code, " ".join(done.output.split())


def test_lint_names_the_owner_whose_time_is_not_enough(door: Door, base: str, noisy: str) -> None:
    door.budget = SAID
    code, told = run(door, "lint", "--base", base, "--against", door.url, noisy)
    assert code == 1
    assert (
        "OVER: Dana Kim, high: 7.5 new cases a week with a budget of 5, at most 12 in one, 1.0 before" in told
    )
    assert (
        "The rules noisy would bring one person more new cases a week than their alert budget allows" in told
    )
    assert sorted(door.weighed[0]["rules"]) == ["calm", "noisy"]
    door.budget = SAID | {"over": False, "loads": []}
    assert run(door, "lint", "--base", base, "--against", door.url, noisy)[0] == 0
    door.budget = None
    code, told = run(door, "lint", "--base", base, "--against", door.url, noisy)
    assert code == 0
    assert "There is no history yet" in told


def test_apply_stores_nothing_over_budget_unless_a_reason_is_given_which_is_kept(
    door: Door, base: str, noisy: str, postgres_url: str
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute("insert into control.tenant (slug, name) values ('demo', 'Demo')")
        conn.execute(
            "insert into control.api_key (id, tenant_id, secret_hash, scope, name) values (%s, 1, '', 'admin', 'k')",
            (parse(KEY).id,),
        )
        arguments = ("apply", "--base", base, "--database-url", postgres_url)
        assert "demo is at version 1" in run(door, *arguments)[1]
        door.budget = SAID
        code, told = run(door, *arguments, noisy)
        assert (code, latest_version(conn, 1)) == (1, 1)
        assert "OVER: Dana Kim" in told
        assert "Nothing was applied" in told
        code, told = run(door, *arguments, noisy, "--over-budget", "A month of close watch after the outage.")
        assert (code, latest_version(conn, 1)) == (0, 2)
        kept = conn.execute("select version, reason, figures from control.over_budget").fetchall()
    assert kept == [(2, "A month of close watch after the outage.", SAID["loads"])]
