"""What revisions of facts have in common: one transaction, and which days of a row may be told."""

from dataclasses import dataclass
from decimal import Decimal

from kpi_engine.domain.buckets import LocalTime
from kpi_engine.domain.moved import Moved
from kpi_engine.domain.revisions import complete_before
from kpi_engine.ports.connection import Connection


@dataclass(frozen=True, slots=True)
class Revised:
    """From `day` on, until before `until`: the tenant's figure on the first day. `part`: whose it is within the measure, such as a
    currency or a step. `accounts`: whose events moved it."""

    measure_id: int
    part: str | None
    day: int
    until: int
    before: Decimal
    after: Decimal
    complete: bool
    accounts: frozenset[int]


@dataclass(frozen=True, slots=True)
class Revising:
    """One transaction. `everything`: days that were not complete are told too."""

    conn: Connection
    tenant_id: int
    moved: Moved
    as_of_us: int
    everything: bool

    @property
    def local(self) -> LocalTime:
        return self.moved.plan.local

    def open_from(self, row: str) -> int:
        """The first day that is not complete; without a metric that reads the row no day is."""
        wait = self.moved.plan.settling.seconds.get(row)
        return -(1 << 31) if wait is None else complete_before(self.local, self.as_of_us, wait)
