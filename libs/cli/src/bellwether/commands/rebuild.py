"""`bellwether rebuild`: all figures of a tenant anew, from the raw events as they stand."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Annotated, Final

import psycopg
import typer

from bellwether import terminal
from bellwether.commands.apply import the_tenant
from bellwether.options import DatabaseUrl, TenantSlug
from bellwether.target import NoTargetError, find
from common.contracts.record import EVENTS_TOPIC
from common.control.log import Entry, NewEntry, append, entry
from common.db.lost import LOST
from common.db.session import OPTIONS

_LOOK_SECONDS: Final = 0.5


def register(app: typer.Typer) -> None:
    app.command()(rebuild)


def rebuild(
    tenant: TenantSlug = None,
    database_url: DatabaseUrl = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stays in the control log.")] = "",
) -> None:
    """Let the engines make every figure of a tenant anew, and wait for them. Readers see the old ones until the new ones are whole.

    Nothing changes unless figures had been tampered with, or definitions refuse events that they took before.
    """
    try:
        url = database_url or find(os.environ).database()
        with psycopg.connect(url, autocommit=True, options=OPTIONS) as conn:
            slug, tenant_id = the_tenant(conn, tenant)
            new = NewEntry("rebuild", reason, "cli")
            done = _wait(conn, tenant_id, append(conn, tenant_id, new, datetime.now(UTC)))
    except NoTargetError as error:
        terminal.fail(str(error), code=terminal.USAGE_ERROR)
    except LOST as error:
        terminal.fail(f"The database can't be used: {error}".strip())
    if done.state == "refused":
        terminal.fail(f"The figures of {slug} stay as they are: {done.message}")
    unreadable = done.counts.get("unreadable", 0)
    print(f"The figures of {slug} were made anew from {done.counts.get('events', 0):,} events.")
    if unreadable:
        terminal.warn(f"{unreadable:,} raw events can't be counted by the definitions in force.")


def _wait(conn: psycopg.Connection[tuple[object, ...]], tenant_id: int, entry_id: str) -> Entry:
    topic = os.environ.get("BELLWETHER_EVENTS_TOPIC", EVENTS_TOPIC)
    while True:
        found = entry(conn, tenant_id, topic, entry_id)
        assert found is not None
        if found.state != "pending":
            return found
        time.sleep(_LOOK_SECONDS)
