"""What the commands say to people. Results go to stdout; progress, warnings and errors to stderr."""

from typing import Final, NoReturn

import typer
from rich.console import Console
from rich.text import Text

USAGE_ERROR: Final = 2


def out() -> Console:
    """For results. rich obeys NO_COLOR and leaves colour out where stdout is no terminal."""
    return Console(highlight=False, soft_wrap=True)


def err() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)


def fail(message: str, *, code: int = 1) -> NoReturn:
    """Ends the command. `message` says what happened, why, and what to do."""
    console = err()
    console.print(Text("error: ", style="bold red") + Text(message))
    raise typer.Exit(code)


def warn(message: str) -> None:
    err().print(Text("warning: ", style="bold yellow") + Text(message))
