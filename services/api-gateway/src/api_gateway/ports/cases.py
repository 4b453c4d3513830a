"""Reading cases: what the alerts service publishes in the database."""

from collections.abc import Sequence
from typing import Protocol

from api_gateway.domain.records import CaseChange, CaseMoment


class CaseReader(Protocol):
    """Raises Unavailable when the database doesn't answer."""

    def range(self) -> tuple[int, int]:
        """Return the oldest and newest kept sequence; with nothing kept, oldest = newest + 1."""
        ...

    def after(self, seq: int, limit: int, tenant_id: int | None = None) -> Sequence[CaseChange]:
        """Return cases that changed after `seq`, in order of change."""
        ...

    def moments(self, tenant_id: int, account_id: int, limit: int) -> Sequence[CaseMoment]:
        """Return what happened to an account's cases and signals, newest first."""
        ...
