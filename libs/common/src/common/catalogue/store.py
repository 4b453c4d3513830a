"""Catalogues in the database: one immutable version after another, the highest in force."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import psycopg

from common.catalogue.models import Catalogue
from common.errors import NotFound


def apply(conn: psycopg.Connection[Any], tenant_slug: str, catalogue: Catalogue) -> int:
    """Stores the catalogue as the tenant's next version and returns it; the version in force when nothing changed.

    The caller commits. Two at once are put in order. Raises NotFound for an unknown tenant.
    """
    body = canonical(catalogue)
    digest = hashlib.sha256(body.encode()).hexdigest()
    tenant = conn.execute(
        "select id from control.tenant where slug = %s for update", (tenant_slug,)
    ).fetchone()
    if tenant is None:
        raise NotFound(
            "tenant-unknown",
            f"There is no tenant {tenant_slug!r}; create its first key with `bellwether keys`",
        )
    latest = conn.execute(
        "select version, sha256 from control.definition where tenant_id = %s order by version desc limit 1",
        tenant,
    ).fetchone()
    if latest is not None and latest[1] == digest:
        return int(latest[0])
    version = (int(latest[0]) if latest else 0) + 1
    conn.execute(
        "insert into control.definition (tenant_id, version, sha256, body) values (%s, %s, %s, %s::jsonb)",
        (tenant[0], version, digest, body),
    )
    return version


def current(conn: psycopg.Connection[Any], tenant_id: int) -> Catalogue | None:
    """The tenant's catalogue in force, or None before the first `apply`."""
    row = conn.execute(
        "select body::text from control.definition where tenant_id = %s order by version desc limit 1",
        (tenant_id,),
    ).fetchone()
    return None if row is None else Catalogue.model_validate_json(row[0])


def current_version(conn: psycopg.Connection[Any], tenant_id: int) -> int | None:
    row = conn.execute(
        "select max(version) from control.definition where tenant_id = %s", (tenant_id,)
    ).fetchone()
    return None if row is None or row[0] is None else int(row[0])


def canonical(catalogue: Catalogue) -> str:
    """One text per meaning: the order of files and keys leaves no trace."""
    return json.dumps(catalogue.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
