"""Loads of history: while one is open, the tenant's alerts are silent."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from api_gateway.domain.records import Load


class LoadStore(Protocol):
    """Bound to one tenant; another tenant's load is NotFound. Raises Unavailable when the database doesn't answer."""

    def start(self, tenant_id: int, description: str, now: datetime) -> Load: ...

    def heartbeat(self, tenant_id: int, load_id: str, now: datetime) -> Load:
        """Say that the load still runs; raises NotFound, or Conflict when it has ended."""
        ...

    def end(self, tenant_id: int, load_id: str, now: datetime) -> Load:
        """End it; ending it again changes nothing. Raises NotFound."""
        ...

    def list(self, tenant_id: int, limit: int) -> Sequence[Load]:
        """Return loads, newest first."""
        ...
