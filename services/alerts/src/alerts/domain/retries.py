"""When a failed delivery is tried again (Standard Webhooks, "Deliverability and reliability")."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum

# Waits before each further attempt: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h. With the first, at once, ten attempts in about three days.
WAITS = tuple(timedelta(seconds=s) for s in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400))
MAX_ATTEMPTS = len(WAITS) + 1
# Spreads the retries of many notices that failed together; never earlier than the schedule says.
JITTER_RATIO = 0.1
# A receiver may ask for patience, not for ever.
MAX_RETRY_AFTER = timedelta(hours=24)


class Outcome(Enum):
    DELIVERED = "delivered"
    RETRY = "retry"
    REFUSED = "refused"
    """This notice will never be taken; others may."""
    GONE = "gone"
    """The receiver says it is no more: it is disabled."""


def next_attempt_at(
    attempts: int, now: datetime, retry_after: timedelta | None, jitter: float
) -> datetime | None:
    """When to try again after `attempts` failed ones; None when the schedule is used up. `jitter` is in [0, 1)."""
    if attempts >= MAX_ATTEMPTS:
        return None
    wait = WAITS[attempts - 1] * (1 + JITTER_RATIO * jitter)
    return now + max(wait, min(retry_after or timedelta(0), MAX_RETRY_AFTER))


def parse_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Seconds or an HTTP date (RFC 9110, 10.2.3); None when absent or not understood, never negative."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), MAX_RETRY_AFTER)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return min(max(aware - now, timedelta(0)), MAX_RETRY_AFTER)
