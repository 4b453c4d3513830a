"""Tenants as an operator makes them: keys by `bellwether keys`, definitions by `bellwether apply`."""

import json
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.client import Client
from tests.acceptance.stack import ROOT, Stack

SCOPES = ("ingest", "read", "act", "admin")


@dataclass(frozen=True)
class Tenant:
    slug: str
    keys: dict[str, str]
    client: Client


def create_tenant(stack: Stack, slug: str, overlay: dict[str, str] | None, directory: Path) -> Tenant:
    """`overlay` is file name -> text, laid over the base pack."""
    keys = {scope: create_key(stack, slug, scope) for scope in SCOPES}
    apply_overlay(stack, slug, overlay or {}, directory)
    return Tenant(slug, keys, stack.client_with(keys))


def create_key(stack: Stack, slug: str, scope: str, *more: str) -> str:
    done = stack.run(
        "keys", "create", "--tenant", slug, "--scope", scope, "--name", f"{scope} of a test", "--json", *more
    )
    return str(json.loads(done.stdout)["key"])


def apply_overlay(stack: Stack, slug: str, overlay: dict[str, str], directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in overlay.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    stack.run("apply", str(ROOT / "catalogue"), str(directory), "--tenant", slug)
