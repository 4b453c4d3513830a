"""What people decide about counted events, and what figures were before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from common.control.backfills import Backfill
from common.control.log import Entry, Kind, NewEntry

RETENTION_KINDS = ("raw_events", "rejected", "conflicts", "revisions")


@dataclass(frozen=True, slots=True)
class Revision:
    """From `day` on, until before `until`, a measure's figure of the whole tenant is another one. `number` orders them.

    `part`: the currency of recurring revenue, the step of which it is the number of cases, or score and survey of answers; empty for
    other measures.
    """

    number: int
    why: str
    entry: str | None
    at: datetime
    accounts: Sequence[str]
    measure: str
    part: str
    day: date
    until: date
    before: Decimal
    after: Decimal
    complete: bool


@dataclass(frozen=True, slots=True)
class RevisionsAsked:
    """Of these rows of measures (all: None), of one account, touching [first, last); `after` is where the page before ended."""

    measures: Sequence[str] | None = None
    account: str | None = None
    entry: str | None = None
    first: date | None = None
    last: date | None = None
    after: tuple[int, str, str, date] | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Steadiness:
    """How many local days of a metric are complete and not empty, and how many of them were revised after that."""

    complete: int
    revised: int


class CorrectionStore(Protocol):
    """Bound to one tenant; what is another tenant's is NotFound. Raises Unavailable when the database doesn't answer."""

    def append(self, tenant_id: int, new: NewEntry, now: datetime) -> Entry:
        """Append to the control log. Raises Conflict (`person-erased`). Whether there is such an event the engine says, once it has
        applied all that arrived before: here nobody knows what is accepted and not applied yet."""
        ...

    def person(self, tenant_id: int, name: str) -> tuple[bytes, str]:
        """The keyed hash of a person's name, and a new token."""
        ...

    def entry(self, tenant_id: int, entry_id: str, kinds: Sequence[Kind]) -> Entry: ...

    def entries(
        self, tenant_id: int, kinds: Sequence[Kind], below: int | None, limit: int
    ) -> Sequence[Entry]: ...

    def open_backfill(self, tenant_id: int, description: str, by: str, now: datetime) -> Backfill: ...

    def backfill(self, tenant_id: int, backfill_id: str) -> Backfill: ...

    def backfills(self, tenant_id: int, limit: int) -> Sequence[Backfill]: ...

    def close(self, tenant_id: int, backfill_id: str, by: str, now: datetime) -> Backfill: ...

    def revert(self, tenant_id: int, backfill_id: str, by: str, now: datetime) -> Backfill: ...

    def revisions(self, tenant_id: int, asked: RevisionsAsked) -> Sequence[Revision]:
        """The newest first."""
        ...

    def steadiness(
        self, tenant_id: int, measures: Sequence[str], timezone: str, before: date
    ) -> Steadiness: ...

    def retention(self, tenant_id: int) -> Mapping[str, int]: ...

    def keep(self, tenant_id: int, days: Mapping[str, int | None]) -> Mapping[str, int]:
        """Set for how many days kinds are kept; None: for ever."""
        ...
