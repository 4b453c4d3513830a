"""What applying the control log needs of the database; each call runs inside the caller's transaction unless it says otherwise."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from common.catalogue.models import Catalogue
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.domain.erasing import TokenOf
from kpi_engine.domain.reading import Reading
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.figures import Moving, Written

Kind = Literal["amendment", "deletion", "erasure", "backfill_closed", "backfill_reverted", "rebuild"]
Named = Mapping[int, frozenset[tuple[str, str]]]
"""Of each account (source, id) of events; 0 is the tenant itself."""
Corrected = Mapping[tuple[str, str, str], Kind]
"""What was decided last of events, by account, source and id."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a tenant's control log, and a partition that has not applied it."""

    tenant_id: int
    tenant: str
    partition: int
    seq: int
    kind: Kind
    account: str
    source: str
    event_id: str
    body: bytes
    person_hash: bytes
    token: str
    backfill_id: str
    created_at: datetime

    @property
    def created_at_us(self) -> int:
        return int(self.created_at.timestamp() * 1_000_000)


@dataclass(slots=True)
class Outcome:
    """What an entry did in one partition. `concerned` False: nothing there has to do with it."""

    concerned: bool = True
    batches: int = 1  # batch numbers that it took
    accounts: set[int] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)  # accounts of which it left nothing
    measures: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    code: str | None = None
    message: str | None = None

    def took(self, written: Written) -> None:
        self.accounts |= written.accounts
        self.measures |= written.measures

    def count(self, name: str, by: int) -> None:
        self.counts[name] = self.counts.get(name, 0) + by


class Taken(Protocol):
    """Raw events that are out of their chunks, or read from them up to the chunk `through`."""

    @property
    def through(self) -> int: ...

    @property
    def event_at_us(self) -> npt.NDArray[np.int64]: ...

    def __len__(self) -> int: ...

    def batch(
        self, tenant_id: int, catalogue: Catalogue, partition: int, internal: Iterable[int]
    ) -> TenantBatch: ...


class Control(Protocol):
    """The control log, and how far it is applied."""

    def next_entries(self, connection: Connection, topic: str, partitions: Sequence[int]) -> list[Entry]:
        """Of each tenant and partition the next entry, once all that arrived before it is applied there."""
        ...

    def done(self, connection: Connection, entry: Entry, outcome: Outcome) -> None:
        """Note that a partition has applied an entry. Raises RuntimeError when it was not the next one."""
        ...

    def account(
        self, connection: Connection, entry: Entry, name: str, partitions: int
    ) -> tuple[int | None, int]:
        """The id of the entry's account (0: the tenant itself; None: unknown), by the name that it has now, and its partition."""
        ...

    def rewrite(self, connection: Connection, entry: Entry, account: str, body: bytes) -> None:
        """Keep the entry's account and event as they may be kept."""
        ...

    def corrected_since(self, connection: Connection, entry: Entry, partition: int) -> Corrected:
        """Amendments and deletions that a partition applied between the close of the entry's backfill and the entry."""
        ...

    def take_out(self, connection: Connection, tenant_id: int, named: Named) -> Taken: ...

    def supersede(self, connection: Connection, tenant_id: int, seq: int, batch: TenantBatch) -> None:
        """Keep events that stand no more as they were received."""
        ...

    def drop_empty(self, connection: Connection, tenant_id: int, accounts: Iterable[int]) -> set[int]:
        """Delete those of these accounts that have no event any more; returns them. Their ids may still be remembered."""
        ...

    def forget_told(self, connection: Connection, accounts: Iterable[int]) -> None:
        """What was told of the risk of these accounts holds no reason any more: it may rest on what was corrected."""
        ...

    def raw_from(self, connection: Connection, tenant_id: int) -> datetime | None:
        """Raw events that arrived before this were dropped."""
        ...


class Retractable(Protocol):
    """Figures that can be taken back."""

    def read(self, batch: TenantBatch) -> Reading: ...

    def write(
        self,
        connection: Connection,
        batch: TenantBatch,
        reading: Reading,
        unwritten: Mapping[int, tuple[int, int]] | None = None,
    ) -> Moving:
        """`unwritten`: by partition, after which and through which chunk stored events are not written yet."""
        ...

    def retract(self, connection: Connection, batch: TenantBatch) -> Moving: ...

    def measure_ids(self, connection: Connection, tenant_id: int, catalogue: Catalogue) -> list[int]: ...

    def forget(self) -> None: ...

    def committed(self) -> None: ...

    def rolled_back(self) -> None: ...


class Erasures(Protocol):
    """Puts a token in the place of a person."""

    def erase(
        self, connection: Connection, entry: Entry, topic: str, *, own: bool
    ) -> tuple[set[int], dict[str, int]]:
        """In one partition of the topic, wherever the person stands; returns the accounts concerned, and how much was rewritten.

        `own`: the tenant's own events, which have no account, come in this partition.
        The last partition does it for what is kept by tenant too.
        """
        ...


class Erased(Protocol):
    """Who is erased: their names arrive again, and get their token at once.

    `partition`: one that has applied the erasure by now, for what is stored of its accounts: until then its people have their names,
    and the token would be somebody else. None: any has.
    """

    def clear(self) -> None: ...

    def token_of(
        self, connection: Connection, tenant_id: int, partition: int | None = None
    ) -> TokenOf | None:
        """None while nobody of the tenant is erased."""
        ...

    def event(
        self, connection: Connection, tenant_id: int, body: bytes, partition: int | None = None
    ) -> bytes: ...


class Rebuilds(Protocol):
    """The figures of a partition's accounts, and the raw events that they follow from."""

    def accounts(self, connection: Connection, tenant_id: int, partition: int) -> list[int]: ...

    def clear(
        self,
        connection: Connection,
        tenant_id: int,
        partition: int,
        accounts: Sequence[int],
        measure_ids: Sequence[int],
    ) -> None:
        """Delete what raw events tell of these accounts, and of these measures."""
        ...

    def pieces(
        self, connection: Connection, tenant_id: int, accounts: Sequence[int], events: int
    ) -> Iterator[Taken]:
        """All raw events of these accounts, about so many at a time."""
        ...


class Retention(Protocol):
    def step(self, connection: Connection, now: datetime) -> int:
        """Drop some of what is older than its tenant keeps it, in short transactions of its own; 0 when nothing is left to drop."""
        ...
