"""What writes moved: cells of measures, put together over the pieces of a transaction before they are stored and told as revisions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kpi_engine.domain.facts_moved import FactsMoved
from kpi_engine.domain.heard import Heard
from kpi_engine.domain.measures import Changes
from kpi_engine.domain.plan import Plan

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Moved:
    """`ids` are those of the plan's measures, by name. `facts`: None where nothing is told of them."""

    plan: Plan
    ids: Mapping[str, int]
    changes: Changes
    facts: FactsMoved | None = None


def together(moved: Sequence[Moved]) -> Moved:
    """What some writes by one plan, at least one, moved in sum: what one takes out another may bring back."""
    if len(moved) == 1:
        return moved[0]
    changes, facts = Changes(), FactsMoved()
    for one in moved:
        changes.merge(one.changes)
        facts.merge(one.facts or FactsMoved())
    return Moved(moved[-1].plan, moved[-1].ids, changes, facts)


@dataclass(slots=True)
class Heap:
    """Cells of one plan, and the partitions of the accounts whose they are."""

    moved: Moved
    _accounts: list[Int64s] = field(default_factory=list)
    _partitions: list[Int64s] = field(default_factory=list)

    def of(self, accounts: Int64s, partitions: Int64s) -> None:
        """These accounts, each with its partition, may have cells from now on."""
        self._accounts.append(accounts)
        self._partitions.append(partitions)

    def homes(self) -> tuple[Int64s, Int64s]:
        """Accounts in ascending order, each once, and their partitions."""
        accounts, first = np.unique(np.concatenate(self._accounts), return_index=True)
        return accounts, np.concatenate(self._partitions)[first]


@dataclass(slots=True)
class Pile:
    """What one tenant's events in a transaction moved: by the definitions in force, and by those that are being counted.

    `facts` are those of the definitions in force. `heard`: when accounts were heard of, by any definitions.
    """

    in_force: Heap | None = None
    pending: Heap | None = None
    facts: FactsMoved = field(default_factory=FactsMoved)
    heard: Heard = field(default_factory=Heard)

    @property
    def cell_changes(self) -> int:
        """How many lie here, before they are stored."""
        heaps = [heap.moved.changes for heap in (self.in_force, self.pending) if heap is not None]
        return sum(len(its.hours) + len(its.days) for its in heaps)
