"""`bellwether init`: prepares an installation on a database and a broker that are running."""

import os
from pathlib import Path
from typing import Annotated

import typer

from bellwether import terminal
from bellwether.stack.installation import prepare
from bellwether.stack.layout import Backing
from common.contracts.record import EVENTS_TOPIC, REJECTED_TOPIC


def register(app: typer.Typer) -> None:
    app.command()(init)


def init(
    keys_file: Annotated[
        Path, typer.Option("--keys-file", help="Where the four first keys are kept, readable by you alone.")
    ] = Path("keys.json"),
) -> None:
    """Prepare an installation: tables, topics, the tenant `default` with its first keys, the base catalogue. Safe to repeat.

    Needs DATABASE_URL and KAFKA_BOOTSTRAP_SERVERS. `bellwether up` does this by itself.
    """
    missing = [name for name in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS") if not os.environ.get(name)]
    if missing:
        terminal.fail(f"Set {' and '.join(missing)}.", code=terminal.USAGE_ERROR)
    backing = Backing(
        os.environ["DATABASE_URL"],
        os.environ["KAFKA_BOOTSTRAP_SERVERS"],
        os.environ.get("BELLWETHER_EVENTS_TOPIC", EVENTS_TOPIC),
        os.environ.get("BELLWETHER_REJECTED_TOPIC", REJECTED_TOPIC),
    )
    keys_file.parent.mkdir(parents=True, exist_ok=True)
    keys = prepare(backing, keys_file, print)
    for scope, text in keys.items():
        print(f"{scope:7} {text}")
