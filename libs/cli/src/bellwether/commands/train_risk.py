"""`bellwether train-risk`: learns from a tenant's past how renewals are lost, and lets that judge only if it is better than the score."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import psycopg
import typer

from bellwether import terminal
from bellwether.commands.apply import the_tenant
from bellwether.options import DatabaseUrl, TenantSlug
from bellwether.target import NoTargetError, find
from common.catalogue import store as definitions
from common.contracts.known import KnownCounts
from common.db.lost import LOST
from common.db.session import OPTIONS
from common.risk import store
from common.risk.learning import learn
from common.risk.training import Training
from common.risk.trial import Trial


def register(app: typer.Typer) -> None:
    app.command("train-risk")(train_risk)


def train_risk(
    tenant: TenantSlug = None,
    database_url: DatabaseUrl = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would come of it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Learn a hazard model of renewals from what was known month by month, now; the engine does so once a month by itself.

    It is learnt on the oldest months, calibrated on later renewals and judged on the latest. Unless it beats the score there it is
    refused; the latest training decides, so a model that is no longer better stops judging.
    """
    now = datetime.now(UTC)
    try:
        url = database_url or find(os.environ).database()
        with psycopg.connect(url, options=OPTIONS) as conn:
            slug, tenant_id = the_tenant(conn, tenant)
            catalogue = definitions.current(conn, tenant_id)
            if catalogue is None:
                terminal.fail(f"{slug} has no definitions yet. Do: bellwether apply")
            training, known = learn(conn, tenant_id, catalogue, now)
            version = None if dry_run else store.save(conn, tenant_id, training, known, now)
    except NoTargetError as error:
        terminal.fail(str(error), code=terminal.USAGE_ERROR)
    except LOST as error:
        terminal.fail(f"The database can't be used: {error}".strip())
    if as_json:
        told = {"version": version, "known": known, "training": training}
        print(msgspec.json.encode(told).decode())
        return
    print("\n".join(lines(training, known, version)))


def lines(training: Training, known: KnownCounts, version: int | None) -> list[str]:
    """What came of it, in words."""
    how = (
        f"known when: {known.by_arrival:,} events by arrival, {known.by_recorded_time:,} by recordedtime, "
        f"{known.assumed:,} assumed (loaded history that doesn't say)"
    )
    said = [f"{training.account_months:,} account-months, {training.churns:,} churns; {how}"]
    if not training.account_months:
        said = ["nothing was read to learn from"]
    if training.fitted_until is not None and training.calibrated_until is not None:
        said.append(
            f"learnt on what was decided by {training.fitted_until:%Y-%m-%d}, calibrated until {training.calibrated_until:%Y-%m-%d}"
        )
    if training.trial is not None:
        said += _trial(training.trial)
    kept = "nothing was kept (dry run)" if version is None else f"kept as version {version}"
    if training.model is None:
        return [*said, f"refused: {training.refusal}; the score judges; {kept}"]
    return [*said, f"accepted: the model judges where risk.yaml allows it; {kept}"]


def _trial(trial: Trial) -> list[str]:
    gain, brier = trial.gain_log_loss, trial.brier
    return [
        f"on the {trial.renewals} latest renewals, of which {trial.lost} were lost:",
        f"  Brier score {brier.value:.4f} ({brier.low:.4f} to {brier.high:.4f}); that of the score {trial.brier_of_score:.4f}",
        f"  log loss less by {gain.value:.4f} ({gain.low:.4f} to {gain.high:.4f})",
        f"  expected over seen {trial.expected_over_seen:.2f}; said and seen by tenths: "
        + ", ".join(f"{one.said:.0%} {one.seen:.0%}" for one in trial.reliability),
    ]
