"""Reading how healthy accounts are and were, and what people think of it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from api_gateway.domain.rating_record import Rated
from api_gateway.domain.records import Child, HealthDay, Rating


class HealthStore(Protocol):
    """Bound to one tenant. Raises Unavailable when the database doesn't answer."""

    def of(self, tenant_id: int, account_id: int) -> Mapping[str, Any] | None:
        """Return the health as the engine wrote it; None before it was computed, or without profiles."""
        ...

    def history(self, tenant_id: int, account_id: int, limit: int) -> Sequence[HealthDay]:
        """Return the latest days first."""
        ...

    def children(self, tenant_id: int, account: str, limit: int) -> Sequence[Child]:
        """Return the accounts under this one, the least healthy first."""
        ...

    def ratings(self, tenant_id: int, account_id: int, limit: int) -> Sequence[Rating]:
        """Return the latest first."""
        ...

    def rated(self, tenant_id: int, limit: int) -> Sequence[Rated]:
        """Return the ratings of all accounts that another band was computed beside, the first ones first."""
        ...

    def rate(self, tenant_id: int, account_id: int, band: str, comment: str, by: str) -> Rating:
        """Keep what somebody thinks, beside what is computed at this moment."""
        ...
