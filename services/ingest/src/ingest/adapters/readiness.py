"""Whether the dependencies are good enough to take events."""

import time
from collections.abc import Callable

from common.db.pool import Pool, database_check
from common.streams.reachable import why_unreachable

# Keys known for less than this work without the database, so ingest does too.
TOLERATED_OUTAGE_SECONDS = 3600.0


def broker_check(bootstrap: str, stalled: Callable[[], bool]) -> Callable[[], str | None]:
    """Return a check that wants one bootstrap broker to accept connections and no record to wait too long."""

    def check() -> str | None:
        if stalled():
            return "kafka: records are not being confirmed"
        return why_unreachable(bootstrap)

    return check


def tolerant_database_check(pool: Pool) -> Callable[[], str | None]:
    """Return a check that fails when the database was never reached, or not for an hour: until then keys that are known still work."""
    ask = database_check(pool)
    answered_at: float | None = None

    def check() -> str | None:
        nonlocal answered_at
        reason = ask()
        if reason is None:
            answered_at = time.monotonic()
            return None
        tolerated = answered_at is not None and time.monotonic() - answered_at < TOLERATED_OUTAGE_SECONDS
        return None if tolerated else reason

    return check
