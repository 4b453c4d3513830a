"""`bellwether migrate`: brings a database to this version."""

from typing import Annotated

import typer

from bellwether import terminal
from bellwether.options import checked_address
from common.db.migrate import migrate as run


def register(app: typer.Typer) -> None:
    app.command()(migrate)


def migrate(
    database_url: Annotated[
        str | None,
        typer.Option(
            "--database-url",
            help="The database; by default the environment's DATABASE_URL.",
            envvar="DATABASE_URL",
            show_envvar=False,
            callback=checked_address,
        ),
    ] = None,
) -> None:
    """Bring the database to this version. Safe to run at any time, by any number at once."""
    if not database_url:
        terminal.fail("Which database? Set DATABASE_URL or give --database-url.", code=terminal.USAGE_ERROR)
    done = run(database_url)
    for migration in done:
        print(f"{migration.version:04d} {migration.name}")
    print(f"{len(done)} migrations run." if done else "Nothing to do: the database is at this version.")
