"""What stands for every account just before an instant, found for all of them at once. Whole numbers, exact at any size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]
Numbers = npt.NDArray[Any]
"""int64, or Python's own integers where sums of them might not fit."""

G = TypeVar("G")
Booleans = npt.NDArray[np.bool_]

_FITS = 2**60


def numbers(some: Sequence[int], times: int = 1) -> Numbers:
    """Numbers of which every sum, and difference of two sums, is exact, also when each is multiplied by up to `times`."""
    return np.array(some, np.int64 if sum(map(abs, some)) * times < _FITS else object)


@dataclass(frozen=True, slots=True)
class Steps:
    """Rows in the order of (place, instant): from then on `values` stands at the place. `first` is each place's first row."""

    at_us: Int64s
    values: Numbers
    places: Int64s
    first: Int64s

    @staticmethod
    def of(places: Int64s, at_us: Int64s, values: Numbers) -> Steps:
        own, first = np.unique(places, return_index=True)
        return Steps(at_us, values, own, first.astype(np.int64))

    @staticmethod
    def running(places: Int64s, at_us: Int64s, deltas: Numbers) -> Steps:
        """Of what is added at each row."""
        made = Steps.of(places, at_us, np.cumsum(deltas))
        if not len(places):
            return made
        before = np.concatenate(([0 * deltas[0]], made.values[:-1]))[made.first]
        rows = np.diff(np.append(made.first, len(places)))
        return Steps(at_us, made.values - np.repeat(before, rows), made.places, made.first)

    def before(self, at_us: int, nothing: Numbers) -> Numbers:
        """By place what was said last strictly before an instant; `nothing` where that is nothing."""
        found = nothing.astype(np.promote_types(nothing.dtype, self.values.dtype))
        if len(self.places):
            told = np.add.reduceat((self.at_us < at_us).astype(np.int64), self.first)
            known = told > 0
            found[self.places[known]] = self.values[(self.first + told - 1)[known]]
        return found


@dataclass(frozen=True, slots=True)
class Groups(Generic[G]):
    """For each of some accounts the number of its group among `keys`, -1 where it is in none."""

    keys: Sequence[G]
    numbers: Int64s

    def parted(self, codes: Int64s) -> Groups[tuple[G, int]]:
        """Each group by the codes of its accounts."""
        wanted = self.numbers >= 0
        least = int(codes.min(initial=0))
        width = int(codes.max(initial=0)) - least + 1
        there, place = np.unique(self.numbers[wanted] * width + codes[wanted] - least, return_inverse=True)
        found = np.full(len(self.numbers), -1, np.int64)
        found[wanted] = place
        return Groups([(self.keys[pair // width], pair % width + least) for pair in there.tolist()], found)

    def sums(self, *columns: Numbers) -> Iterator[tuple[G, list[int]]]:
        """Of every group that has an account the sums of its accounts' numbers, column by column."""
        wanted = self.numbers >= 0
        own = self.numbers[wanted]
        totals = [_totals(column[wanted], own, len(self.keys)) for column in columns]
        for number in np.flatnonzero(np.bincount(own)).tolist():
            yield self.keys[number], [int(total[number]) for total in totals]


def _totals(column: Numbers, groups: Int64s, size: int) -> Numbers:
    whole = column.astype(np.int64) if column.dtype == np.bool_ else column
    if size == 1:
        return np.array([whole.sum()], whole.dtype)
    found = np.zeros(size, whole.dtype)
    np.add.at(found, groups, whole)
    return found


class PerAccount(Mapping[int, Sequence[int]]):
    """Per account its value at every sample; accounts without rows are absent."""

    def __init__(self, ids: Int64s, values: Numbers) -> None:
        self.ids, self.matrix = ids, values
        self._rows: dict[int, Sequence[int]] | None = None

    @staticmethod
    def of(rows: Iterable[tuple[int, int, int | None, int]], samples: int) -> PerAccount:
        """From (account, first sample that it counts at, first that it doesn't any more, value)."""
        found = list(rows)
        ids, places = np.unique(np.array([row[0] for row in found], np.int64), return_inverse=True)
        values = numbers([row[3] for row in found])
        steps = np.zeros((len(ids), samples + 1), values.dtype)
        np.add.at(steps, (places, np.array([row[1] for row in found], np.int64)), values)
        until = np.array([samples if row[2] is None else row[2] for row in found], np.int64)
        np.subtract.at(steps, (places, until), values)
        return PerAccount(ids, np.cumsum(steps[:, :-1], axis=1))

    def __getitem__(self, account_id: int) -> Sequence[int]:
        return self._by_id[account_id]

    def __iter__(self) -> Iterator[int]:
        return iter(self._by_id)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def _by_id(self) -> Mapping[int, Sequence[int]]:
        if self._rows is None:
            self._rows = dict(zip(self.ids.tolist(), self.matrix.tolist(), strict=True))
        return self._rows
