"""Tenants of tests: keys of every scope, definitions by `bellwether apply`."""

from dataclasses import dataclass
from pathlib import Path

import psycopg
from tests.acceptance.client import Client
from tests.acceptance.stack import Stack

from common.auth.keys import SCOPES, mint
from common.auth.store import ensure_tenant, insert_key

TOLD_AT_ONCE = "page: null\nstorm: null\ncloses_after_healthy_days: 0\n"


@dataclass(frozen=True)
class Tenant:
    slug: str
    keys: dict[str, str]
    client: Client


def create_tenant(stack: Stack, slug: str, overlay: dict[str, str] | None, directory: Path) -> Tenant:
    """`overlay` is file name -> text, laid over the base pack. Every case is told at once, unless it says otherwise."""
    keys = create_keys(stack, slug)
    apply_overlay(stack, slug, {"alerting.yaml": TOLD_AT_ONCE, **(overlay or {})}, directory)
    return Tenant(slug, keys, stack.client_with(keys))


def create_keys(stack: Stack, slug: str) -> dict[str, str]:
    """One key a scope, as `bellwether keys create` makes them, without four starts of a program."""
    with psycopg.connect(stack.database_url) as conn:
        tenant_id = ensure_tenant(conn, slug)
        minted = {scope: mint(scope, tenant_id, slug, f"{scope} of a test") for scope in SCOPES}
        for key in minted.values():
            insert_key(conn, key.row)
    return {scope: key.text for scope, key in minted.items()}


def apply_overlay(stack: Stack, slug: str, overlay: dict[str, str], directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in overlay.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    stack.run("apply", str(directory), "--tenant", slug, "--database-url", stack.database_url)
