"""What arrives by the hour, and what was found to be missing."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from common.catalogue.models import Catalogue
from common.tracking.verdicts import Broken, Key, Tenant
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.ports.connection import Connection


class Arriving(Protocol):
    """Replay: part of the batch's transaction, so counted once."""

    def note(self, connection: Connection, batch: TenantBatch) -> None:
        """Counts new events by the hour in which they arrived, those of history aside."""


class Tracking(Protocol):
    """All within the caller's transaction."""

    def until(self, connection: Connection, topic: str) -> datetime | None:
        """Up to when all that arrived is applied, on every partition; None before the first."""

    def take(self, connection: Connection, until: datetime) -> int | None:
        """A tenant that was not judged up to `until`, locked; None when there is none that no other engine has."""

    def known(
        self, connection: Connection, tenant_id: int, catalogue: Catalogue, until: datetime
    ) -> Tenant: ...

    def save(
        self,
        connection: Connection,
        tenant_id: int,
        before: Mapping[Key, Broken],
        now: Mapping[Key, Broken],
        until: datetime,
        at: datetime,
    ) -> None:
        """What broke, what is back, and that all was judged up to `until`; hours that no comparison needs any more are forgotten."""

    def broken(self, connection: Connection) -> dict[str, int]:
        """How many things are missing, of all tenants, by kind."""
