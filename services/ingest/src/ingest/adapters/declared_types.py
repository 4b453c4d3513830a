"""The declared types of each tenant, remembered and read again now and then."""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from common.catalogue.store import current
from common.clock import Clock
from common.contracts.event_types import TypeRules, rules_of
from common.db.pool import Pool, borrow
from common.errors import Unavailable

_MAX_TENANTS = 1_000


@dataclass(frozen=True, slots=True)
class _Known:
    types: TypeRules
    read_at: datetime


class DeclaredTypes:
    """Reads a tenant's catalogue; safe to use from many threads. A tenant without one gets the `fallback`; so does, while the database is down,
    one whose catalogue was never read here."""

    def __init__(self, pool: Pool, fallback: TypeRules, clock: Clock) -> None:
        self._pool, self._fallback, self._clock = pool, fallback, clock
        self._known: dict[int, _Known] = {}
        self._lock = threading.Lock()

    def remembered(self, tenant_id: int) -> tuple[TypeRules, timedelta] | None:
        """Return what is remembered, and how long ago it was read. Never blocks."""
        known = self._known.get(tenant_id)
        return None if known is None else (known.types, abs(self._clock.now() - known.read_at))

    def read(self, tenant_id: int) -> TypeRules:
        """Read the catalogue; may block for as long as the pool waits."""
        known = self._known.get(tenant_id)
        try:
            with borrow(self._pool) as connection:
                catalogue = current(connection, tenant_id)
        except Unavailable:
            types = known.types if known is not None else self._fallback
        else:
            types = rules_of(catalogue.event_types.values()) if catalogue is not None else self._fallback
        with self._lock:
            if len(self._known) >= _MAX_TENANTS:
                self._known.clear()
            self._known[tenant_id] = _Known(types, self._clock.now())
        return types
