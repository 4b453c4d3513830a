"""`bellwether env`: addresses and keys of the running local stack, as shell variables."""

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from bellwether import terminal
from bellwether.target import NoTargetError, Target, find


def register(app: typer.Typer) -> None:
    app.command()(env)


def env(
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="The local stack's directory.")] = None,
) -> None:
    """Print export lines for a shell: eval "$(uv run bellwether env)"."""
    try:
        target = find(os.environ, data_dir)
    except NoTargetError as error:
        terminal.fail(str(error))
    if not target.urls:
        terminal.fail(
            "No local stack is running here: start one with `bellwether up`, or name its --data-dir."
        )
    terminal.out().file.write(
        "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables(target))
    )


def variables(target: Target) -> list[tuple[str, str]]:
    """By the names that all other commands read."""
    found = [(f"BELLWETHER_{name.upper()}_URL", url) for name, url in sorted(target.urls.items())]
    found += [(f"BELLWETHER_{scope.upper()}_KEY", key) for scope, key in sorted(target.keys.items())]
    found += [("BELLWETHER_EVENTS_TOPIC", target.topic)]
    found += [("KAFKA_BOOTSTRAP_SERVERS", target.kafka)] if target.kafka else []
    found += [("DATABASE_URL", target.database_url)] if target.database_url else []
    return found
