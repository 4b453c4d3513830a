"""Which steps of cases a transaction told, took out, or lets count from now on or no more. Told as revisions."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from common.catalogue.models import Catalogue
from common.catalogue.staff import LeftOut, left_out
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.domain.buckets import EARLIEST, day_number
from kpi_engine.domain.plan import Plan
from kpi_engine.domain.steps import Kind, StepTaken

Booleans = npt.NDArray[np.bool_]


class StepMoved(NamedTuple):
    """An event that is a step. `acts_at`: when it says that it happens, where it says so."""

    measure: str
    step: str
    account_id: int
    entity: str
    at_us: int
    source: str
    event_id: str
    acts_at: datetime | None


@dataclass(slots=True)
class StepsMoved:
    """`changes`: 1 for each that counts and didn't before, -1 for each that did and doesn't now.

    `added`: how many were stored for the first time; `known`: kinds of which others were stored before.
    """

    changes: Counter[StepMoved] = field(default_factory=Counter)
    added: Counter[Kind] = field(default_factory=Counter)
    known: set[Kind] = field(default_factory=set)

    def told(
        self,
        plan: Plan,
        batch: TenantBatch,
        steps: Sequence[StepTaken],
        internal: Booleans,
        *,
        everything: bool,
    ) -> None:
        """Steps are stored: keep those that arrived on a later local day than they were taken on, and those that say when, which
        may be any day. `internal`: events of our own people."""
        if not steps:
            return
        at = np.fromiter((step.index for step in steps), np.int64, len(steps))
        late = plan.local.days(batch.event_at_us[at]) < plan.local.days(batch.ingested_at_us[at])
        own = OwnStaff(plan.catalogue)
        for step, its_late in zip(steps, late.tolist(), strict=True):
            kind = (step.measure, step.step)
            if its_late or everything or kind in plan.saying:
                self.added[kind] += 1
                if not (internal[step.index] and own.leaves_out(kind)):
                    self.changes[_moved(batch, step)] += 1

    def taken_out(self, plan: Plan, batch: TenantBatch, steps: Iterable[StepTaken]) -> None:
        """Stored steps go, under the marks of the batch."""
        own = OwnStaff(plan.catalogue)
        for step in steps:
            kind = (step.measure, step.step)
            self.known.add(kind)
            if not (batch.internal[step.index] and own.leaves_out(kind)):
                self.changes[_moved(batch, step)] -= 1

    def flipped(self, plan: Plan, stored: Iterable[StepMoved], sign: int) -> None:
        """Steps of one of our own people, who wasn't before (`sign` -1), or of somebody who is none of them any more."""
        own = OwnStaff(plan.catalogue)
        for step in stored:
            kind = (step.measure, step.step)
            if own.leaves_out(kind):
                self.known.add(kind)
                self.changes[step] += sign

    def merge(self, other: "StepsMoved") -> None:
        self.changes.update(other.changes)
        self.added.update(other.added)
        self.known |= other.known

    def first_day(self, plan: Plan) -> int | None:
        """The first local day of which a number may have changed: what an event said before may be of any day."""
        moved = self.moved()
        if moved.keys() & plan.saying:
            return day_number(EARLIEST.date())
        at = min((step.at_us for its in moved.values() for step, _ in its), default=None)
        return None if at is None else int(plan.local.days(np.array([at], np.int64))[0])

    def moved(self) -> dict[Kind, list[tuple[StepMoved, bool]]]:
        """By kind, the events that count now and didn't (True), or did and don't now."""
        found: dict[Kind, list[tuple[StepMoved, bool]]] = {}
        for step, change in self.changes.items():
            if change:
                found.setdefault((step.measure, step.step), []).append((step, change > 0))
        return found


class OwnStaff:
    """Which steps don't count when our own people take them."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._known: dict[str, LeftOut] = {}

    def leaves_out(self, kind: Kind) -> bool:
        measure, step = kind
        if measure not in self._known:
            self._known[measure] = left_out(self._catalogue.measures[measure], self._catalogue)
        return step in self._known[measure]


def _moved(batch: TenantBatch, step: StepTaken) -> StepMoved:
    index = step.index
    return StepMoved(
        step.measure,
        step.step,
        int(batch.account_ids[index]),
        step.entity,
        int(batch.event_at_us[index]),
        batch.sources[index],
        batch.ids[index],
        step.acts_at,
    )
