"""`bellwether lint`: says what is wrong with a catalogue, before anybody is asked to run on it."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from bellwether import budget, terminal
from bellwether.target import NoTargetError, find
from common.catalogue import Catalogue, CatalogueInvalid
from common.catalogue.changes import kinds
from common.catalogue.loading import Examined, base_pack, examine
from common.catalogue.schemas import KINDS, schema

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


class Format(StrEnum):
    """How findings are shown."""

    TEXT = "text"
    JSON = "json"


def register(app: typer.Typer) -> None:
    app.command()(lint)


def lint(
    directories: Overlays = None,
    base: Base = None,
    shown: Annotated[Format, typer.Option("--format", help="For people, or for programs.")] = Format.TEXT,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            help="Address of a gateway: rules are replayed over its last weeks, and more cases than an alert budget allows are an error.",
            show_default=False,
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", help="API key with scope read, for --against.", show_default=False),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="End with status 1 for warnings too.")] = False,
    kind: Annotated[
        str | None,
        typer.Option("--schema", help=f"Print the JSON Schema of a file instead: {', '.join(KINDS)}."),
    ] = None,
) -> None:
    """Check the catalogue: every finding with its file, line, field and what to do.

    Ends with 0 when nothing is wrong or there are only warnings, with 1 when there are errors, with 2 when called wrongly.
    """
    if kind is not None:
        _print_schema(kind)
        return
    examined = _examined(directories or [], base, datetime.now(UTC))
    if shown is Format.JSON:
        print(json.dumps(_as_json(examined), indent=2, ensure_ascii=False))
    else:
        for finding in examined.findings:
            print(finding)
        print(_summary(examined))
    is_over = (
        against is not None and not examined.errors and _is_over_budget(against, key, examined.catalogue)
    )
    if is_over or examined.errors or (strict and examined.warnings):
        raise typer.Exit(1)


def _is_over_budget(gateway_url: str, key: str | None, catalogue: Catalogue) -> bool:
    """Says what the rules would cost, on stderr. Ends with 2 when the gateway can't tell."""
    try:
        report = budget.ask(gateway_url, key or find(os.environ).key("read", "act", "admin"), catalogue)
    except (NoTargetError, budget.NotAskedError) as error:
        terminal.fail(str(error), code=terminal.USAGE_ERROR)
    if report is None:
        terminal.warn("There is no history yet that rules could be replayed over.")
        return False
    for sentence in budget.sentences(report):
        terminal.err().print(Text(sentence))
    if report["over"]:
        terminal.err().print(Text("error: ", style="bold red") + Text(budget.refusal(report)))
    return bool(report["over"])


def checked(directories: list[Path], base: Path | None) -> Catalogue:
    """The catalogue, or the errors on stdout and the end of the command with status 1."""
    examined = _examined(directories, base)
    for finding in examined.errors:
        print(finding)
    if examined.errors:
        terminal.fail(f"{_number(len(examined.errors), 'error')}; nothing was applied.")
    if examined.warnings:
        terminal.warn(f"{_number(len(examined.warnings), 'warning')}; `bellwether lint` shows them.")
    return examined.catalogue


def _examined(directories: list[Path], base: Path | None, now: datetime | None = None) -> Examined:
    try:
        return examine(base or base_pack(), directories, now)
    except CatalogueInvalid as invalid:
        terminal.fail(str(invalid.findings[0]), code=terminal.USAGE_ERROR)


def _summary(examined: Examined) -> str:
    counts = _counts(examined.catalogue)
    parts = ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in counts.items())
    found = Counter(finding.severity for finding in examined.findings)
    if not found:
        return f"No findings in {parts}."
    return f"{_number(found['error'], 'error')}, {_number(found['warning'], 'warning')} in {parts}."


def _counts(catalogue: Catalogue) -> dict[str, int]:
    return {kind: len(getattr(catalogue, kind)) for kind in kinds()}


def _as_json(examined: Examined) -> dict[str, Any]:
    findings = [
        {name: getattr(finding, name) for name in ("severity", "file", "line", "field", "message", "advice")}
        for finding in examined.findings
    ]
    return {
        "errors": len(examined.errors),
        "warnings": len(examined.warnings),
        "findings": findings,
        "counts": _counts(examined.catalogue),
    }


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _print_schema(kind: str) -> None:
    if kind not in KINDS:
        terminal.fail(
            f"There is no kind of file {kind!r}; there are {', '.join(KINDS)}.", code=terminal.USAGE_ERROR
        )
    print(json.dumps(schema(kind), indent=2, ensure_ascii=False))
