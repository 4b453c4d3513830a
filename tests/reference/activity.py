"""What people did: counts of events, active people and accounts, trends. Sets and sums over plain dicts.

A figure "on a day" looks at that local day and the N-1 before it; at a coarser grain it is the figure on the last day.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from fractions import Fraction

from tests.reference.calendar import DAY, Calendar
from tests.reference.events import Event, accepted, without_internal

# Billing, CRM and what the company itself sends, does or records is no activity of the account; unknown types are.
PASSIVE_PREFIXES = ("account.", "subscription.", "invoice.", "deal.", "spend.", "headcount.", "metric.")
PASSIVE_TYPES = (
    *("survey.sent", "activity.logged", "user.created", "user.updated", "user.left"),
    *("ticket.first_responded", "ticket.resolved", "complaint.resolved", "onboarding.milestone_reached"),
    *("success_plan.set", "success_plan.progressed"),
)
LEAST_USER_DAYS_IN_BASE = 8


def is_activity(event_type: str) -> bool:
    return not event_type.startswith(PASSIVE_PREFIXES) and event_type not in PASSIVE_TYPES


class Activity:
    """All figures of one tenant from the events that arrived, in the order they arrived in."""

    def __init__(
        self, arrived: Iterable[Event], calendar: Calendar, active: Callable[[str], bool] = is_activity
    ) -> None:
        events = accepted(arrived)
        self.calendar = calendar
        self.total = len(events)
        self.hours: Counter[datetime] = Counter(calendar.hour_of(e.at) for e in events)
        self.days: Counter[date] = Counter(calendar.day_of(e.at) for e in events)
        self.logins: Counter[date] = Counter()
        self.complaints: Counter[date] = Counter()
        self.users: dict[date, set[tuple[str, str]]] = defaultdict(set)
        self.accounts: dict[date, set[str]] = defaultdict(set)
        for event in without_internal(events):
            day = calendar.day_of(event.at)
            if event.type == "user.logged_in":
                self.logins[day] += 1
            if event.type == "complaint.filed":
                self.complaints[day] += 1
            if active(event.type) and event.account:
                self.accounts[day].add(event.account)
                if event.user is not None:
                    self.users[day].add((event.account, event.user))

    def events(self, first: date, end: date) -> int:
        return sum(self.days[day] for day in self.calendar.days(first, end))

    def portal_logins(self, first: date, end: date) -> int:
        return sum(self.logins[day] for day in self.calendar.days(first, end))

    def complaints_filed(self, first: date, end: date) -> int:
        return sum(self.complaints[day] for day in self.calendar.days(first, end))

    def active_users(self, day: date, window_days: int) -> int:
        return len(set().union(*(self.users.get(d, set()) for d in self._window(day, window_days))))

    def active_accounts(self, day: date, window_days: int) -> int:
        return len(set().union(*(self.accounts.get(d, set()) for d in self._window(day, window_days))))

    def user_days(self, day: date, window_days: int) -> int:
        return sum(len(self.users.get(d, set())) for d in self._window(day, window_days))

    def stickiness(self, day: date) -> Fraction | None:
        """Mean of 28 days' active users over the 28 days' active users."""
        over = self.active_users(day, 28)
        return Fraction(self.user_days(day, 28), 28) / over if over else None

    def portal_logins_per_day(self, day: date) -> Fraction:
        return Fraction(sum(self.logins[d] for d in self._window(day, 7)), 7)

    def login_trend(self, day: date) -> Fraction | None:
        """User-days of 28 days against those of the 28 before; unknown where the base has fewer than 8."""
        base = self.user_days(day - timedelta(days=28), 28)
        if base < LEAST_USER_DAYS_IN_BASE:
            return None
        return Fraction(self.user_days(day, 28), base) - 1

    def _window(self, last: date, window_days: int) -> list[date]:
        return [last - DAY * back for back in range(window_days)]
