"""Counts and sums of a batch, grouped per account and bucket."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import compress

import numpy as np
import numpy.typing as npt

from kpi_engine.domain.batch import TenantBatch
from kpi_engine.domain.cells import BigCells, Cells
from kpi_engine.domain.plan import Counted, Plan
from kpi_engine.domain.reading import Reading

Int64s = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

# Counting into a table beats sorting while the table is not much larger than what is counted.
_SPARSE = 8
# Sums below this are added as machine integers: hundreds of them together do not overflow either.
_SMALL = 2**54


@dataclass(frozen=True, slots=True)
class Grouping:
    """A batch's accounts and buckets, numbered densely in ascending order."""

    accounts: Int64s
    account_of: Int64s
    hours: Int64s
    hour_of: Int64s
    days: Int64s
    day_of: Int64s


@dataclass(slots=True)
class Changes:
    """What is to be added to the stored measures. What is kept by hour is kept by day, too."""

    hours: Cells = field(default_factory=Cells)
    days: Cells = field(default_factory=Cells)
    big_hours: BigCells = field(default_factory=BigCells)
    big_days: BigCells = field(default_factory=BigCells)

    def merge(self, other: "Changes") -> None:
        self.hours.merge(other.hours)
        self.days.merge(other.days)
        self.big_hours.merge(other.big_hours)
        self.big_days.merge(other.big_days)


def grouping_of(batch: TenantBatch, plan: Plan) -> Grouping:
    accounts, account_of = _dense(batch.account_ids)
    hours, hour_of = _dense(plan.local.hours(batch.event_at_us))
    days, day_of = _dense(plan.local.days(batch.event_at_us))
    return Grouping(accounts, account_of, hours, hour_of, days, day_of)


def _dense(values: Int64s) -> tuple[Int64s, Int64s]:
    """Distinct values in ascending order, and which of them each is. Where they lie near each other a table is quicker than sorting."""
    if not len(values):
        return values, values
    least = int(values.min())
    size = int(values.max()) - least + 1
    if size > _SPARSE * len(values):
        unique, inverse = np.unique(values, return_inverse=True)
        return unique, inverse
    at = values - least
    present = np.zeros(size, np.bool_)
    present[at] = True
    return np.flatnonzero(present) + least, (np.cumsum(present) - 1)[at]


def add_counted(
    changes: Changes,
    reading: Reading,
    grouping: Grouping,
    measure: Counted,
    measure_id: int,
    left_out: Booleans,
    sign: int = 1,
) -> None:
    """Adds one count or sum over its selected events that aren't `left_out`, times `sign`."""
    indices = reading.selected[measure.name]
    indices = indices[~left_out[indices]]
    if measure.path is None:
        _add_count(changes, grouping, measure, measure_id, indices, sign)
    else:
        _add_sum(changes, grouping, measure, measure_id, reading.numbers[measure.name], left_out, sign)


def _add_count(
    changes: Changes, grouping: Grouping, measure: Counted, measure_id: int, indices: Int64s, sign: int
) -> None:
    kept = [(grouping.days, grouping.day_of, changes.days)]
    if measure.hourly:
        kept.append((grouping.hours, grouping.hour_of, changes.hours))
    for buckets, of, cells in kept:
        keys = grouping.account_of[indices] * len(buckets) + of[indices]
        unique, counts = counted(keys, len(grouping.accounts) * len(buckets))
        accounts, at = np.divmod(unique, len(buckets))
        cells.add(measure_id, grouping.accounts[accounts], buckets[at], sign * counts)


def _add_sum(
    changes: Changes,
    grouping: Grouping,
    measure: Counted,
    measure_id: int,
    numbers: Mapping[int, int],
    left_out: Booleans,
    sign: int,
) -> None:
    indices = np.fromiter(numbers, np.int64, len(numbers))
    kept = ~left_out[indices]
    indices = indices[kept]
    stored = [(grouping.days[grouping.day_of[indices]], changes.days, changes.big_days)]
    if measure.hourly:
        stored.append((grouping.hours[grouping.hour_of[indices]], changes.hours, changes.big_hours))
    accounts = grouping.accounts[grouping.account_of[indices]]
    if max(map(abs, numbers.values()), default=0) * len(numbers) < _SMALL:
        values = sign * np.fromiter(numbers.values(), np.int64, len(numbers))[kept]
        for buckets, small, _ in stored:
            small.add(measure_id, accounts, buckets, values)
        return
    chosen = [sign * number for number in compress(numbers.values(), kept.tolist())]
    for buckets, _, big in stored:
        for account, bucket, number in zip(accounts.tolist(), buckets.tolist(), chosen, strict=True):
            big.add(measure_id, account, bucket, number)


def counted(keys: Int64s, size: int) -> tuple[Int64s, Int64s]:
    """Distinct keys in ascending order, and how often each occurs. Keys are in [0, size)."""
    if size > _SPARSE * len(keys) + 1024:
        unique, counts = np.unique(keys, return_counts=True)
        return unique, counts.astype(np.int64)
    table = np.bincount(keys, minlength=size)
    present = np.flatnonzero(table)
    return present, table[present].astype(np.int64)
