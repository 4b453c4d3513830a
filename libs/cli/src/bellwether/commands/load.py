"""`bellwether load FILE`: sends a file of events through ingest."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from bellwether import terminal
from bellwether.load.delivery import GivenUpError, InterruptedLoadError, StoppedError
from bellwether.load.position import state_directory
from bellwether.load.records import FileType, UnreadableFileError
from bellwether.load.reporting import reporter
from bellwether.load.run import Plan, run
from bellwether.target import NoTargetError, Target, find

_INTERRUPTED_EXIT: Final = 130


def register(app: typer.Typer) -> None:
    app.command()(load)


def load(
    file: Annotated[
        str,
        typer.Argument(help="The file, or a directory of them; gzip is recognised; - reads standard input."),
    ],
    file_type: Annotated[
        FileType | None,
        typer.Option(
            "--type",
            help="By default from the name: .csv is csv, all else ndjson. Columns of csv: id, type, time, and source, subject, "
            "data.FIELD, data.traits.TRAIT where they apply.",
        ),
    ] = None,
    rate: Annotated[
        float | None, typer.Option("--rate", min=0.1, help="At most so many events a second.")
    ] = None,
    recorded_at: Annotated[
        str | None,
        typer.Option(
            "--recorded-at", help="Field that says when an event became known, such as data.logged_at."
        ),
    ] = None,
    url: Annotated[str | None, typer.Option("--url", help="Address of ingest.")] = None,
    gateway_url: Annotated[str | None, typer.Option("--gateway-url", help="Address of the gateway.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="API key with scope ingest.")] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, max=2500, help="Events a request.")] = 500,
    unmarked: Annotated[
        bool,
        typer.Option(
            "--unmarked", help="Do not mark the tenant as loading: alerts may fire on what is loaded."
        ),
    ] = False,
    wait: Annotated[bool, typer.Option(help="Wait until the figures hold everything.")] = True,
    give_up_after: Annotated[
        float | None,
        typer.Option(
            "--give-up-after",
            min=0,
            help="Seconds without progress after which to give up; never by default.",
        ),
    ] = None,
    refused: Annotated[
        Path | None, typer.Option("--refused", help="Where refused events are written.")
    ] = None,
    json_lines: Annotated[bool, typer.Option("--json", help="Progress as JSON lines on stdout.")] = False,
) -> None:
    """Send a file of events through ingest. Resumable: run the same command again after any kind of end."""
    plan = Plan(
        file=None if file == "-" else Path(file),
        file_type=file_type or _type_of(file),
        state_directory=state_directory(os.environ, Path.home()),
        recorded_at=recorded_at,
        per_second=rate,
        batch=batch,
        marked=not unmarked,
        wait=wait,
        give_up_after_seconds=give_up_after,
        refused_file=refused,
    )
    _check(plan)
    shown = reporter(json_lines=json_lines, out=terminal.out(), err=terminal.err())
    try:
        target = _with_options(find(os.environ), url, gateway_url, key)
        with shown:
            summary = run(plan, target, shown)
        shown.finished(summary)
    except (KeyboardInterrupt, InterruptedLoadError):
        terminal.fail("Interrupted. The same command goes on from here.", code=_INTERRUPTED_EXIT)
    except (NoTargetError, UnreadableFileError, StoppedError, GivenUpError, OSError) as error:
        terminal.fail(str(error))
    if summary.refused_in_all:
        raise typer.Exit(1)


def _check(plan: Plan) -> None:
    if plan.file_type is FileType.SEGMENT and plan.recorded_at is not None:
        terminal.fail(
            "--recorded-at does not go with --type segment: the protocol has no such field.",
            code=terminal.USAGE_ERROR,
        )
    if plan.file is not None and plan.file.is_dir() and plan.file_type is FileType.CSV:
        terminal.fail("A directory holds JSON lines; load CSV file by file.", code=terminal.USAGE_ERROR)
    if plan.file is not None and not plan.file.exists():
        terminal.fail(f"There is no file {plan.file}.", code=terminal.USAGE_ERROR)


def _type_of(file: str) -> FileType:
    return FileType.CSV if file.removesuffix(".gz").endswith(".csv") else FileType.NDJSON


def _with_options(target: Target, url: str | None, gateway_url: str | None, key: str | None) -> Target:
    urls = {"ingest": url, "gateway": gateway_url}
    given = {name: value.rstrip("/") for name, value in urls.items() if value}
    keys = {**target.keys, "ingest": key} if key else target.keys
    return replace(target, urls={**target.urls, **given}, keys=keys)
