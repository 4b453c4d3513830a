"""How cases live and whom they wake: `alerting.yaml`. What the file doesn't say is left as it was before there was one."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from common.catalogue.base import Model, Name

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
TimeOfDay = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
"""By the wall clock, such as `08:30`."""
Share = Annotated[Decimal, Field(ge=0, le=1)]


class Paging(Model):
    """A case is told at once only where this much money is at risk and its notice deadline is this near, or by a rule that is `hard`."""

    above: Decimal = Field(ge=0)
    """Money at risk a year, in the currency of the settings."""
    within_days: int = Field(ge=0, le=3660)


class AssumedProbability(Model):
    """What counts as the probability of a loss, by the rule's severity, where no renewal risk is known."""

    critical: Share = Decimal("0.5")
    warning: Share = Decimal("0.25")
    info: Share = Decimal("0.1")


class Flapping(Model):
    """A rule that begins to fire `turns` times on one account within so many hours is kept firing until it was quiet that long."""

    turns: int = Field(ge=2, le=100)
    within_hours: int = Field(ge=1, le=24 * 90)


class Storm(Model):
    """Beyond so many cases told within so many minutes people get one summary instead."""

    cases: int = Field(ge=1, le=100_000)
    within_minutes: int = Field(ge=1, le=1440)


class MuteTime(Model):
    """A weekly window, by the tenant's wall clock, in which nothing is told; what still holds is told at its end."""

    name: Name
    weekdays: tuple[Weekday, ...] = Field(min_length=1)
    """Those on which it begins."""
    begins: TimeOfDay
    ends: TimeOfDay
    """At or before `begins`: on the next day."""
    hard_too: bool = False
    """Whether hard events wait as well."""


class Heartbeat(Model):
    """A notice every so often while all is well: its absence is what pages, from outside."""

    receiver: Name
    every_minutes: int = Field(ge=1, le=1440)


class Alerting(Model):
    page: Paging | None = None
    """None: every case of the risk queue is told at once."""
    assumed_probability: AssumedProbability = AssumedProbability()
    digest_at: TimeOfDay | None = None
    """When owners get their morning's digest, each in their own zone; none: nobody does."""
    acknowledged_for_days: int | None = Field(default=None, ge=1, le=365)
    """An acknowledged case that nobody touches for so long is open again; none: never."""
    closes_after_healthy_days: int = Field(default=0, ge=0, le=60)
    """Working days that a case nobody acknowledged stays open after it recovered."""
    not_real_days: int = Field(default=0, ge=0, le=730)
    """How long a rule that was judged not real opens nothing on that account, unless it gets materially worse."""
    flapping: Flapping | None = None
    storm: Storm | None = None
    mute_times: tuple[MuteTime, ...] = ()
    heartbeat: Heartbeat | None = None


class PlaybookStep(Model):
    """What is to be done about a case, by whom and until when."""

    label: str = Field(min_length=1, max_length=300)
    owner_role: str = Field(default="owner", pattern=r"^[a-z][a-z0-9_]{0,62}$")
    """The account's trait that names who does it."""
    due_days: int = Field(ge=0, le=365)
    """Working days after it was set; 0: the same day."""
