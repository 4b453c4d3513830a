"""When a comparison must not lead: where there are far more or far fewer paying accounts than there were."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

import psycopg

from common.catalogue.derived import Derived
from common.catalogue.models import Catalogue, Metric, Movement, SemiAdditive
from common.figures import states
from common.figures.buckets import Bucket, compared, state_at
from common.figures.cells import Store
from common.figures.model import Compare, Leading, Number, Query
from common.figures.named_segments import PREFIX
from common.figures.parts import parts_of
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

    def leading(self, metrics: Sequence[Metric], aimed: Collection[str], catalogue: Catalogue) -> Leading:
        """`aimed`: the metrics that have a target for what is asked."""
        now, then = sum(self.now.values()), sum(self.then.values())
        if self.leads:
            return Leading(True, None, now, then, {})
        instead = {metric.name: _instead(metric, aimed, catalogue) for metric in metrics}
        return Leading(False, _reason(now, then, instead), now, then, instead)

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


def targeted(
    conn: psycopg.Connection[Any],
    tenant_id: int,
    catalogue: Catalogue,
    metrics: Sequence[Metric],
    asked: Query,
    first: dt.date,
) -> set[str]:
    """The metrics with a target of just the accounts that are asked for, in the definitions or imported, that isn't over on day `first`."""
    if (slice_ := _slice(asked)) is None:
        return set()
    names = [metric.name for metric in metrics]
    stated = {
        name
        for name in names
        for aim in catalogue.benchmarks_of(name)
        if aim.kind == "target" and (aim.segment or _ALL) == slice_ and (aim.by is None or aim.by >= first)
    }
    of_them = [catalogue.metrics[name] for name in names]
    params = {
        "tenant": tenant_id,
        "metrics": names,
        "units": [metric.unit for metric in of_them],
        "money": [metric.is_money for metric in of_them],
        "currency": catalogue.settings.currency,
        "slice": slice_,
        "first": first,
    }
    return stated | {str(name) for (name,) in conn.execute(_TARGETS, params).fetchall()}


def grows(metric: Metric, catalogue: Catalogue) -> bool:
    """Whether it is an amount that adds up over accounts, so that there is more of it where there are more of them.

    Ratios, means and scores are per account already, and the number of accounts that pay is what the comparison shows.
    """
    if isinstance(metric.formula, Derived):
        return metric.formula.arithmetic.is_sum and all(
            grows(part, catalogue) for part in parts_of(metric.formula, catalogue)
        )
    if isinstance(metric.formula, SemiAdditive) and metric.formula.sum == "accounts":
        return False
    summed = metric.rollup in ("sum", "last") or isinstance(metric.formula, Movement)
    return summed and metric.unit not in _OF_EACH


_OF_EACH = ("ratio", "points", "score")
_ALL = ""  # the slice of targets of all accounts
# What was stated in another unit or currency than the metric has now says nothing of it.
_TARGETS = """
select distinct newest.metric from (
  select distinct on (metric, due) metric, value, low, high, unit, currency from control.target
  where tenant_id = %(tenant)s and metric = any(%(metrics)s) and slice = %(slice)s and (due is null or due >= %(first)s)
  order by metric, due, id desc
) as newest join unnest(%(metrics)s::text[], %(units)s::text[], %(money)s::bool[]) as now(metric, unit, money) using (metric)
where (value is not null or low is not null or high is not null)
  and coalesce(newest.unit, now.unit) = now.unit and (not money or coalesce(newest.currency, %(currency)s) = %(currency)s)"""


def _slice(asked: Query) -> str | None:
    """The segment that the question is about, as targets name it; None where no target can be of these accounts."""
    if asked.accounts is not None or len(asked.filter) > 1:
        return None
    for dimension, values in asked.filter.items():
        if dimension.startswith(PREFIX):
            return dimension.removeprefix(PREFIX) if values == (True,) else None
        only = values[0] if dimension == "segment" and len(values) == 1 else None
        return only if isinstance(only, str) else None
    return _ALL


def _instead(metric: Metric, aimed: Collection[str], catalogue: Catalogue) -> str | None:
    """A target says where to; without one the figure per account takes out how many they are."""
    if metric.name in aimed:
        return "target"
    return "per_account" if grows(metric, catalogue) else None


def _reason(now: int, then: int, instead: Mapping[str, str | None]) -> str:
    change = f" ({(now - then) / then:+.0%})" if then else ""
    most = MOST_CHANGE.numerator * 100 // MOST_CHANGE.denominator
    said = (
        f"Paying accounts went from {then} to {now}{change}, by {most} % or more: "
        "the comparison shows that there are more or fewer of them."
    )
    if any(instead.values()):
        said += " Lead with the target or with the figure per account."
    if nothing := [name for name, what in instead.items() if what is None]:
        said += f" Nothing leads for {', '.join(nothing)}: not an amount that can be told per account, and without a target."
    return said
