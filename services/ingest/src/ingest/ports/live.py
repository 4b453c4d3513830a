"""What the live view needs of the database; the engine writes there, ingest only reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

Fate = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FateRow:
    """The fates of one batch's events of one tenant, in the order decided. `seq` grows with time, not without gaps."""

    seq: int
    written_at: datetime
    fates: Sequence[Fate]


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A refused item as kept."""

    id: int
    received_at: datetime
    stage: str
    code: str
    message: str
    event_id: str | None
    source: str | None
    type: str | None
    account: str | None
    body: bytes
    replayed_at: datetime | None


class LiveStore(Protocol):
    """Reads what became of a tenant's events. Every method may raise Unavailable: try again later. None sees another tenant's rows."""

    def fates_before(self, tenant_id: int, limit: int) -> Sequence[FateRow]:
        """Return the newest rows, newest first."""
        ...

    def fates_after(self, tenant_id: int, seq: int, limit: int) -> Sequence[FateRow]:
        """Return rows above `seq`, oldest first. A row may still appear below one that was returned: batches commit out of order."""
        ...

    def rejected_before(self, tenant_id: int, below_id: int | None, limit: int) -> Sequence[RejectedRow]:
        """Return refused items below an id, newest first."""
        ...

    def rejected(self, tenant_id: int, rejected_id: int) -> RejectedRow:
        """Return one refused item; raises NotFound, also when it is another tenant's."""
        ...
