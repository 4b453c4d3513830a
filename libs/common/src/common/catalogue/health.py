"""Health profiles: how a score of 0 to 100 is made of what is known of an account, and what may hold it down."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from common.catalogue.base import Model, Name

Points = Annotated[float, Field(ge=0, le=100)]


class HealthInput(Model):
    """One thing that makes an account healthy or not, worth `weight` of 100."""

    name: Name
    label: str = Field(min_length=1)
    weight: int = Field(ge=1, le=100)
    value: str
    """CEL over `a` and `s`, a number: `a.days_silent`, `a.active_users_28d / a.traits.seats`. Unknown figures make it unknown."""
    unit: Literal["number", "ratio"] = "number"
    """How people read the value: a ratio of 0.31 as 31 %."""
    points: tuple[tuple[float, float], ...]
    """`[value, points]`, ascending by value: between two the points lie on a straight line, outside they stay as at the end."""
    stale_when: str | None = None
    """CEL; while it holds, the value says nothing any more. It then counts as unknown and is shown as stale."""


class Band(Model):
    """Scores from `from` (inclusive) up to the next band; compared with the score as shown, rounded to one decimal."""

    name: Name
    from_: Points = Field(alias="from")
    healthy: bool = False
    """Healthy bands need enough to be known, and no grave case open."""


class Override(Model):
    """While `when` holds, the score is at most `at_most`, whatever the inputs say."""

    name: Name
    when: str
    at_most: Points
    reason: str = Field(min_length=1)


class HealthProfile(Model):
    """Accounts for which `applies_to` holds are judged by it; the first by `order`, and by the one without `applies_to` if none does.

    `missing` says what an input that is unknown or stale does: `leave_out` shares its weight among the others, `neutral` counts it
    with 50 points, `worst` with none. When inputs worth less than `least_known` are known there is no score.
    """

    name: Name
    label: str = Field(min_length=1)
    description: str = ""
    applies_to: str | None = None
    order: int = 100
    missing: Literal["leave_out", "neutral", "worst"] = "leave_out"
    least_known: int = Field(default=50, ge=1, le=100)
    bands: tuple[Band, ...]
    inputs: tuple[HealthInput, ...]
    overrides: tuple[Override, ...] = ()
