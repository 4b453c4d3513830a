"""What the use cases need of the database; each call runs inside the caller's transaction unless it says otherwise."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from common.catalogue.models import Catalogue
from kpi_engine.domain.batch import Pending, TenantBatch
from kpi_engine.domain.decode import Place, Poisoned
from kpi_engine.domain.identity import Entries
from kpi_engine.domain.ids import Found
from kpi_engine.domain.ownership import Owned
from kpi_engine.ports.connection import Connection

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Taken:
    """A partition that this engine owns from now on. `leader_epoch` is that of the last record that was applied, NO_EPOCH without one."""

    epoch: int
    next_offset: int
    leader_epoch: int
    batch_no: int
    dirty: list[int]


@dataclass(frozen=True, slots=True)
class Advance:
    """One partition's step in one transaction; `low == next_offset` when only account state is written, without a `leader_epoch` then."""

    topic: str
    partition: int
    epoch: int
    low: int
    next_offset: int
    applied_at_us: int | None
    leader_epoch: int | None = None


@dataclass(frozen=True, slots=True)
class PendingIds:
    """New identities of one partition, to be remembered after the commit."""

    partition: int
    entries: Entries


@dataclass(frozen=True, slots=True)
class ConflictRow:
    """The same identity with another body: the first one counts, the second is shown."""

    account: str
    source: str
    event_id: str
    received_at_us: int
    body: str
    place: Place


@dataclass(frozen=True, slots=True)
class People:
    """Ids of people, 0 for nobody. Those from `new_from` on were made just now: nothing is stored of them."""

    ids: Int64s
    new_from: int


@dataclass(frozen=True, slots=True)
class Sought:
    """An identity whose first body is wanted, of an event that happened within so many microseconds of an instant."""

    account_id: int
    source: str
    event_id: str
    event_at_us: int
    within_us: int


@dataclass(slots=True)
class Change:
    """What one batch changed for one tenant in one partition; of `computed` accounts the state too."""

    partition: int
    batch_no: int
    tenant_id: int
    account_ids: set[int] = field(default_factory=set)
    measures: set[str] = field(default_factory=set)
    events: int = 0
    computed: set[int] = field(default_factory=set)


class Progress(Protocol):
    """How far each partition was applied. Errors: Fenced, EngineStopped."""

    def check_topics(self, connection: Connection, events: str, rejected: str) -> None: ...

    def take(
        self,
        connection: Connection,
        topic: str,
        partition: int,
        topic_id: str,
        partitions: int,
        first_kept: int,
    ) -> Taken: ...

    def advance(self, connection: Connection, steps: Iterable[Advance]) -> None: ...

    def hold(self, connection: Connection, owned: Iterable[Owned]) -> None: ...

    def keep_dirty(
        self, connection: Connection, topic: str, partition: int, dirty: Sequence[int]
    ) -> None: ...

    def drained(self, connection: Connection, owned: Iterable[tuple[str, int, int]], at_us: int) -> None: ...

    def ended_loads(
        self, connection: Connection, topic: str, owned: Iterable[Owned]
    ) -> tuple[datetime, list[int]] | None:
        """Up to when every partition is applied, and the tenants whose loads ended by then but are not settled in these."""
        ...

    def settled(self, connection: Connection, owned: Iterable[Owned], through: datetime) -> None: ...


class Ids(Protocol):
    """Which identities were seen. Memory changes only in `committed` and `sealed`, after the commit."""

    def take(self, connection: Connection, partition: int) -> None: ...

    def drop(self, partition: int) -> None: ...

    def find(self, connection: Connection, partition: int, entries: Entries) -> Found: ...

    def append(
        self, connection: Connection, partition: int, batch_no: int, entries: Entries
    ) -> PendingIds: ...

    def committed(self, pending: Iterable[PendingIds]) -> None: ...

    def seal_due(self) -> int | None: ...

    def seal(self, connection: Connection, partition: int, batch_no: int) -> Entries: ...

    def sealed(self, partition: int, entries: Entries) -> None: ...


class Names(Protocol):
    """Names to numbers. After a rollback call `clear`: what it learned may not exist."""

    def clear(self) -> None: ...

    def tenant(self, connection: Connection, slug: str) -> int | None: ...

    def catalogue(self, connection: Connection, tenant_id: int) -> Catalogue | None: ...

    def remembered(self, slug: str) -> tuple[int, Catalogue] | None: ...

    def pending(self) -> Mapping[int, Pending]: ...

    def refresh_definitions(self, connection: Connection) -> list[tuple[int, int]]: ...

    def activated(
        self, connection: Connection, tenant_id: int, version: int, partition: int, offset: int
    ) -> None: ...

    def accounts(
        self, connection: Connection, tenant_id: int, names: Sequence[str], partitions: Int64s
    ) -> Int64s: ...

    def people(
        self, connection: Connection, tenant_id: int, account_ids: Int64s, names: Sequence[str | None]
    ) -> People: ...

    def internal_people(self, connection: Connection, tenant_id: int) -> set[int]: ...

    def homes(self, connection: Connection, account_ids: Sequence[int]) -> dict[int, tuple[int, int]]: ...


class Events(Protocol):
    """Raw events, rejected ones, conflicts. `prepare` runs outside the batch's transaction."""

    def prepare(self, connection: Connection, ingested_at_us: Iterable[int]) -> None: ...

    def write(self, connection: Connection, batch: TenantBatch) -> None: ...

    def reject(self, connection: Connection, rows: Sequence[tuple[str, int | None, Poisoned]]) -> None: ...

    def replayed(self, connection: Connection, replays: Sequence[tuple[int, int]]) -> None: ...

    def conflicts(self, connection: Connection, tenant_id: int, rows: Sequence[ConflictRow]) -> None: ...

    def first_bodies(
        self, connection: Connection, tenant_id: int, sought: Sequence[Sought]
    ) -> list[bytes | None]: ...


class Feed(Protocol):
    """What others see of a batch at once."""

    def write(self, connection: Connection, changes: Sequence[Change], as_of: datetime) -> None: ...

    def moved(self, connection: Connection, tenant_id: int, partition: int, batch_no: int) -> None: ...

    def notify(self, connection: Connection, batches: Iterable[tuple[int, int]]) -> None: ...

    def fates(
        self,
        connection: Connection,
        tenant_id: int,
        partition: int,
        batch_no: int,
        fates: list[dict[str, Any]],
    ) -> None: ...

    def loads(self, connection: Connection) -> dict[int, int]: ...

    def sweep(self, connection: Connection) -> None: ...
