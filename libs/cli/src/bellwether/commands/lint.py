"""`bellwether lint`: says what is wrong with a catalogue, before anybody is asked to run on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bellwether import terminal
from common.catalogue import Catalogue, CatalogueInvalid, load
from common.catalogue.loading import base_pack

Overlays = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Directories with what differs from the base pack, in the order they apply.", show_default=False
    ),
]
Base = Annotated[
    Path | None,
    typer.Option(
        "--base",
        help="The base pack; by default the `catalogue` directory of the checkout.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    app.command()(lint)


def lint(directories: Overlays = None, base: Base = None) -> None:
    """Check the catalogue: every finding with its file, line, field and what to do."""
    catalogue = checked(directories or [], base)
    parts = (
        (catalogue.event_types, "event types"),
        (catalogue.measures, "measures"),
        (catalogue.metrics, "metrics"),
        (catalogue.rules, "rules"),
    )
    print(f"No findings in {', '.join(f'{len(made)} {name}' for made, name in parts)}.")


def checked(directories: list[Path], base: Path | None) -> Catalogue:
    """The catalogue, or the findings on stdout and the end of the command with status 1."""
    try:
        return load(base or base_pack(), directories)
    except CatalogueInvalid as invalid:
        for finding in invalid.findings:
            print(finding)
        terminal.fail(f"{len(invalid.findings)} finding(s); nothing was applied.")
