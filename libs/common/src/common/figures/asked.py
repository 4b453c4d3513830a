"""What a formula is asked: one metric, the buckets, and where cases count."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from common.catalogue.models import Catalogue, Measure, Metric
from common.figures.buckets import Bucket, sample_day
from common.figures.cells import Store
from common.figures.instants import micros
from common.figures.model import Value
from common.figures.placing import Placing
from common.figures.slices import GroupKey

ByBucket = dict[GroupKey, dict[int, Value]]
"""Per group the values by the bucket's position."""


@dataclass(frozen=True)
class Asked:
    """One metric of these formulas over buckets in order; gaps are allowed."""

    store: Store
    catalogue: Catalogue
    metric: Metric
    buckets: Sequence[Bucket]
    now: dt.datetime

    @property
    def placing(self) -> Placing:
        return Placing(self.store)

    @property
    def span(self) -> tuple[dt.datetime, dt.datetime]:
        return self.buckets[0].start, min(self.now, self.buckets[-1].end)

    def samples(self) -> tuple[list[dt.date], dict[int, int]]:
        """The distinct sample days, and for each bucket that has one its position among them."""
        return self._samples

    @cached_property
    def _samples(self) -> tuple[list[dt.date], dict[int, int]]:
        calendar = self.store.calendar
        days = {i: sample_day(calendar, bucket, self.now) for i, bucket in enumerate(self.buckets)}
        distinct = sorted({day for day in days.values() if day is not None})
        index = {day: position for position, day in enumerate(distinct)}
        return distinct, {i: index[day] for i, day in days.items() if day is not None}

    def measure(self, name: str) -> Measure:
        return self.catalogue.measures[name]

    def bucket_of(self, at: dt.datetime) -> int | None:
        """The position of the bucket that holds an instant."""
        return self.bucket_at(micros(at))

    def bucket_at(self, at_us: int) -> int | None:
        starts, ends = self.edges
        position = bisect_right(starts, at_us) - 1
        return position if position >= 0 and at_us < ends[position] else None

    @cached_property
    def edges(self) -> tuple[list[int], list[int]]:
        """Starts and ends of the buckets in microseconds."""
        return [micros(b.start) for b in self.buckets], [micros(b.end) for b in self.buckets]
