"""What people want to know of an account before they call it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

# Who stopped: active on at least so many days of the eight weeks that ended so long ago, and never since.
QUIET_FOR = timedelta(days=14)
REGULAR_WITHIN = timedelta(days=70)
REGULAR_DAYS = 3
MAX_NAMED = 3


@dataclass(frozen=True, slots=True)
class Stopped:
    """Who went quiet, by id: names are looked up when a notice is sent. `last_seen` by the tenant's calendar."""

    person_id: int
    last_seen: date


@dataclass(frozen=True, slots=True)
class Facts:
    """`stopped`: all of them, the most regular first. `last_contact_at`: when both sides last spoke."""

    stopped: tuple[Stopped, ...] = ()
    last_contact_at: datetime | None = None
