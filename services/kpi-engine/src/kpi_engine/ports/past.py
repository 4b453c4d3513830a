"""What counting the past needs of the database; each call runs inside the caller's transaction."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from kpi_engine.domain.batch import Pending, TenantBatch
from kpi_engine.ports.connection import Connection


@dataclass(frozen=True, slots=True)
class Part:
    """Partitions whose past is counted up to the same chunk, and the chunks (after, through] that they may read together."""

    partitions: list[int]
    after: int
    through: int


class Past(Protocol):
    """How far kept events are counted by versions of the definitions that aren't in force yet."""

    def take_up(
        self, connection: Connection, tenant_id: int, version: int, partitions: Sequence[int]
    ) -> list[int]: ...

    def next_part(
        self, connection: Connection, tenant_id: int, version: int, partitions: Sequence[int]
    ) -> Part | None: ...

    def read(
        self,
        connection: Connection,
        tenant_id: int,
        pending: Pending,
        part: Part,
        partitions: int,
        internal: Collection[int],
        sees: Callable[[str], bool],
    ) -> tuple[TenantBatch | None, int]: ...

    def counted(
        self, connection: Connection, tenant_id: int, version: int, part: Part, counted: int
    ) -> None: ...

    def finish(self, connection: Connection, tenant_id: int, version: int, partitions: int) -> bool: ...


class PastFigures(Protocol):
    """Counts by what a version brings."""

    def sees(self, tenant_id: int, pending: Pending, event_type: str) -> bool: ...

    def count_past(self, connection: Connection, batch: TenantBatch, pending: Pending) -> None: ...

    def count_answers(
        self, connection: Connection, tenant_id: int, pending: Pending, partitions: Sequence[int]
    ) -> None: ...

    def committed(self) -> None: ...

    def rolled_back(self) -> None: ...
