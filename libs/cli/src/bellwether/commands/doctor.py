"""`bellwether doctor`: what is wrong with this installation, why, and what to do."""

import json
import os
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from bellwether import terminal
from bellwether.doctor.examination import Patient, examination
from bellwether.doctor.finding import Finding, Health
from bellwether.target import NoTargetError, find

_MARKS: Final = {
    Health.OK: ("ok", "green"),
    Health.NOTE: ("note", "cyan"),
    Health.WARNING: ("warning", "yellow"),
    Health.FAILURE: ("FAILURE", "bold red"),
    Health.UNKNOWN: ("?", "dim"),
}


def register(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="The local stack's directory.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object: healthy, and all findings.")
    ] = False,
) -> None:
    """Look at everything this installation depends on. Ends with 1 when something has failed."""
    try:
        target = find(os.environ, data_dir)
    except NoTargetError as error:
        terminal.fail(str(error))
    console = terminal.out()
    findings: list[Finding] = []
    for finding in examination(Patient(target, target.topic, data_dir or target.directory or Path.cwd())):
        findings.append(finding)
        if not as_json:
            _show(console, finding)
    healthy = all(finding.health is not Health.FAILURE for finding in findings)
    if as_json:
        told = {"healthy": healthy, "findings": [finding.as_data() for finding in findings]}
        console.file.write(json.dumps(told) + "\n")
    if not healthy:
        raise typer.Exit(1)


def _show(console: Console, finding: Finding) -> None:
    mark, style = _MARKS[finding.health]
    console.print(
        Text(f"{mark:<8}", style=style).append(f"{finding.check:<12}", style="bold").append(finding.what)
    )
    if finding.why:
        console.print(f"{'':20}why: {finding.why}")
    if finding.do:
        console.print(f"{'':20}do:  {finding.do}")
