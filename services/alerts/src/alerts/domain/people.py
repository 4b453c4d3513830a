"""The people who look after accounts: where each is reached, when they work, and who stands in while they are away."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time

from alerts.domain.workdays import Calendar

# A deputy may be away too, and have a deputy; who gets further than this goes in circles.
_MAX_HOPS = 5


@dataclass(frozen=True, slots=True)
class Leave:
    """Days by the person's own clock, both included. `deputy` None: the person's usual one."""

    person: str
    first: date
    last: date
    deputy: str | None = None


@dataclass(frozen=True)
class Person:
    name: str
    calendar: Calendar
    receiver: str | None = None
    digest_at: time | None = None
    deputy: str | None = None

    def day_of(self, at: datetime) -> date:
        return self.calendar.day_of(at)


@dataclass(frozen=True)
class Team:
    """Somebody who isn't in it is never away, and is reached through the shared receivers alone."""

    people: Mapping[str, Person] = field(default_factory=dict)
    leaves: tuple[Leave, ...] = ()

    def joined_by(self, leaves: Iterable[Leave]) -> "Team":
        return replace(self, leaves=(*self.leaves, *leaves))

    def leave_of(self, name: str, now: datetime) -> Leave | None:
        person = self.people.get(name)
        if person is None:
            return None
        today = person.day_of(now)
        return next(
            (one for one in self.leaves if one.person == name and one.first <= today <= one.last), None
        )

    def stand_in(self, name: str, now: datetime) -> str:
        """Who acts for them now: themselves unless they are away and somebody who isn't stands in."""
        current = name
        for _ in range(_MAX_HOPS):
            leave = self.leave_of(current, now)
            if leave is None:
                return current
            deputy = leave.deputy or self.people[current].deputy
            if deputy is None:
                return name
            current = deputy
        return name

    def looked_after_by(self, name: str, now: datetime) -> frozenset[str]:
        """Those whose accounts they see to now: their own, and of people they stand in for."""
        away = {leave.person for leave in self.leaves}
        return frozenset({name, *(one for one in away if self.stand_in(one, now) == name)})

    def receiver_of(self, name: str | None, now: datetime) -> str | None:
        """Of whoever acts for them now."""
        person = self.people.get(self.stand_in(name, now)) if name is not None else None
        return person.receiver if person is not None else None

    @property
    def receivers(self) -> frozenset[str]:
        return frozenset(person.receiver for person in self.people.values() if person.receiver)
