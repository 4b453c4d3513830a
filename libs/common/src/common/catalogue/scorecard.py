"""What is looked at first: the scorecard, the north star, and what figures are held against."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field

from common.catalogue.base import Model, Name


class Benchmark(Model):
    """What a metric is held against: its own past, a dated target, or the range of an industry.

    `own_history`: the values of the `months` before. `target`: a value or a range `by` a day, with who set it and why.
    `industry`: the range that `source` reports. Values are in `unit`, which must be the metric's; a ratio of 95 % is 0.95.
    """

    kind: Literal["own_history", "target", "industry"]
    months: int | None = Field(default=None, ge=1, le=120)
    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str | None = None
    by: dt.date | None = None
    set_by: str | None = None
    why: str | None = None
    source: str | None = None
    segment: Name | None = None
    """Of the accounts of that segment; none: of all."""


class MetricBenchmark(Benchmark):
    """One that stands by itself, so that a company adds targets without repeating the metric."""

    name: Name
    metric: Name


class NorthStar(Model):
    """Two figures that everybody steers by: one of volume, one of efficiency about money or kept customers."""

    volume: Name
    efficiency: Name


class Scorecard(Model):
    """The KPIs of the monthly review, in order, and the north star above them."""

    kpis: tuple[Name, ...] = Field(min_length=1)
    north_star: NorthStar
