"""Keys and tenants in PostgreSQL (schema control)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import psycopg

from common.auth.keys import KeyRow
from common.db.pool import Pool, borrow
from common.errors import NotFound

Connection = psycopg.Connection[tuple[Any, ...]]

COLUMNS = "k.id, k.tenant_id, t.slug, k.secret_hash, k.scope, k.name, k.source, k.expires_at, k.revoked_at"
FROM = "from control.api_key k join control.tenant t on t.id = k.tenant_id"


def key_loader(pool: Pool) -> Callable[[str], KeyRow | None]:
    """Return the look-up a KeyRing needs; it raises Unavailable when the database can't be asked."""

    def load(key_id: str) -> KeyRow | None:
        with borrow(pool) as connection:
            return find_key(connection, key_id)

    return load


def find_key(connection: Connection, key_id: str) -> KeyRow | None:
    """Return the key of this public id, whatever its state."""
    row = connection.execute(f"select {COLUMNS} {FROM} where k.id = %s", (key_id,)).fetchone()
    return KeyRow(*row) if row else None


def list_keys(connection: Connection, tenant_id: int) -> list[KeyRow]:
    """Return all keys of a tenant, oldest first."""
    rows = connection.execute(
        f"select {COLUMNS} {FROM} where k.tenant_id = %s order by k.created_at, k.id", (tenant_id,)
    )
    return [KeyRow(*row) for row in rows]


def insert_key(connection: Connection, row: KeyRow) -> None:
    """Store a new key."""
    connection.execute(
        "insert into control.api_key (id, tenant_id, secret_hash, scope, name, source, expires_at) values (%s, %s, %s, %s, %s, %s, %s)",
        (row.id, row.tenant_id, row.secret_hash, row.scope, row.name, row.source, row.expires_at),
    )


def revoke_key(connection: Connection, tenant_id: int, key_id: str, at: datetime) -> None:
    """End a key at an instant (now, or later for a rotation with overlap); raises NotFound."""
    done = connection.execute(
        "update control.api_key set revoked_at = %s where id = %s and tenant_id = %s", (at, key_id, tenant_id)
    )
    if done.rowcount == 0:
        raise NotFound("key-unknown", f"this tenant has no key {key_id}; `bellwether keys list` shows them")


def ensure_tenant(connection: Connection, slug: str, name: str | None = None) -> int:
    """Return the id of a tenant, created if it is new."""
    row = connection.execute(
        "insert into control.tenant (slug, name) values (%s, %s) on conflict (slug) do update set slug = excluded.slug returning id",
        (slug, name or slug),
    ).fetchone()
    assert row is not None
    return int(row[0])


def tenant_id_of(connection: Connection, slug: str) -> int:
    """Return the id of a tenant; raises NotFound."""
    row = connection.execute("select id from control.tenant where slug = %s", (slug,)).fetchone()
    if row is None:
        raise NotFound("tenant-unknown", f"there is no tenant {slug!r}")
    return int(row[0])
