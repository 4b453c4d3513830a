"""Signals: tested statements about one account, as data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from common.catalogue.base import Model, Name

Queue = Literal["risk", "growth"]
Probability = Annotated[float, Field(gt=0, lt=1)]


class Bound(Model):
    """What must hold of one figure. It is compared with a number or, given `times`, with that many of another figure, plus `plus`."""

    figure: Name
    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None
    times: Name | None = None
    plus: float = 0


class Level(Model):
    """A figure beyond bounds, all of which must hold. Looked at whenever the account is computed: within a second of an event."""

    type: Literal["level"]
    value: Name
    """The figure it is about."""
    baseline: Name | None = None
    """The figure that it is shown beside."""
    when: tuple[Bound, ...] = Field(min_length=1)
    since: Name | None = None
    """A figure that tells since when; without one it is when the signal was first seen on."""


class Moved(Model):
    """Counts of finished local days against the account's own days before, weekday by weekday, and against its segment.

    On when the count of the last `window_days` is off by at least the share `change` from what was to be expected, and so few (or
    many) would come about by chance with a probability of at most `unusual`. Unknown where fewer than `least_base` were expected.
    """

    type: Literal["moved"]
    measure: Name
    """A measure kept by day: a count, or distinct people, who then count once a day."""
    direction: Literal["fell", "rose"]
    window_days: Literal[7, 14, 28] = 14
    base_days: Literal[28, 56, 84] = 56
    least_base: float = Field(default=8, ge=1)
    change: float = Field(gt=0, le=10)
    unusual: Probability = 0.005
    against_segment: bool = False
    """The segment's movement, the account itself left out, excuses the account's."""
    against_country: bool = False
    """So does that of the accounts with the same trait `country`: people of a country are away together."""
    against_last_year: bool = False
    """What the account itself did in the same weeks of the year before excuses it too, where that year is known and it came back since."""

    @property
    def excused_by(self) -> tuple[str, ...]:
        """The traits: what the other accounts with the same value do excuses an account."""
        asked = {"segment": self.against_segment, "country": self.against_country}
        return tuple(trait for trait, is_asked in asked.items() if is_asked)


class Burst(Model):
    """Events of the last `window_days` local days, today's too, against the weeks before. Looked at within a second.

    On from `at_least` events, from `times` the usual number plus `plus`, and when so many would come by chance with a probability
    of at most `unusual`.
    """

    type: Literal["burst"]
    measure: Name
    window_days: Literal[7, 14, 28] = 7
    base_days: Literal[28, 56, 84] = 84
    at_least: int = Field(ge=1)
    times: float = Field(default=1, ge=1)
    plus: float = Field(default=0, ge=0)
    unusual: Probability | None = None


class Silent(Model):
    """Nobody there for more than `least_days` whole local days, and for more than `gaps` usual gaps between active days. Days on which
    nobody was to be expected don't count."""

    type: Literal["silent"]
    least_days: int = Field(default=14, ge=1, le=366)
    gaps: float = Field(default=3, ge=1)
    against_last_year: bool = False
    """A silence that was as long on the same day of last year, or a week earlier, and ended, excuses it."""


Test = Annotated[Level | Moved | Burst | Silent, Field(discriminator="type")]


class Signal(Model):
    """A statement about one account that is on, off, stale or without data."""

    name: Name
    label: str = Field(min_length=1)
    description: str = Field(min_length=1)
    queue: Queue
    """`risk` for what endangers an account, `growth` for what it might want more of."""
    test: Test
    evidence: str = Field(min_length=1)
    """What the person reads: text with `{value}`, `{baseline}` and `{figure}` placeholders."""
    stale_after_days: int | None = Field(default=None, ge=1, le=3660)
    """When the tenant's newest data of a kind that it rests on is older, it is stale and says nothing. None: such data is rare."""
