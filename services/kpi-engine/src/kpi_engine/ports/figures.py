"""What the batch writer needs of the arithmetic half of the engine."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from common.catalogue.models import Catalogue
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.domain.moved import Moved, Pile
from kpi_engine.domain.reading import Reading
from kpi_engine.domain.revisions import Cause
from kpi_engine.ports.connection import Connection


class Written(Protocol):
    """What a write changed: names of measures, and accounts whose state has to be computed again."""

    @property
    def measures(self) -> set[str]: ...

    @property
    def accounts(self) -> set[int]: ...


class Moving(Written, Protocol):
    """What a write changed, down to the cells."""

    @property
    def moved(self) -> Sequence[Moved]: ...


class Added(Written, Protocol):
    """What a piece of a transaction changed; its cells are on the pile."""

    @property
    def internal(self) -> Mapping[int, bool]: ...


class Revisions(Protocol):
    def note(
        self,
        conn: Connection,
        tenant_id: int,
        partition: int,
        cause: Cause,
        moved: Sequence[Moved],
        as_of_us: int,
        earliest_us: int | None = None,
    ) -> int: ...


class Figures(Protocol):
    """Turns new events into figures, inside the caller's transaction."""

    def read(self, batch: TenantBatch) -> Reading:
        """Return what the events say, and which can't be counted exactly; their accounts and people need not be known."""
        ...

    def add(self, connection: Connection, batch: TenantBatch, reading: Reading, pile: Pile) -> Added: ...

    def put(self, connection: Connection, tenant_id: int, pile: Pile) -> set[str]:
        """Store what pieces put on the pile; returns the names of the measures that changed."""
        ...

    def committed(self) -> None: ...

    def rolled_back(self) -> None: ...

    def forget(self) -> None: ...


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

    def compared(self) -> list[int]: ...

    def overtake(
        self, connection: Connection, tenant_id: int, catalogue: Catalogue, now: datetime
    ) -> int: ...

    def redefined(self, connection: Connection, now: datetime, partitions: Sequence[int]) -> int: ...

    def due(
        self, connection: Connection, now: datetime, limit: int, partitions: Sequence[int]
    ) -> list[tuple[int, int, int]]: ...
