"""`bellwether apply`: the only way definitions get into the database."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import datetime
from itertools import groupby
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import psycopg
import typer
from psycopg.types.json import Jsonb
from rich.progress import Progress

from bellwether import budget, terminal
from bellwether.commands.lint import Base, Overlays, checked
from bellwether.options import DatabaseUrl, TenantSlug
from bellwether.target import NoTargetError, Target, find
from common.auth.keys import parse
from common.catalogue import Catalogue
from common.catalogue import apply as store
from common.catalogue.changes import Change, changes, lowered, misdated, new_warnings, recount, unversioned
from common.catalogue.store import at_version, counting, current_version, latest_version
from common.db.lost import LOST
from common.db.session import OPTIONS
from common.errors import NotFound, Unauthorized

_LOOK_SECONDS: Final = 0.5
_KEYS_TENANT: Final = "select 1 from control.api_key where id = %s and tenant_id = %s"
_OVER_BUDGET: Final = (
    "insert into control.over_budget (tenant_id, version, reason, figures) values (%s, %s, %s, %s)"
)


def register(app: typer.Typer) -> None:
    app.command()(apply)


def apply(
    directories: Overlays = None,
    base: Base = None,
    tenant: TenantSlug = None,
    database_url: DatabaseUrl = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Return once the new version is in force, its past counted.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would change, against the last version.")
    ] = False,
    base_only: Annotated[
        bool,
        typer.Option(
            "--base-only", help="Apply the base pack alone, although what overlays brought goes with that."
        ),
    ] = False,
    over_budget: Annotated[
        str | None,
        typer.Option(
            "--over-budget",
            help="Why rules are applied although they cost more than an alert budget allows; it is recorded.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Check the base pack with the given overlays, and make it the tenant's next version. Nothing changed, no version.

    Measures that are new or count otherwise are counted for the past by the engines; until that is done, the version before answers.
    New rules are replayed over the last weeks, and refused where they would open more cases than alert budgets allow.
    Without directories, what an overlay brought before is kept from being lost: that is refused unless it is meant.
    """
    if base_only and directories:
        terminal.fail(
            "--base-only is for no directories; leave out one of the two.", code=terminal.USAGE_ERROR
        )
    catalogue = checked(directories or [], base)
    try:
        url = database_url or find(os.environ).database()
        with psycopg.connect(url, options=OPTIONS) as conn:
            slug, tenant_id = the_tenant(conn, tenant)
            before = latest_version(conn, tenant_id)
            stored = _stored(conn, tenant_id, before)
            conn.commit()
            _tell(stored, catalogue)
            if not directories and not base_only:
                _keep_overlays(stored, catalogue)
            _dated(stored, catalogue)
            report = _weighed(conn, tenant_id, stored, catalogue, over_budget)
            if dry_run:
                print("Nothing was applied.")
                return
            version = store(conn, slug, catalogue)
            if version > (before or 0) + 1:  # the block ends without a commit
                terminal.fail(
                    f"Nothing was applied: version {version - 1} of {slug} was applied meanwhile, so that this would change something else "
                    "than is said above, and might take back what that one brought. Look at what it has, and apply again."
                )
            if report is not None:
                conn.execute(_OVER_BUDGET, (tenant_id, version, over_budget, Jsonb(report["loads"])))
            conn.commit()
            in_force = current_version(conn, tenant_id)
            conn.commit()
            _say(slug, version, before, in_force)
            if wait and in_force != version:
                _wait(conn, tenant_id, version)
    except NoTargetError as error:
        terminal.fail(str(error), code=terminal.USAGE_ERROR)
    except NotFound as error:
        terminal.fail(error.message)
    except LOST as error:
        terminal.fail(f"The database can't be used: {error}".strip())
    except psycopg.errors.UndefinedTable:
        terminal.fail("The database has no tables yet. Run `bellwether migrate` first.")


def _stored(
    conn: psycopg.Connection[tuple[object, ...]], tenant_id: int, version: int | None
) -> Catalogue | None:
    """The last version; None before the first one, and where this release can't read what an earlier one stored."""
    if version is None:
        return None
    try:
        return at_version(conn, tenant_id, version)
    except ValueError:
        terminal.warn(f"Version {version} was stored by another release and can't be compared with.")
        return None


def _tell(before: Catalogue | None, after: Catalogue) -> None:
    """What changes between the two, and what of it is counted for the past."""
    if before is None:
        return
    found = changes(before, after)
    for kind, made in groupby(found, key=lambda change: change.kind):
        print(f"{kind.replace('_', ' ')}: {', '.join(_shown(change) for change in made)}")
    for name, because in unversioned(before, after).items():
        terminal.warn(
            f"Metric {name} means something else ({', '.join(because)}) but keeps its version; raise it, for figures name it."
        )
    for name in lowered(before, after):
        terminal.warn(
            f"Metric {name} goes back from version {before.metrics[name].version} to {after.metrics[name].version}: right only if it means "
            "what it meant then, for figures of that version were served; give another meaning a higher version."
        )
    anew = recount(before, after)
    if anew.measures:
        metrics = f", for {', '.join(anew.metrics)}" if anew.metrics else ""
        print(f"Counted for the past: {', '.join(anew.measures)}{metrics}.")


