"""Figures on sample days from daily sums: windows of N days, and running sums of deltas. Pure integer arithmetic."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from common.figures.cells import DailySums
from common.figures.slices import GroupKey


@dataclass(frozen=True, slots=True)
class Window:
    """On a day D: the days (D - offset - days, D - offset]; all days up to D where `days` is None (deltas)."""

    days: int | None = None
    offset: int = 0

    def since(self, first_sample: dt.date) -> dt.date | None:
        """The first day that any sample needs; None when that is the beginning."""
        if self.days is None:
            return None
        return first_sample - dt.timedelta(days=self.offset + self.days - 1)

    def bounds(self, sample: dt.date) -> tuple[dt.date, dt.date]:
        """First and last day, both inclusive, that count on `sample`."""
        last = sample - dt.timedelta(days=self.offset)
        return (dt.date.min if self.days is None else last - dt.timedelta(days=self.days - 1), last)

    def positions(self, day: dt.date, samples: Sequence[dt.date]) -> tuple[int, int]:
        """The half-open range of sample positions on which `day` counts."""
        first = day + dt.timedelta(days=self.offset)
        if self.days is None:
            return bisect_left(samples, first), len(samples)
        return bisect_left(samples, first), bisect_left(samples, first + dt.timedelta(days=self.days))


def on_samples(sums: DailySums, samples: Sequence[dt.date], window: Window) -> dict[GroupKey, list[int]]:
    """Per group the value at each sample. `samples` are distinct and in order. Groups without rows are absent."""
    values = {group: _settled(days, samples, window) for group, days in sums.settled.items()}
    steps: dict[GroupKey, list[int]] = {}
    for moved in sums.moved:
        start, end = window.positions(moved.day, samples)
        start, end = max(start, moved.lo), min(end, moved.hi)
        if start < end:
            step = steps.setdefault(moved.group, [0] * (len(samples) + 1))
            step[start] += moved.value
            step[end] -= moved.value
    for group, deltas in steps.items():
        before = values.get(group, [0] * len(samples))
        values[group] = [one + other for one, other in zip(before, accumulate(deltas[:-1]), strict=True)]
    return values


def _settled(sums: Mapping[dt.date, int], samples: Sequence[dt.date], window: Window) -> list[int]:
    days = sorted(sums)
    running = [0, *accumulate(sums[day] for day in days)]
    found = []
    for sample in samples:
        first, last = window.bounds(sample)
        found.append(running[bisect_right(days, last)] - running[bisect_left(days, first)])
    return found
