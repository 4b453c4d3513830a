"""Reading who the people at an account are, and what the account wants to reach."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from api_gateway.domain.plans import PlanStep

Place = tuple[date | None, str]
"""Last active day and id of a person."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at an account. Days are the tenant's; an erased person goes by a token."""

    person: str
    traits: Mapping[str, Any]
    internal: bool
    last_active_on: date | None
    active_days_28d: int

    @property
    def place(self) -> Place:
        return self.last_active_on, self.person


class PeopleReader(Protocol):
    """Bound to one tenant. Raises Unavailable when the database doesn't answer."""

    def people(
        self, tenant_id: int, account_id: int, today: date, limit: int, after: Place | None
    ) -> Sequence[Person]:
        """Return people, who was active last first; those that never were come last, by id."""
        ...

    def plan_steps(self, tenant_id: int, account_id: int) -> Sequence[PlanStep]:
        """Return what was told of the account's success plans, oldest first."""
        ...
