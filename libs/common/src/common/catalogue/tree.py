"""From mission to drivers: goals that begin with a verb, the KPIs that show them, and what is believed to move those."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from common.catalogue.base import Model, Name


class Kpi(Model):
    """A metric that shows whether its goal is reached. `beside`: figures read with it, such as its 90 % quantile."""

    metric: Name
    beside: tuple[Name, ...] = ()


class Goal(Model):
    """`label` begins with a verb that customers would feel: keep, help, win, and not build, launch or release."""

    name: Name
    label: str = Field(min_length=1)
    serves: Name | None = None
    """The goal above it; none: it serves the mission."""
    kpis: tuple[Kpi, ...] = ()


class Tree(Model):
    """What all goals serve. A metric has one place under them; drivers hang under KPIs by the edges of `drivers/`."""

    mission: str = Field(min_length=1)


class Driver(Model):
    """An edge: the metric `driver` is believed to move the metric `moves`, which is a KPI or itself a driver."""

    name: Name
    driver: Name
    moves: Name
    effect: Literal["raises", "lowers"]
    """What a higher figure of the driver is believed to do to what it moves."""
    lag_days: int = Field(ge=0, le=1096)
    """About how long that takes: from a change of the driver to one of what it moves."""
    why: str = Field(min_length=1)
    owner: str = Field(min_length=1)
    team: str = Field(min_length=1)
    """The team whose daily work it is."""
    control: Literal["own", "shared", "other"]
    """Whether that team decides it: alone, with others, or others do."""
    evidence: Literal["direct", "assumed"] = "assumed"
    """`direct`: the edge was seen to hold in the company's own figures."""
