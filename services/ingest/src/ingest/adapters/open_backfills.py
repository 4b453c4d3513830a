"""Open backfills of each tenant, remembered for a moment."""

import threading
import time

from common.control.backfills import backfill
from common.db.pool import Pool, borrow
from common.errors import Conflict

# What comes in this time after a close is set aside by the engine, with the reason.
FRESH_SECONDS = 2.0
_MOST_KNOWN = 1_000


class OpenBackfills:
    """BackfillChecks port; safe to use from many threads."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._open: dict[tuple[int, str], tuple[str, float]] = {}
        self._lock = threading.Lock()

    def remembered(self, tenant_id: int, backfill_id: str) -> str | None:
        known = self._open.get((tenant_id, backfill_id))
        return known[0] if known is not None and time.monotonic() - known[1] < FRESH_SECONDS else None

    def check(self, tenant_id: int, backfill_id: str) -> str:
        with borrow(self._pool) as connection:
            found = backfill(connection, tenant_id, backfill_id)
        if found.state != "open":
            raise Conflict(
                f"backfill-{found.state}", f"this backfill is {found.state} and takes no more events"
            )
        with self._lock:
            if len(self._open) >= _MOST_KNOWN:
                self._open.clear()
            self._open[tenant_id, backfill_id] = (found.id, time.monotonic())
        return found.id
