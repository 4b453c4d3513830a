"""Keys in front of the database: looked up once, remembered for a while, usable for an hour when the database is down."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.auth.keys import KeyRow, Principal, parse, verify
from common.errors import Unauthorized, Unavailable

MAX_REMEMBERED = 10_000
# Outage look-ups are not repeated faster than this, so that a database that is down doesn't slow every request by its time-out.
RETRY_AFTER_OUTAGE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class _Known:
    row: KeyRow | None
    seen_at: datetime


class KeyRing:
    """Authenticates keys; safe to use from many threads.

    A look-up is trusted for `fresh_seconds` (so a revocation takes effect within that time). When the database can't be asked, a key that was found less than
    `stale_seconds` ago still works; any other raises Unavailable.
    """

    def __init__(
        self, load: Callable[[str], KeyRow | None], fresh_seconds: float = 10, stale_seconds: float = 3600
    ) -> None:
        self._load = load
        self._fresh, self._stale = timedelta(seconds=fresh_seconds), timedelta(seconds=stale_seconds)
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._outage_until: datetime | None = None
        self._lock = threading.Lock()

    def cached(self, text: str, now: datetime) -> Principal | None:
        """Authenticate from memory alone; None when a look-up is due. Never blocks: safe on an event loop."""
        known = self._known.get(parse(text).id)
        if known is None or abs(now - known.seen_at) > self._fresh:
            return None
        return verify(parse(text), known.row, now)

    def authenticate(self, text: str, now: datetime) -> Principal:
        """Return who holds this key; raises Unauthorized (key-missing, key-invalid, key-revoked, key-expired) or Unavailable."""
        if not text:
            raise Unauthorized("key-missing", "send an API key: `Authorization: Bearer KEY`")
        parsed = parse(text)
        return verify(parsed, self._row(parsed.id, now), now)

    def remembered(self, text: str, now: datetime) -> Principal:
        """As `authenticate`, without asking: for while the database says nothing at all. Never blocks."""
        parsed = parse(text)
        row = self._usable(parsed.id, now)
        if row is None:
            raise Unavailable("database-unavailable", "the database does not answer; try again shortly", 2)
        return verify(parsed, row, now)

    def _usable(self, key_id: str, now: datetime) -> KeyRow | None:
        """What holds without the database."""
        known = self._known.get(key_id)
        return None if known is None or abs(now - known.seen_at) > self._stale else known.row

    def _row(self, key_id: str, now: datetime) -> KeyRow | None:
        known = self._known.get(key_id)
        if known is not None and abs(now - known.seen_at) <= self._fresh:
            return known.row
        usable = self._usable(key_id, now)
        if usable is not None and self._outage_until is not None and now < self._outage_until:
            return usable
        try:
            row = self._load(key_id)
        except Unavailable:
            self._outage_until = now + RETRY_AFTER_OUTAGE
            if usable is not None:
                return usable
            raise
        self._outage_until = None
        with self._lock:
            self._known[key_id] = _Known(row, now)
            self._known.move_to_end(key_id)
            while len(self._known) > MAX_REMEMBERED:
                self._known.popitem(last=False)
        return row
