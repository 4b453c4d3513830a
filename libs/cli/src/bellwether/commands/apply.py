"""`bellwether apply`: the only way definitions get into the database."""

from __future__ import annotations

import os
import time
from itertools import groupby
from typing import Annotated, Final

import psycopg
import typer
from rich.progress import Progress

from bellwether import terminal
from bellwether.commands.lint import Base, Overlays, checked
from bellwether.target import NoTargetError, find
from common.catalogue import Catalogue
from common.catalogue import apply as store
from common.catalogue.changes import Change, changes, recount, unversioned
from common.catalogue.store import at_version, counting, current_version, latest_version
from common.errors import NotFound

_LOOK_SECONDS: Final = 0.5


def register(app: typer.Typer) -> None:
    app.command()(apply)


def apply(
    directories: Overlays = None,
    base: Base = None,
    tenant: Annotated[
        str | None,
        typer.Option(
            "--tenant", help="The tenant's slug; may be left out when there is only one.", show_default=False
        ),
    ] = None,
    database_url: Annotated[
        str | None,
        typer.Option("--database-url", help="The database; by default DATABASE_URL, else the local stack's."),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Return once the new version is in force, its past counted.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would change, against the last version.")
    ] = False,
) -> None:
    """Check the base pack with the given overlays, and make it the tenant's next version. Nothing changed, no version.

    Measures that are new or count otherwise are counted for the past by the engines; until that is done, the version before answers.
    """
    catalogue = checked(directories or [], base)
    try:
        url = database_url or find(os.environ).database()
        with psycopg.connect(url) as conn:
            slug, tenant_id = the_tenant(conn, tenant)
            before = latest_version(conn, tenant_id)
            _tell(_stored(conn, tenant_id, before), catalogue)
            if dry_run:
                print("Nothing was applied.")
                return
            version = store(conn, slug, catalogue)
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
    except psycopg.OperationalError as error:
        terminal.fail(f"The database can't be reached: {error}".strip())
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
    for name in unversioned(found):
        terminal.warn(
            f"Metric {name} means something else but keeps its version; raise it, for figures name it."
        )
    anew = recount(before, after)
    if anew.measures:
        metrics = f", for {', '.join(anew.metrics)}" if anew.metrics else ""
        print(f"Counted for the past: {', '.join(anew.measures)}{metrics}.")


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
