"""Traits with their history: what was said of an account or a person, when, and by which event."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

Place = tuple[str, datetime, str, str]
"""Name, instant, source and id: the order of values, each of them once."""


@dataclass(frozen=True, slots=True)
class TraitValue:
    """Said by an event at `at`, and so until `until` (None: still). A null value cleared the trait."""

    name: str
    value: Any
    at: datetime
    until: datetime | None
    source: str
    event_id: str


class TraitReader(Protocol):
    """Bound to one tenant. Raises Unavailable when the database doesn't answer."""

    def history(
        self,
        tenant_id: int,
        account_id: int,
        person: str | None,
        name: str | None,
        limit: int,
        after: Place | None,
    ) -> Sequence[TraitValue]:
        """Return up to `limit` values by name and then by time, of the account itself or of one of its people, after a place."""
        ...
