"""What was imported: reports, targets, and what an industry reaches."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One import. `state`: running, ended, or interrupted: it ended without a last word, so not everything was sent or kept."""

    id: str
    kind: str
    file: str
    started_at: datetime
    ended_at: datetime | None
    state: str
    imported_by: str
    dry_run: bool
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class ReportLine:
    """`line` is of the file, `number` of the report."""

    number: int
    finding: str
    line: int | None
    subject: str | None
    person: str | None
    field: str | None
    old: Any
    new: Any
    reason: str | None


@dataclass(frozen=True, slots=True)
class AimRow:
    """A target (`at`: due by) or a range of an industry (`at`: day of the study), as it was stated last.

    `unit`: what its numbers count, unknown of those that were stated long ago; `currency` of money.
    """

    segment: str | None
    at: date | None
    value: Decimal | None
    low: Decimal | None
    high: Decimal | None
    set_by: str
    why: str | None
    source: str | None
    set_at: datetime
    unit: str | None
    currency: str | None


class ImportReader(Protocol):
    """Bound to one tenant. Raises Unavailable when the database doesn't answer."""

    def page(self, tenant_id: int, limit: int, after: tuple[datetime, str] | None) -> Sequence[ImportRow]:
        """Return up to `limit` imports, newest first, after (started_at, id)."""
        ...

    def one(self, tenant_id: int, import_id: str) -> ImportRow:
        """Return an import; raises NotFound."""
        ...

    def lines(
        self, tenant_id: int, import_id: str, findings: Sequence[str], limit: int, after: int
    ) -> Sequence[ReportLine]:
        """Return up to `limit` lines in their order, of these findings or of all, after a number."""
        ...

    def targets(self, tenant_id: int, metric: str) -> Sequence[AimRow]:
        """Return the targets that stand: of each segment and day the last one stated, unless it was withdrawn."""
        ...

    def ranges(self, tenant_id: int, metric: str) -> Sequence[AimRow]:
        """Return the ranges of the industry that stand."""
        ...