def _keep_overlays(before: Catalogue | None, after: Catalogue) -> None:
    """Ends the command where the base pack alone would take away what a version before had: nobody leaves out an overlay's receivers, zone
    and metrics to be rid of all of them."""
    lost = [
        change
        for change in changes(before or after, after)
        if change.what == "removed" or (change.what == "changed" and not change.name)
    ]
    if lost:
        kinds = ", ".join(sorted({change.kind.replace("_", " ") for change in lost}))
        terminal.fail(
            f"Nothing was applied: no overlay was given, and the base pack alone would take away what the last version has in {kinds} (above). "
            "Name the directories of the overlay as before, or give --base-only if the base pack alone is meant."
        )


def _dated(before: Catalogue | None, after: Catalogue) -> None:
    """Ends the command for metrics whose version has no place among the days of the others."""
    today = datetime.now(ZoneInfo(after.settings.timezone)).date()
    if wrong := misdated(before or Catalogue(), after, today):
        terminal.fail(f"Nothing was applied: {'. '.join(wrong)}.")


def _weighed(
    conn: psycopg.Connection[tuple[object, ...]],
    tenant_id: int,
    before: Catalogue | None,
    after: Catalogue,
    reason: str | None,
) -> Mapping[str, Any] | None:
    """Ends the command for rules that cost more than there is time for. With a reason, the report that is to be recorded with it."""
    has_budgets = any(model.alert_budget is not None for model in after.engagement_models.values())
    if before is None or not has_budgets or not new_warnings(before, after):
        return None
    try:
        target = find(os.environ)
        key = _key_of(conn, tenant_id, target)
        report = budget.ask(target.url("gateway"), key, after)
    except (NoTargetError, budget.NotAskedError, Unauthorized) as error:
        terminal.warn(f"New rules were not weighed against alert budgets: {error}")
        return None
    if report is None or not report["over"]:
        return None
    for sentence in budget.sentences(report):
        print(sentence)
    if reason is None:
        terminal.fail(
            f"{budget.refusal(report)} Nothing was applied; narrow them, or give the reason with --over-budget."
        )
    return report


def _key_of(conn: psycopg.Connection[tuple[object, ...]], tenant_id: int, target: Target) -> str:
    """The key at hand, where it is one of this tenant and database: another one's gateway would replay another one's past."""
    key = target.key("read", "act", "admin")
    if conn.execute(_KEYS_TENANT, (parse(key).id, tenant_id)).fetchone() is None:
        raise budget.NotAskedError("the key at hand is not one of this tenant and database")
    return key


def _shown(change: Change) -> str:
    fields = f" ({', '.join(change.fields)})" if change.fields else ""
    return f"{change.what} {change.name}{fields}".replace("  ", " ")


def _say(slug: str, version: int, before: int | None, in_force: int | None) -> None:
    if version == in_force:
        print(
            f"Nothing changed: {slug} stays at version {version}."
            if version == before
            else f"{slug} is at version {version}. Engines take it up within seconds."
        )
        return
    new = "Nothing changed: version" if version == before else "Version"
    print(
        f"{new} {version} of {slug} counts otherwise than before, so its past is being counted; "
        f"version {in_force} answers until that is done."
    )


def _wait(conn: psycopg.Connection[tuple[object, ...]], tenant_id: int, version: int) -> None:
    """Shows how far the engines are, until the version is in force."""
    conn.autocommit = True
    with Progress(console=terminal.err(), transient=True) as bar:
        task = bar.add_task(f"Counting the past by version {version}", total=1.0)
        while (found := counting(conn, tenant_id)) is not None and found[0] <= version:
            bar.update(task, completed=found[1] if found[0] == version else 0.0)
            time.sleep(_LOOK_SECONDS)
    print(f"Version {version} is in force.")


def the_tenant(conn: psycopg.Connection[tuple[object, ...]], slug: str | None) -> tuple[str, int]:
    rows = conn.execute("select slug, id from control.tenant order by slug").fetchall()
    tenants = {str(name): int(str(number)) for name, number in rows}
    if slug is None and len(tenants) == 1:
        return next(iter(tenants.items()))
    known = ", ".join(tenants) or "none yet; `bellwether keys` creates one"
    if slug is None:
        terminal.fail(f"Which tenant? Give --tenant. There are: {known}.", code=terminal.USAGE_ERROR)
    if slug not in tenants:
        raise NotFound("tenant-unknown", f"There is no tenant {slug!r}. There are: {known}.")
    return slug, tenants[slug]
