"""Where declared event types come from."""

from typing import Protocol

from common.contracts.event_types import TypeRules


class TypeStore(Protocol):
    """The declared types of each tenant. Never fails: without a database the last known hold."""

    def remembered(self, tenant_id: int) -> tuple[TypeRules | None, bool]:
        """Return what is remembered, and whether it should be read (again). Never blocks."""
        ...

    def read(self, tenant_id: int) -> TypeRules:
        """Read them; may block for as long as the database may take."""
        ...
