"""What facts that are no cells moved: recurring revenue, steps of cases, answers and last values that came late. Told as revisions."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise

import numpy as np

from common.contracts.instants import microseconds
from common.figures.mrr import Step
from kpi_engine.domain.answers_moved import AnswersMoved
from kpi_engine.domain.buckets import LocalTime
from kpi_engine.domain.firsts_moved import FirstsMoved
from kpi_engine.domain.lasts_moved import LastsMoved
from kpi_engine.domain.plan import Plan
from kpi_engine.domain.steps_moved import StepsMoved

Functions = Mapping[str, Sequence[Step]]
"""An account's recurring revenue by currency."""


@dataclass(frozen=True, slots=True)
class Worth:
    """From `day` on, until before `until`, the MRR at the end of each local day is greater by `change`."""

    currency: str
    day: int
    until: int
    change: Decimal


@dataclass(slots=True)
class FactsMoved:
    """`everything`: what is of the day on which it arrived too, and came in time.

    `payers`: accounts and from when on their recurring revenue is another one, in microseconds. `earned`: some of it was known before.
    """

    everything: bool = False
    steps: StepsMoved = field(default_factory=StepsMoved)
    payers: dict[int, int] = field(default_factory=dict)
    earned: bool = False
    worth: dict[tuple[str, int], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    firsts: FirstsMoved = field(default_factory=FirstsMoved)
    answers: AnswersMoved = field(default_factory=AnswersMoved)
    lasts: LastsMoved = field(default_factory=LastsMoved)

    def replaced(self, account_id: int, old: Functions, new: Functions) -> None:
        """An account's recurring revenue is another function now."""
        self.earned |= any(old.values())
        changes: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
        for functions, sign in ((old, -1), (new, 1)):
            for currency, its in functions.items():
                for at, delta in its:
                    changes[currency, microseconds(at)] += sign * delta
        since = min((at for (_, at), change in changes.items() if change), default=None)
        if since is not None:
            self._moved_worth({account_id: since}, changes)

    def merge(self, other: "FactsMoved") -> None:
        self.steps.merge(other.steps)
        self.earned |= other.earned
        self._moved_worth(other.payers, other.worth)
        self.firsts.merge(other.firsts)
        self.answers.merge(other.answers)
        self.lasts.merge(other.lasts)

    def _moved_worth(self, payers: Mapping[int, int], changes: Mapping[tuple[str, int], Decimal]) -> None:
        for account_id, at in payers.items():
            self.payers[account_id] = min(at, self.payers.get(account_id, at))
        for key, change in changes.items():
            self.worth[key] += change

    def first_day(self, plan: Plan) -> int | None:
        """The first local day from which on anything may have moved; None where nothing did."""
        instants = [*self.payers.values(), self.firsts.earliest_us]
        at = min((at for at in instants if at is not None), default=None)
        found = [
            None if at is None else int(plan.local.days(np.array([at], np.int64))[0]),
            self.steps.first_day(plan),
            self.answers.first_day,
            self.lasts.first_day,
        ]
        return min((day for day in found if day is not None), default=None)

    def worths(self, local: LocalTime, last_day: int) -> Iterator[Worth]:
        """Stretches of days with one change, up to and with `last_day`: the future is no figure yet."""
        by_currency: dict[str, dict[int, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        moved = [(currency, at, change) for (currency, at), change in self.worth.items() if change]
        days = local.days(np.array([at for _, at, _ in moved], np.int64)).tolist() if moved else []
        for (currency, _, change), day in zip(moved, days, strict=True):
            by_currency[currency][day] += change
        for currency, changes in sorted(by_currency.items()):
            edges = sorted(day for day in changes if day <= last_day)
            total = Decimal(0)
            for day, until in pairwise([*edges, last_day + 1]):
                total += changes[day]
                if total:
                    yield Worth(currency, day, until, total)
