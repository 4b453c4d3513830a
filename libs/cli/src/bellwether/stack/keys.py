"""The stack's four API keys: made once, kept in a file that only its owner can read, the same after every restart."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from common.auth.keys import SCOPES, mint, parse, verify
from common.auth.store import ensure_tenant, find_key, insert_key
from common.db.session import OPTIONS
from common.errors import Unauthorized

TENANT = "default"


def ensure_keys(database_url: str, path: Path) -> dict[str, str]:
    """Key texts by scope, all of them valid for the tenant `default` of this database; written to `path` before they are used."""
    with psycopg.connect(database_url, options=OPTIONS) as conn:
        tenant_id = ensure_tenant(conn, TENANT)
        kept = _read(path)
        keys: dict[str, str] = {}
        for scope in SCOPES:
            if scope in kept and _opens(conn, kept[scope]):
                keys[scope] = kept[scope]
                continue
            minted = mint(scope, tenant_id, TENANT, f"local stack, {scope}")
            insert_key(conn, minted.row)
            keys[scope] = minted.text
        write_private(path, json.dumps(keys))
    return keys


def _opens(conn: psycopg.Connection[tuple[Any, ...]], text: str) -> bool:
    """False for a key of another database, or one that was revoked: the directory may have been given a new DATABASE_URL."""
    parsed = parse(text)
    try:
        verify(parsed, find_key(conn, parsed.id), datetime.now(UTC))
    except Unauthorized:
        return False
    return True


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    return {str(scope): str(text) for scope, text in json.loads(path.read_text()).items()}


def write_private(path: Path, text: str) -> None:
    """Replaces the file in one step; mode 0600 from its first byte."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    unfinished.replace(path)
