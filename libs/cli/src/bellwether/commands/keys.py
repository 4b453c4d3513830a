"""`bellwether keys create|list|revoke|rotate`: API keys, in the database."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import psycopg
import typer
from rich.table import Table

from bellwether import terminal
from bellwether.target import NoTargetError, find
from common.auth.keys import SCOPES, KeyRow, mint
from common.auth.store import ensure_tenant, find_key, insert_key, list_keys, revoke_key, tenant_id_of
from common.db.lost import LOST
from common.db.session import OPTIONS
from common.errors import BellwetherError, NotFound

_DEFAULT_TENANT: Final = "default"

Connection = psycopg.Connection[tuple[Any, ...]]
TenantOption = Annotated[str, typer.Option("--tenant", help="The tenant's short name.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]


@dataclass(frozen=True)
class _Wish:
    scope: str
    name: str
    source: str | None
    expires_at: datetime | None


def register(app: typer.Typer) -> None:
    keys = typer.Typer(
        no_args_is_help=True, help="Manage API keys. Needs DATABASE_URL or a running local stack."
    )
    commands: tuple[Callable[..., None], ...] = (create, list_, revoke, rotate)
    for command in commands:
        keys.command(command.__name__.rstrip("_"))(command)
    app.add_typer(keys, name="keys")


def create(
    scope: Annotated[
        str,
        typer.Option("--scope", help=f"One of {', '.join(SCOPES)}; admin includes act, act includes read."),
    ],
    name: Annotated[str, typer.Option("--name", help="What it is for; shown in lists and cases.")],
    tenant: TenantOption = _DEFAULT_TENANT,
    source: Annotated[
        str | None,
        typer.Option("--source", help="The source of events that come with it over Segment's protocol."),
    ] = None,
    expires_in_days: Annotated[float | None, typer.Option("--expires-in-days", min=0)] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. Its text is shown once and stored nowhere. An unknown tenant is created."""
    now = datetime.now(UTC)
    expires_at = now + timedelta(days=expires_in_days) if expires_in_days is not None else None
    with _database() as conn:
        text, row = _make(conn, ensure_tenant(conn, tenant), tenant, _Wish(scope, name, source, expires_at))
    _show_new(text, row, as_json=as_json)


def list_(tenant: TenantOption = _DEFAULT_TENANT, as_json: JsonOption = False) -> None:
    """Show the tenant's keys, oldest first; never their secrets."""
    with _database() as conn:
        rows = list_keys(conn, tenant_id_of(conn, tenant))
    now = datetime.now(UTC)
    if as_json:
        terminal.out().file.write(json.dumps([_as_data(row, now) for row in rows]) + "\n")
        return
    table = Table("key", "scope", "name", "source", "state", box=None, pad_edge=False)
    for row in rows:
        table.add_row(row.id, row.scope, row.name, row.source or "-", state(row, now))
    terminal.out().print(table)


def revoke(
    key_id: Annotated[
        str, typer.Argument(help="As `keys list` shows it: bw_scope_id. The key's whole text does too.")
    ],
    tenant: TenantOption = _DEFAULT_TENANT,
) -> None:
    """End a key now. Services notice within ten seconds."""
    with _database() as conn:
        revoke_key(conn, tenant_id_of(conn, tenant), public_id(key_id), datetime.now(UTC))
    terminal.out().print(f"{public_id(key_id)} is revoked; services notice within ten seconds.")


def rotate(
    key_id: Annotated[str, typer.Argument(help="The key to replace.")],
    tenant: TenantOption = _DEFAULT_TENANT,
    overlap_hours: Annotated[
        float, typer.Option("--overlap-hours", min=0, help="How long the old one still works.")
    ] = 24.0,
    as_json: JsonOption = False,
) -> None:
    """Make a key like this one; the old one works until the overlap is over."""
    now = datetime.now(UTC)
    with _database() as conn:
        tenant_id = tenant_id_of(conn, tenant)
        old = find_key(conn, public_id(key_id))
        if old is None or old.tenant_id != tenant_id:
            raise NotFound(
                "key-unknown",
                f"Tenant {tenant} has no key {public_id(key_id)}; `bellwether keys list` shows them.",
            )
        if state(old, now) != "valid":
            terminal.fail(f"{old.id} is {state(old, now)}: make a new key with `bellwether keys create`.")
        text, row = _make(conn, tenant_id, tenant, _Wish(old.scope, old.name, old.source, old.expires_at))
        revoke_key(conn, tenant_id, old.id, now + timedelta(hours=overlap_hours))
    _show_new(text, row, as_json=as_json)
    terminal.err().print(f"{old.id} works for another {overlap_hours:g} hours.")


@contextmanager
def _database() -> Iterator[Connection]:
    try:
        with psycopg.connect(find(os.environ).database(), connect_timeout=5, options=OPTIONS) as conn:
            yield conn
    except LOST as error:
        terminal.fail(f"The database can't be used: {error}".strip())
    except psycopg.errors.UndefinedTable:
        terminal.fail("The database has no tables yet: run `bellwether migrate`.")
    except NoTargetError as error:
        terminal.fail(str(error))
    except BellwetherError as error:
        terminal.fail(f"{error.message} ({error.code})")


def _make(conn: Connection, tenant_id: int, tenant: str, wish: _Wish) -> tuple[str, KeyRow]:
    minted = mint(wish.scope, tenant_id, tenant, wish.name, wish.source, wish.expires_at)
    insert_key(conn, minted.row)
    return minted.text, minted.row


def _show_new(text: str, row: KeyRow, *, as_json: bool) -> None:
    if as_json:
        terminal.out().file.write(json.dumps({"key": text, **_as_data(row, datetime.now(UTC))}) + "\n")
        return
    terminal.err().print(f"{row.scope} key of tenant {row.tenant}; it is shown this once:")
    terminal.out().print(text)


def public_id(text: str) -> str:
    """The id in a key's text, or the id itself."""
    return "_".join(text.split("_")[:3])


def state(row: KeyRow, now: datetime) -> str:
    if row.revoked_at is not None:
        return "revoked" if row.revoked_at <= now else f"ends {row.revoked_at:%Y-%m-%d %H:%M} UTC"
    if row.expires_at is not None and row.expires_at <= now:
        return "expired"
    return "valid"


def _as_data(row: KeyRow, now: datetime) -> dict[str, object]:
    return {
        "id": row.id,
        "tenant": row.tenant,
        "scope": row.scope,
        "name": row.name,
        "source": row.source,
        "expires_at": row.expires_at.isoformat() if row.expires_at else None,
        "revoked_at": row.revoked_at.isoformat() if row.revoked_at else None,
        "state": state(row, now),
    }
