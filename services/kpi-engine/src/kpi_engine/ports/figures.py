"""What the batch writer needs of the arithmetic half of the engine."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from common.catalogue.models import Catalogue
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.ports.connection import Connection


class Written(Protocol):
    """What a write changed: names of measures, and accounts whose state has to be computed again."""

    @property
    def measures(self) -> set[str]: ...

    @property
    def accounts(self) -> Mapping[int, set[str]]: ...


class Figures(Protocol):
    """Turns new events into figures, inside the caller's transaction."""

    def check(self, batch: TenantBatch) -> list[tuple[int, str, str]]:
        """Return (index, code, message) of events that can't be counted exactly; looks at types and bodies only."""
        ...

    def write(self, connection: Connection, batch: TenantBatch) -> Written: ...

    def committed(self) -> None: ...

    def rolled_back(self) -> None: ...


class States(Protocol):
    """Computes what is true of accounts now."""

    def compute(
        self,
        connection: Connection,
        tenant_id: int,
        catalogue: Catalogue,
        account_ids: Sequence[int],
        now: datetime,
        as_of: datetime,
    ) -> int: ...

    def due(
        self, connection: Connection, now: datetime, limit: int, partitions: Sequence[int]
    ) -> list[tuple[int, int]]: ...
