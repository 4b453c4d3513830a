"""Many small changes to measures, put together so that each stored cell is touched once.

A *cell* is one value of one measure of one account in one bucket. Adding is order-free: integers only.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from kpi_engine.domain.ordering import order_by, starts

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rows:
    """Cells in the order of (measure, owner, bucket), each once, none of them 0."""

    measures: Int64s
    owners: Int64s
    buckets: Int64s
    values: Int64s

    def __len__(self) -> int:
        return len(self.values)


@dataclass(slots=True)
class Cells:
    """Changes of one kind of bucket (instants or days). `owner` is an account, or a partition for totals."""

    # What was put together already comes first: it is sorted once and asked for several times.
    _parts: list[Rows] = field(default_factory=list)
    _together: bool = True

    def __len__(self) -> int:
        """How many changes lie here; those of one cell are one once they were put together."""
        return sum(map(len, self._parts))

    def add(self, measure: int, owners: Int64s, buckets: Int64s, values: Int64s) -> None:
        if len(values):
            self._parts.append(Rows(np.full(len(values), measure, np.int64), owners, buckets, values))
            self._together = False

    def add_one(self, measure: int, owner: int, bucket: int, value: int) -> None:
        self.add(measure, *(np.array([item], np.int64) for item in (owner, bucket, value)))

    def merge(self, other: "Cells") -> None:
        self._parts.append(other.rows())
        self._together = False

    def rows(self) -> Rows:
        if not self._together:
            names = ("measures", "owners", "buckets", "values")
            columns = [np.concatenate([getattr(part, name) for part in self._parts]) for name in names]
            self._parts.clear()
            self._parts, self._together = [combined(columns)], True
        if not self._parts:
            nothing = np.zeros(0, np.int64)
            return Rows(nothing, nothing, nothing, nothing)
        return self._parts[0]


def combined(columns: list[Int64s]) -> Rows:
    """The cells of these columns, as those of Rows. The list is used up: half a million changes in one batch are not to lie in memory twice."""
    order = order_by(*columns[:3])
    for number, column in enumerate(columns):
        columns[number] = column[order]
    measures, owners, buckets, values = columns
    columns.clear()
    first = np.flatnonzero(starts(measures, owners, buckets))
    sums = np.add.reduceat(values, first) if len(first) else values
    kept = sums != 0
    first = first[kept]
    return Rows(measures[first], owners[first], buckets[first], sums[kept])


@dataclass(slots=True)
class BigCells:
    """The same for sums, whose values are Python integers and never overflow."""

    values: dict[tuple[int, int, int], int] = field(default_factory=dict)

    def add(self, measure: int, owner: int, bucket: int, value: int) -> None:
        key = (measure, owner, bucket)
        self.values[key] = self.values.get(key, 0) + value

    def merge(self, other: "BigCells") -> None:
        for row in other.rows():
            self.add(*row)

    def rows(self) -> Iterator[tuple[int, int, int, int]]:
        return ((*key, value) for key, value in sorted(self.values.items()) if value)
