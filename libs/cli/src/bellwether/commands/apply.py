"""`bellwether apply`: the only way definitions get into the database."""

from __future__ import annotations

import os
from typing import Annotated

import psycopg
import typer

from bellwether import terminal
from bellwether.commands.lint import Base, Overlays, checked
from bellwether.target import NoTargetError, find
from common.catalogue import apply as store
from common.catalogue.store import current_version
from common.errors import NotFound


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
) -> None:
    """Check the base pack with the given overlays, and make it the tenant's next version. Nothing changed, no version."""
    catalogue = checked(directories or [], base)
    try:
        url = database_url or find(os.environ).database()
        with psycopg.connect(url) as conn:
            slug, tenant_id = the_tenant(conn, tenant)
            before = current_version(conn, tenant_id)
            version = store(conn, slug, catalogue)
    except NoTargetError as error:
        terminal.fail(str(error), code=terminal.USAGE_ERROR)
    except NotFound as error:
        terminal.fail(error.message)
    except psycopg.OperationalError as error:
        terminal.fail(f"The database can't be reached: {error}".strip())
    except psycopg.errors.UndefinedTable:
        terminal.fail("The database has no tables yet. Run `bellwether migrate` first.")
    if version == before:
        print(f"Nothing changed: {slug} stays at version {version}.")
    else:
        print(f"{slug} is at version {version}. Engines take it up within seconds.")


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
