"""Engagement models: how closely accounts are looked after."""

from __future__ import annotations

from pydantic import Field

from common.catalogue.alerting import PlaybookStep
from common.catalogue.base import Model, Name


class EngagementModel(Model):
    """Accounts whose trait `engagement_model` names it are looked after by it; those where it names none by the `default`."""

    name: Name
    label: str = Field(min_length=1)
    description: str = ""
    value: str | None = Field(default=None, min_length=1)
    """What the trait says of such accounts; by default the name."""
    contact_interval_days: int = Field(ge=1, le=3660)
    """At most so long between two contacts that went both ways; what `csm_coverage` counts by."""
    playbook: str = Field(min_length=1)
    """What is done with such accounts, in words or as an address."""
    steps: tuple[PlaybookStep, ...] = ()
    """What is to be done whenever a case of such an account opens."""
    alert_budget: int | None = Field(default=None, ge=0, le=1000)
    """New cases a week that one owner of such accounts can take up; none: not said."""
    default: bool = False

    @property
    def trait_value(self) -> str:
        return self.value or self.name
