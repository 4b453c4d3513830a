"""What backfills need of the database; each call runs inside the caller's transaction."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from kpi_engine.domain.decode import Staged
from kpi_engine.domain.identity import Entries
from kpi_engine.ports.connection import Connection


@dataclass(frozen=True, slots=True)
class StagedRecord:
    """One record of a backfill, as ingest packed it. `entries`: who its events are, where the bodies do not tell it any more."""

    offset: int
    ingested_at_us: int
    bodies: list[bytes]
    entries: Entries | None = None


@dataclass(frozen=True, slots=True)
class Displaced:
    """The first event from elsewhere that repeated one of a backfill: it counts when that is reverted."""

    body: bytes
    ingested_at_us: int


class Staging(Protocol):
    def stage(self, connection: Connection, tenant_id: int, staged: Staged) -> bool:
        """Keep a record until its backfill is closed. False when its partition has closed that already, or there is none."""
        ...


class Brought(Protocol):
    """Identities that the identity store knows, and that are special all the same."""

    def any_closed(self, connection: Connection, tenant_id: int) -> bool:
        """Whether the tenant ever closed a backfill: without one no identity is special."""
        ...

    def special(
        self, connection: Connection, tenant_id: int, partition: int, identities: Sequence[bytes]
    ) -> Mapping[bytes, bool]:
        """Of these those that a backfill brought: True when its revert gave them free, and they are new again."""
        ...

    def displace(self, connection: Connection, partition: int, events: Mapping[bytes, Displaced]) -> None:
        """Keep the first repetition of events that a backfill brought."""
        ...

    def counted(self, connection: Connection, partition: int, identities: Sequence[bytes]) -> None:
        """Identities that were free were counted anew."""
        ...


class Backfills(Staging, Brought, Protocol):
    """Records that wait for their backfill to be closed, and the identities that it brought."""

    def records(
        self, connection: Connection, backfill_id: str, partition: int, events: int
    ) -> Iterator[list[StagedRecord]]:
        """In the order of the log, in pieces of about so many events."""
        ...

    def arrivals(self, connection: Connection, backfill_id: str, partition: int) -> list[int]:
        """An ingest stamp of every day on which a record arrived."""
        ...

    def bring(
        self,
        connection: Connection,
        tenant_id: int,
        backfill_id: str,
        partition: int,
        identities: Sequence[bytes],
    ) -> None:
        """Note what a backfill brought."""
        ...

    def brought(
        self, connection: Connection, backfill_id: str, partition: int, identities: Sequence[bytes]
    ) -> Mapping[bytes, Displaced | None]:
        """Of these identities those that the backfill brought."""
        ...

    def all_brought(self, connection: Connection, backfill_id: str, partition: int) -> int:
        """How many identities the backfill brought that are still its own."""
        ...

    def give_free(self, connection: Connection, partition: int, identities: Sequence[bytes]) -> None: ...

    def keep(self, connection: Connection, partition: int, identities: Sequence[bytes]) -> None:
        """These are identities like any others from now on: known, whatever becomes of the backfill."""
        ...
