"""Options that several commands take, worded once."""

from typing import Annotated

import typer

from common.environment import database_address


def checked_address(given: str | None) -> str | None:
    try:
        return database_address(given) if given else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


TenantSlug = Annotated[
    str | None,
    typer.Option(
        "--tenant", help="The tenant's slug; may be left out when there is only one.", show_default=False
    ),
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        help="The database; by default DATABASE_URL, else the local stack's.",
        callback=checked_address,
    ),
]
