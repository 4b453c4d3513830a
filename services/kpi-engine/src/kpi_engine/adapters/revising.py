"""What revisions of facts have in common: one transaction, and which days of a row may be told."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from kpi_engine.domain.buckets import LocalTime, day_of_number
from kpi_engine.domain.moved import Moved
from kpi_engine.domain.revisions import complete_before
from kpi_engine.domain.steps import Kind
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

    def days_of_step(
        self,
        kind: Kind,
        changes: Mapping[int, int],
        accounts: frozenset[int],
        statements: tuple[str, str],
        parameters: Mapping[str, object],
        *,
        begun: bool,
    ) -> Iterator[Revised]:
        """Days of which the number that took a step is another one. `statements`: how many take it between `firsts` and `lasts`, and
        whether more are stored than came; `begun`: that this is so is known."""
        row = f"{kind[0]}_steps"
        open_from = self.open_from(row)
        told = {
            day: change
            for day, change in sorted(changes.items())
            if change and (self.everything or day < open_from)
        }
        if not told:
            return
        between, more_than = statements
        known = begun or self.conn.execute(more_than, parameters).fetchone() == (True,)
        spans = {
            "firsts": [self.local.start_of(day_of_number(day)) for day in told],
            "lasts": [self.local.start_of(day_of_number(day + 1)) for day in told],
        }
        counts = self.conn.execute(between, {**parameters, **spans})
        for (day, change), (after,) in zip(told.items(), counts, strict=True):
            complete, before = day < open_from and known, Decimal(after - change)
            yield Revised(
                self.moved.ids[row], kind[1], day, day + 1, before, Decimal(after), complete, accounts
            )
