"""`bellwether demo`: the real stack with a year of simulated customers, then live events."""

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated, Final

import typer

from bellwether import terminal
from bellwether.demo.run import Demo, run
from bellwether.demo.stack import StackFailedError
from bellwether.load.delivery import InterruptedLoadError, StoppedError
from bellwether.load.reporting import reporter
from bellwether.stack.layout import DEFAULT_DATA_DIRECTORY

_DEFAULT_SEED: Final = 7
# Apart from what `bellwether up` uses, which starts empty.
_DEFAULT_DATA_DIRECTORY: Final = DEFAULT_DATA_DIRECTORY.with_name("demo")


def register(app: typer.Typer) -> None:
    app.command()(demo)


def demo(
    data_dir: Annotated[
        Path, typer.Option("--data-dir", help="Where the data stays between runs.")
    ] = _DEFAULT_DATA_DIRECTORY,
    port_base: Annotated[
        int | None, typer.Option("--port-base", min=1024, max=65_000, help="Uses seven ports from here.")
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help="Another number, another set of customers.")
    ] = _DEFAULT_SEED,
) -> None:
    """Start everything, load a year of 200 simulated customers, then go on live. Ctrl-C ends all of it."""
    # Also SIGINT: a shell that starts a program in the background has it ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    console = terminal.err()
    try:
        run(
            Demo(data_dir, port_base, seed),
            console,
            reporter(json_lines=False, out=terminal.out(), err=console),
        )
    except (KeyboardInterrupt, InterruptedLoadError):
        console.print("Everything has ended; the data stays.")
    except (StackFailedError, StoppedError) as error:
        terminal.fail(str(error))


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
