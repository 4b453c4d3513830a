"""Catalogues in the database: one immutable version after another. The last whose past is counted is in force."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

import psycopg

from common.catalogue.derived import MARGIN
from common.catalogue.models import Catalogue
from common.catalogue.origins import origins
from common.errors import NotFound

Connection = psycopg.Connection[Any]


def apply(conn: Connection, tenant_slug: str, catalogue: Catalogue) -> int:
    """Stores the catalogue as the tenant's next version and returns it; the latest version when nothing changed.

    Where it counts otherwise than the version before, it is in force only once engines have counted the kept events by it.
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
        "select version, sha256, body::text from control.definition where tenant_id = %s order by version desc limit 1",
        tenant,
    ).fetchone()
    if latest is not None and latest[1] == digest:
        return int(latest[0])
    version = (int(latest[0]) if latest else 0) + 1
    brought = origins(_read(latest[2]) if latest else None, catalogue, version)
    stored = _text(catalogue, origins=brought)
    conn.execute(
        "insert into control.definition (tenant_id, version, sha256, body, needs_past) values (%s, %s, %s, %s::jsonb, %s)",
        (tenant[0], version, digest, stored, version in brought.values()),
    )
    return version


def current(conn: Connection, tenant_id: int) -> Catalogue | None:
    """The tenant's catalogue in force, or None before the first `apply`."""
    version = current_version(conn, tenant_id)
    return None if version is None else at_version(conn, tenant_id, version)


def current_version(conn: Connection, tenant_id: int) -> int | None:
    """The version in force: the last whose past, and that of all before it, is counted."""
    return current_versions(conn, [tenant_id]).get(tenant_id)


def current_versions(conn: Connection, tenant_ids: Collection[int]) -> dict[int, int]:
    """The same of many tenants: tenant -> version, without those that have none."""
    rows = conn.execute(
        "select tenant_id, version from published.definition where tenant_id = any(%s) and served",
        (list(tenant_ids),),
    )
    return {int(tenant_id): int(version) for tenant_id, version in rows}


def latest_version(conn: Connection, tenant_id: int) -> int | None:
    """The last version that was applied, in force or not yet."""
    row = conn.execute(
        "select max(version) from control.definition where tenant_id = %s", (tenant_id,)
    ).fetchone()
    return None if row is None or row[0] is None else int(row[0])


def at_version(conn: Connection, tenant_id: int, version: int) -> Catalogue | None:
    """The catalogue as it was applied, or None where there is no such version."""
    row = conn.execute(
        "select body::text from control.definition where tenant_id = %s and version = %s",
        (tenant_id, version),
    ).fetchone()
    return None if row is None else parse(row[0]).model_copy(update={"version": version})


def counting(conn: Connection, tenant_id: int) -> tuple[int, float] | None:
    """The next version, which is being counted for the past, and how much of it is: 0 to 1. None where all are in force."""
    row = conn.execute(
        "select version, share from published.definition where tenant_id = %s and not ready order by version limit 1",
        (tenant_id,),
    ).fetchone()
    return None if row is None else (int(row[0]), float(row[1]))


def is_ready(conn: Connection, tenant_id: int, version: int) -> bool:
    """Whether this version has been in force."""
    current = current_version(conn, tenant_id)
    return current is not None and 0 < version <= current


def canonical(catalogue: Catalogue) -> str:
    """One text per meaning: the order of files and keys leaves no trace, nor does when a measure came."""
    return _text(catalogue)


def _text(catalogue: Catalogue, **more: object) -> str:
    body = catalogue.model_dump(mode="json", exclude={"origins", "version"}) | more
    return json.dumps(body, sort_keys=True, ensure_ascii=False)


def _read(body: str) -> Catalogue:
    """A version that this release can't read says nothing that could be kept: all of the next one is new."""
    try:
        return parse(body)
    except ValueError:
        return Catalogue()


def parse(body: str) -> Catalogue:
    """A stored version, of this release or an earlier one. Raises ValueError where this release can't read it."""
    stored = json.loads(body)
    metrics = {name: restated(metric) for name, metric in stored.get("metrics", {}).items()}
    return Catalogue.model_validate({**stored, "metrics": metrics})


def restated(metric: Mapping[str, Any]) -> Mapping[str, Any]:
    """A metric of a stored version as this release says it: products of metrics had fields of their own before they were CEL."""
    formula = metric["formula"]
    if formula["type"] != "combined":
        return metric
    return {**metric, "formula": {"type": "derived", "cel": _in_cel(formula)}}


def _in_cel(combined: Mapping[str, Any]) -> str:
    """`times` over `over`, times a factor; `margin`: on which side gross margin is."""
    factor = Decimal(combined["factor"])
    times, over = (
        [*combined[side], *([MARGIN] if combined["margin"] == side else [])] for side in ("times", "over")
    )
    if factor != 1 or not times:
        times.insert(0, f"{factor:f}")
    under = " * ".join(over)
    return " * ".join(times) + (f" / ({under})" if len(over) > 1 else f" / {under}" if over else "")
