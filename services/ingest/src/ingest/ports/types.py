"""Where declared event types come from."""

from datetime import timedelta
from typing import Protocol

from common.contracts.event_types import TypeRules


class TypeStore(Protocol):
    """The declared types of each tenant. Never fails: without a database the last known hold."""

    def remembered(self, tenant_id: int) -> tuple[TypeRules, timedelta] | None:
        """Return what is remembered, and how long ago it was read. Never blocks."""
        ...

    def read(self, tenant_id: int) -> TypeRules:
        """Read them; may block for as long as the database may take."""
        ...
