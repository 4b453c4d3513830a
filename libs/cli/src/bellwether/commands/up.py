"""`bellwether up`: the local stack, in the foreground, until it is told to end."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from bellwether import terminal
from bellwether.stack.keys import write_private
from bellwether.stack.layout import DEFAULT_DATA_DIRECTORY, MOST_ENGINES, ready_line
from bellwether.stack.local import LocalStack, Options, Ready
from bellwether.target import NoTargetError, database_of
from common.contracts.record import EVENTS_TOPIC, REJECTED_TOPIC

_TICK_SECONDS = 0.1


class _StopRequested(BaseException):
    """Raised by the first signal wherever the main thread is, also in the middle of a start that takes a minute."""


def register(app: typer.Typer) -> None:
    app.command()(up)


def up(
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON line on stdout when everything is ready.")
    ] = False,
    data_dir: Annotated[
        Path, typer.Option("--data-dir", help="Where the data stays between runs.")
    ] = DEFAULT_DATA_DIRECTORY,
    port_base: Annotated[
        int | None,
        typer.Option(
            "--port-base",
            min=1024,
            max=65_000,
            help="Uses seven ports from here; by default the first free ones from 8080.",
        ),
    ] = None,
    engines: Annotated[
        int,
        typer.Option(
            "--engines",
            min=1,
            max=MOST_ENGINES,
            help="KPI engines that share the events: with two one computes while the database works for the other. "
            "Each takes up to half a gigabyte, and a port beyond the seven.",
        ),
    ] = 1,
) -> None:
    """Start a real broker, a real database and the four services; Ctrl-C ends all of it.

    DATABASE_URL and KAFKA_BOOTSTRAP_SERVERS take the place of what would be started.
    """
    try:
        database = database_of(os.environ)
    except NoTargetError as error:
        terminal.fail(str(error), code=terminal.USAGE_ERROR)
    options = Options(
        data_directory=data_dir,
        port_base=port_base,
        database_url=database,
        kafka=os.environ.get("KAFKA_BOOTSTRAP_SERVERS"),
        events_topic=os.environ.get("BELLWETHER_EVENTS_TOPIC", EVENTS_TOPIC),
        rejected_topic=os.environ.get("BELLWETHER_REJECTED_TOPIC", REJECTED_TOPIC),
        engines=engines,
    )
    _stop_on_signals()
    stack = LocalStack(options, say)
    launcher = _launcher()
    try:
        ready = stack.start()
        line = json.dumps(ready_line(ready.ports, ready.keys, ready.backing))
        write_private(stack.files.stack, line)
        print(line if as_json else _welcome(ready), flush=True)
        while launcher in (None, os.getppid()):
            stack.tick()
            time.sleep(_TICK_SECONDS)
    except _StopRequested:
        say("Ending")
    finally:
        _ignore_signals()
        stack.stop()


def say(sentence: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {sentence}", file=sys.stderr, flush=True)


def _launcher() -> int | None:
    """The parent when it is uv, which cannot pass on that it was killed; else None, because a shell may well go before us."""
    parent = os.getppid()
    name = Path(f"/proc/{parent}/comm")
    return parent if name.exists() and name.read_text().strip() == "uv" else None


def _stop_on_signals() -> None:
    def handle(_number: int, _frame: FrameType | None) -> None:
        _ignore_signals()
        raise _StopRequested

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handle)


def _ignore_signals() -> None:
    """Once the end has begun nothing may cut it short; it takes 15 s at most."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _welcome(ready: Ready) -> str:
    urls, keys = ready.ports.urls, ready.keys
    lines = [
        "",
        f"Bellwether is up: {urls['gateway']}/",
        f"  sign in with      {keys['read']}",
        f"  send events to    {urls['ingest']}/v1/events",
        f"  with the key      {keys['ingest']}",
        f"  to acknowledge    {keys['act']}",
        f"  to administer     {keys['admin']}",
        "Ctrl-C ends everything; the data stays.",
    ]
    return "\n".join(lines)
