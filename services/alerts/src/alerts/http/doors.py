"""What the routes need, and the small things they share."""

import base64
import binascii
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request

from alerts.ports.casebook import Casebook
from alerts.ports.ledger import Ledger
from alerts.use_cases.desk import Actor, Desk
from common.auth.keys import Principal
from common.clock import Clock
from common.errors import Rejected

MAX_PAGE = 1_000
_PREFIX = "v1:"


@dataclass(frozen=True)
class Doors:
    """`ledger` opens one transaction per use. `read` and `act` are dependencies that return the caller."""

    read: Callable[[Request], Principal]
    act: Callable[[Request], Principal]
    casebook: Casebook
    desk: Desk
    ledger: Callable[[], AbstractContextManager[Ledger]]
    clock: Clock
    new_id: Callable[[str], str]
    mail_is_configured: bool
    allow_private_receivers: bool


def actor_of(principal: Principal, by: str | None) -> Actor:
    return Actor(principal.tenant_id, by or principal.name, principal.key_id)


def cursor_of(rows: list[dict[str, Any]], limit: int) -> str | None:
    """Opaque; None on the last page."""
    if len(rows) < limit:
        return None
    return base64.urlsafe_b64encode((_PREFIX + rows[-1]["id"]).encode()).decode().rstrip("=")


def before_of(cursor: str | None) -> str | None:
    """Raises Rejected for a cursor that is not ours."""
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise not_ours() from error
    if not text.startswith(_PREFIX) or not text.isprintable():
        raise not_ours()
    return text.removeprefix(_PREFIX)


def not_ours() -> Rejected:
    return Rejected("cursor-invalid", "this cursor was not given out by this route; begin without one")


def storable(text: str | None) -> str | None:
    """Text that the database can hold; raises Rejected for NUL and lone surrogates."""
    if text is not None and ("\0" in text or any("\ud800" <= c <= "\udfff" for c in text)):
        raise Rejected("text-invalid", "text must be valid Unicode without NUL")
    return text


def shown_target(kind: str, target: str) -> str:
    """Without user info, query and fragment, where people put secrets."""
    if kind == "email":
        return target
    try:
        parts = urlsplit(target)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "(not an address)"
    return f"{parts.scheme}://{host}{parts.path}" + ("?…" if parts.query else "")
