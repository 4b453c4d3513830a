"""Whether the whole pipeline works right now: only then is the heartbeat sent."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from alerts.domain.gate import Progress, lag_of

# The engine says at least once a second how far it is, and a partition changes hands within seconds.
SILENT_AFTER = timedelta(seconds=60)


def ailment(
    progress: Sequence[Progress], ingest: str | None, now: datetime, max_lag: timedelta
) -> str | None:
    """What is wrong, in one word for logs; None while all is well. `ingest`: what ingest says is wrong with it."""
    if ingest is not None:
        return "ingest-unready"
    if not progress:
        return "engine-never-ran"
    if any(now - one.updated_at > SILENT_AFTER for one in progress):
        return "engine-silent"
    return "engine-behind" if any(lag_of(one) > max_lag for one in progress) else None
