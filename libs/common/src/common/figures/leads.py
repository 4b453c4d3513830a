"""When a comparison must not lead: where there are far more or far fewer paying accounts than there were."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from common.catalogue.models import Metric
from common.figures import states
from common.figures.buckets import Bucket, compared, state_at
from common.figures.cells import Store
from common.figures.model import Compare, Leading, Number
from common.figures.slices import GroupKey

_CENT = Decimal("0.01")
MOST_CHANGE = Fraction(40, 100)
"""From this change of the number of paying accounts on, a comparison shows the growth of the company, not of the metric."""


@dataclass(frozen=True, slots=True)
class Paying:
    """Paying accounts by group, at the end of a question and at the end of what it is compared with."""

    now: Mapping[GroupKey, int] = field(default_factory=dict)
    then: Mapping[GroupKey, int] = field(default_factory=dict)

    @property
    def leads(self) -> bool:
        return leads_at(sum(self.now.values()), sum(self.then.values()))

    def leading(self, metrics: list[Metric]) -> Leading:
        now, then = sum(self.now.values()), sum(self.then.values())
        leads = self.leads
        instead = {} if leads else {metric.name: _instead(metric) for metric in metrics}
        return Leading(leads, None if leads else _reason(now, then), now, then, instead)

    def per_account(self, group: GroupKey, value: Number | None, *, now: bool) -> Number | None:
        accounts = (self.now if now else self.then).get(group, 0)
        if value is None or not accounts:
            return None
        if isinstance(value, Decimal):
            return (value / accounts).quantize(_CENT)
        return float(value) / accounts


def leads_at(now: int, then: int) -> bool:
    """Of nobody then nothing can be said, unless there is somebody now."""
    if not then:
        return not now
    return Fraction(abs(now - then), then) < MOST_CHANGE


def paying(store: Store, asked: Bucket, compare: Compare, now: dt.datetime) -> Paying:
    """`asked`: all of the question's range. Nobody where it has not begun, or has nothing to be compared with."""
    end = state_at(asked, now)
    if end is None or end <= asked.start:
        return Paying()
    so_far = Bucket(asked.label, asked.start, end)
    other = compared(store.calendar, [so_far], "total", compare)[0]
    if other is None:
        return Paying()
    instants = sorted({other.end, end})
    levels = states.mrr_levels(store, instants)
    places = instants.index(end), instants.index(other.end)
    of = [{group: int(row[place][1]) for group, row in levels.items()} for place in places]
    return Paying(*of)


def _instead(metric: Metric) -> str:
    """A target says where to; without one the figure per account takes out how many they are."""
    return "target" if any(aim.kind == "target" for aim in metric.benchmarks) else "per_account"


def _reason(now: int, then: int) -> str:
    change = f" ({(now - then) / then:+.0%})" if then else ""
    return (
        f"Paying accounts went from {then} to {now}{change}, by {MOST_CHANGE.numerator * 100 // MOST_CHANGE.denominator} % or more: "
        "the comparison shows that there are more or fewer of them. Lead with the target or with the figure per account."
    )
