"""Which backfills take events."""

from typing import Protocol


class BackfillChecks(Protocol):
    def remembered(self, tenant_id: int, backfill_id: str) -> str | None:
        """Return the id of a backfill that was open a moment ago, as it is kept. Never blocks."""
        ...

    def check(self, tenant_id: int, backfill_id: str) -> str:
        """Return the id as it is kept; may block. Raises NotFound, Conflict when it takes no more events, Unavailable."""
        ...
