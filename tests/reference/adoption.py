"""Who gets value, uses the seats, or has fallen silent, from raw events: one account and one local day at a time."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from math import ceil
from statistics import median

from tests.reference.activity import is_activity
from tests.reference.calendar import Calendar
from tests.reference.events import Event, accepted, internal_people
from tests.reference.lifecycles import Lifecycles
from tests.reference.seats import Seats

DAY = timedelta(days=1)


class Adoption:
    def __init__(
        self, arrived: Iterable[Event], calendar: Calendar, traits: Lifecycles, now: datetime
    ) -> None:
        everything = accepted(arrived)
        internal = internal_people(everything)
        counted = [e for e in everything if e.account and (e.account, e.user) not in internal]
        self.calendar, self.traits, self.sold = calendar, traits, Seats(everything, now)
        self.accounts = sorted({e.account for e in everything if e.account})
        self.actions = [e for e in counted if e.type == "feature.used"]
        self.activity = [e for e in counted if is_activity(e.type)]

    def is_value_active(self, account: str, day: date) -> bool:
        """At least 5 key actions by at least 2 people in 28 days."""
        actions = self._within(self.actions, account, day, 28)
        return len(actions) >= 5 and len({e.user for e in actions if e.user}) >= 2

    def seats(self, account: str, day: date) -> Fraction | None:
        start = self.calendar.start_of(day)
        told = self.traits.trait(account, "seats", start)
        if not self.traits.stands(account, start):
            return None
        known = isinstance(told, int | float) and not isinstance(told, bool)
        number = Fraction(str(told)) if known else self.sold.sold(account, start)
        return number if number > 0 else None

    def people(self, account: str, day: date, days: int) -> int:
        return len({e.user for e in self._within(self.activity, account, day, days) if e.user})

    def is_adopted(self, account: str, day: date) -> bool:
        """At least half the seats in 3 of the 4 weeks up to the day."""
        seats = self.seats(account, day)
        weeks = [self.people(account, day - 7 * n * DAY, 7) for n in range(4)]
        return seats is not None and sum(week >= seats / 2 for week in weeks) >= 3

    def silence(self, account: str, day: date) -> tuple[bool, bool]:
        """(was active then, and not since), seen from the end of `day`."""
        days = sorted({self.calendar.day_of(e.at) for e in self.activity if e.account == account})
        recent = [d for d in days if day - 180 * DAY < d <= day]
        gaps = [(b - a).days for a, b in pairwise(recent)]
        n = max(14, ceil(3 * Fraction(median(gaps)))) if gaps else 14
        then = any(day - 2 * n * DAY < d <= day - n * DAY for d in days)
        since = any(day - n * DAY < d <= day for d in days)
        return then, then and not since

    def _within(self, events: list[Event], account: str, day: date, days: int) -> list[Event]:
        return [
            e for e in events if e.account == account and day - days * DAY < self.calendar.day_of(e.at) <= day
        ]
