"""What a write revised: stretches of local days on which a figure of the tenant is another one now.

Terms. A *bucket* is a local day, of what is kept by hour too. It is *complete* once its end and the metric's time to settle lie
before everything that was applied. A rolling measure is kept as deltas, so one changed delta revises a stretch of days by as
much; other measures are revised day by day.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import numpy as np

from kpi_engine.domain.buckets import LocalTime
from kpi_engine.domain.cells import combined
from kpi_engine.domain.moved import Moved

Why = Literal["late", "amendment", "deletion", "backfill", "revert", "internal"]


@dataclass(frozen=True, slots=True)
class Cause:
    """Why figures change; `seq` is the entry of the control log, None for events that came late."""

    why: Why
    seq: int | None = None

    @property
    def tells_all(self) -> bool:
        """What people decided is told whether or not the bucket was complete."""
        return self.seq is not None


LATE = Cause("late")


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `day` on, until before `until`, a measure's figure is greater by `change`. `rolling`: kept as deltas."""

    measure_id: int
    day: int
    until: int
    change: int
    rolling: bool


def stretches(moved: Moved) -> list[Stretch]:
    """What was added to or taken from the tenant's figures, all accounts together."""
    by_day = _by_day(moved)
    rolling = {moved.ids[name] for name in moved.plan.settling.rolling if name in moved.ids}
    found: list[Stretch] = []
    for measure_id, changes in sorted(by_day.items()):
        if measure_id in rolling:
            found += _summed(measure_id, changes)
        else:
            found += [
                Stretch(measure_id, day, day + 1, change, rolling=False)
                for day, change in sorted(changes.items())
                if change
            ]
    return found


def _summed(measure_id: int, deltas: Mapping[int, int]) -> Iterable[Stretch]:
    """Days between two deltas change by the sum of all before them."""
    days = sorted(deltas)
    total = 0
    for day, following in zip(days, [*days[1:], days[-1] + 1], strict=True):
        total += deltas[day]
        if total:
            yield Stretch(measure_id, day, following, total, rolling=True)


def _by_day(moved: Moved) -> dict[int, dict[int, int]]:
    """Changes of all accounts together, by measure and local day."""
    found: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    rows = moved.changes.days.rows()
    sums = combined([rows.measures, np.zeros(len(rows), np.int64), rows.buckets, rows.values])
    columns = (sums.measures.tolist(), sums.buckets.tolist(), sums.values.tolist())
    for measure_id, day, change in zip(*columns, strict=True):
        found[measure_id][day] += change
    for measure_id, _, day, value in moved.changes.big_days.rows():
        found[measure_id][day] += value
    return found


def accounts_of(moved: Moved, told: Iterable[Stretch]) -> dict[int, frozenset[int]]:
    """Of each measure that is told, the accounts whose cells of it moved, on the last day that is told or before."""
    untils: dict[int, int] = {}
    for stretch in told:
        untils[stretch.measure_id] = max(stretch.until, untils.get(stretch.measure_id, stretch.until))
    rows, big = moved.changes.days.rows(), list(moved.changes.big_days.rows())
    found: dict[int, frozenset[int]] = {}
    for measure_id, until in untils.items():
        owners = rows.owners[(rows.measures == measure_id) & (rows.buckets < until)]
        of_sums = (owner for measure, owner, day, _ in big if measure == measure_id and day < until)
        found[measure_id] = frozenset(np.unique(owners).tolist()).union(of_sums)
    return found


def complete_before(local: LocalTime, as_of_us: int, wait: timedelta) -> int:
    """The first local day that is not complete as of an instant."""
    settled = as_of_us - microseconds_of(wait)
    return int(local.days(np.array([settled], np.int64))[0])


def microseconds_of(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
