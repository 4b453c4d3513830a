"""How likely a renewal is lost: where the score begins, and the reasons that move it, in points that add up."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator

from common.catalogue.base import Model, Name

Share = Annotated[float, Field(gt=0, lt=1)]
Fade = tuple[tuple[Annotated[int, Field(ge=0, le=3_660)], Annotated[float, Field(ge=0, le=1)]], ...]


class RiskSettings(Model):
    """Where a score begins: the share of past renewals of the account's segment that were lost, drawn towards the whole.

    Few renewals say little. So the tenant's own rate counts beside `prior_renewals` more, of which `prior_lost` were lost, and
    a segment's beside `segment_renewals` more, lost as in the whole.
    """

    prior_lost: Share = 0.12
    """What is assumed before the tenant has renewals of its own."""
    prior_renewals: int = Field(default=20, ge=1, le=10_000)
    segment_renewals: int = Field(default=20, ge=1, le=10_000)
    past_days: int = Field(default=1_095, ge=90, le=3_660)
    """Renewals due in so many days before today count."""
    fade: Fade = ((180, 1.0), (365, 0.5))
    """`[days, share]`, ascending by days, never rising: to what share the points of passing reasons count while a renewal must be decided in so
    many days; on straight lines between, flat outside. What is so today says less about a decision that is a year away."""
    model: Literal["when_better", "never"] = "when_better"
    """Whether an accepted hazard model judges instead of the score."""

    @field_validator("fade")
    @classmethod
    def _runs_down(cls, fade: Fade) -> Fade:
        if not fade or any(far <= near or more > less for (near, less), (far, more) in pairwise(fade)):
            raise ValueError(
                "write [days, share] with the fewest days first, and no share above the one before it"
            )
        return fade


class RiskReason(Model):
    """Something that makes losing a renewal likelier (points above 0) or less likely: 10 points double the odds, 20 make them fourfold.

    Judged by one of: `signal` with `points`, `when` with `points`, `value` with `line`. What can't be worked out, or rests on events
    that do not arrive now, is unknown: it costs what it cost when it was last known, at least `unknown_points`, and is said.
    """

    name: Name
    label: str = Field(min_length=1)
    applies_to: str | None = None
    """CEL over `a` and `r`; the reason is left out of renewals for which it isn't true."""
    signal: Name | None = None
    """Costs `points` while it is on. Stale or without data it is unknown."""
    when: str | None = None
    """CEL over `a`, the account, and `r`, the renewal; true costs `points`, false nothing."""
    points: float | None = Field(default=None, ge=-60, le=60)
    value: str | None = None
    """CEL over `a` and `r`, a number."""
    line: tuple[tuple[float, Annotated[float, Field(ge=-60, le=60)]], ...] = ()
    """`[value, points]`, ascending by value: between two the points lie on a straight line, outside they stay as at the end."""
    lasting: bool = False
    """Counts in full however far away the decision is, as all that reads `r` does. All others pass, and fade (`fade` in risk.yaml)."""
    text: str = Field(min_length=1)
    """What people read where it holds, with placeholders as in a rule's evidence; `{value}` is the value."""
    unknown_text: str = Field(min_length=1)
    unknown_points: float = Field(default=0, ge=0, le=60)
