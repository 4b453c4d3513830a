"""Onboarding, tickets, complaints and surveys from raw events: dicts, Decimal and Fractions, one case at a time.

Words. What internal people do is left out where it would be a customer's activity; our own doing counts. A step happens to an
entity at the earliest of its events. What is known at `now` is made of all events strictly before it. An account starts at the contract start last said of it, else at its creation, else at its first event of any type.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any

from tests.reference.activity import is_activity
from tests.reference.calendar import Calendar
from tests.reference.events import Event, accepted, internal_people

Cohort = list[tuple[str, datetime, datetime | None, datetime | None]]
"""(account, start, end or None, left in vain or None)"""
Where = Callable[[str, datetime], Any]
MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Median:
    """`value` in microseconds; None: not reached."""

    value: Fraction | None
    reached: int
    cases: int

    @property
    def waiting(self) -> int:
        return self.cases - self.reached


class Lifecycles:
    """`hours`: (from, to) local times by weekday, Monday is 0."""

    def __init__(
        self,
        arrived: Iterable[Event],
        calendar: Calendar,
        now: datetime,
        hours: dict[int, tuple[time, time]] | None = None,
    ) -> None:
        everything = accepted(arrived)
        internal = internal_people(everything)
        self.calendar, self.now, self.hours = calendar, now, hours or {}
        self.first_seen = _earliest((e.account, e.at) for e in everything if e.account and e.at < now)
        self.events = sorted(
            (
                e
                for e in everything
                if e.at < now
                and not ((e.account, e.user) in internal and (is_activity(e.type) or e.type == "survey.sent"))
            ),
            key=lambda e: e.order,
        )
        self.life = sorted(
            (e for e in everything if e.type in ("account.created", "account.closed")), key=lambda e: e.order
        )
        self.traits = [
            (e.account, name, e.at, value)
            for e in sorted(everything, key=lambda e: e.order)
            if e.type in ("account.created", "account.updated")
            for name, value in e.data.get("traits", {}).items()
        ]

    # Where an account stands.

    def trait(self, account: str, name: str, at: datetime, *, or_first: bool = False) -> Any:
        """The value set last strictly before `at`; with `or_first`, of one never set before, the first it was set to."""
        mine = [(when, value) for who, what, when, value in self.traits if (who, what) == (account, name)]
        past = [value for when, value in mine if when < at]
        if past:
            return past[-1]
        return mine[0][1] if mine and or_first else None

    def stands(self, account: str, at: datetime) -> bool:
        """Whether the last of its creations and closings strictly before `at` is not a closing."""
        told = [e for e in self.life if e.account == account and e.at < at]
        return not told or told[-1].type != "account.closed"

    def day_start(self, at: datetime) -> datetime:
        return self.calendar.start_of(self.calendar.day_of(at))

    # Cases.

    def started(self, account: str) -> datetime | None:
        said = [e for e in self._of("account.created", "account.updated") if e.account == account]
        contracts = [
            e.data["traits"]["contract_start"] for e in said if "contract_start" in e.data.get("traits", {})
        ]
        if contracts and contracts[-1] is not None:
            return self._instant(contracts[-1])
        created = [e.at for e in said if e.type == "account.created"]
        return min(created) if created else self.first_seen.get(account)

    def onboarding(self, *milestones: str, key_action: bool = False) -> Cohort:
        """Every account from its start to the first of these milestones, or to its first use of a feature."""
        ends = _earliest(
            (e.account, e.at)
            for e in self.events
            if (e.type == "onboarding.milestone_reached" and e.data.get("milestone") in milestones)
            or (key_action and e.type == "feature.used")
        )
        starts = {account: self.started(account) for account in self.first_seen}
        return [(a, start, ends.get(a), None) for a, start in starts.items() if start is not None]

    def cases(self, entity: str, start: str, end: str, left: str | None = None) -> Cohort:
        """Every `entity` (ticket, complaint) from the first event of type `start` to the first of type `end`."""
        starts, ends = self._firsts(entity, start), self._firsts(entity, end)
        lefts = self._firsts(entity, left) if left else {}
        return [(key[0], at, ends.get(key), lefts.get(key)) for key, at in starts.items()]

    def surveys(self) -> Cohort:
        """Every time that somebody was sent a survey, to their own next answer before the next time; where nobody is named, of those whom
        none of them names."""
        its: dict[tuple[str, Any, Any], list[Event]] = defaultdict(list)
        for event in self._of("survey.sent", "survey.responded"):
            its[event.account, event.data.get("survey"), event.data.get("wave")].append(event)
        found: Cohort = []
        for (account, _, _), events in its.items():
            asked = [e for e in events if e.type == "survey.sent"]
            named = {e.user for e in asked if e.user}
            for sending in asked:
                other = [e for e in asked if e.user == sending.user and e.order > sending.order]
                answers = [
                    e.at
                    for e in events
                    if e.type == "survey.responded"
                    and (e.user == sending.user if sending.user else e.user not in named)
                    and e.order > sending.order
                    and all(e.order < later.order for later in other)
                ]
                found.append((account, sending.at, min(answers, default=None), None))
        return found

    def reached(self, milestone: str) -> list[tuple[str, datetime]]:
        """(account, when) of everybody who reached it, the first time."""
        found = _earliest(
            (e.account, e.at)
            for e in self._of("onboarding.milestone_reached")
            if e.data.get("milestone") == milestone
        )
        return list(found.items())

    def opened(self) -> list[tuple[str, datetime]]:
        return [(account, at) for (account, _), at in self._firsts("ticket", "ticket.opened").items()]

    # Figures.

    def quantile(self, cohort: Cohort, share: Fraction, *, business: bool = False) -> Median:
        """When `share` have arrived, by Kaplan-Meier; the middle of the stretch on which exactly `share` have."""
        spent = self.business if business else self.elapsed
        ended, waiting = [], []
        for _, start, end, left in cohort:
            if end is None or (left is not None and left < end):
                waiting.append(spent(start, left or self.now))
            else:
                ended.append(spent(start, end))

        def still(time_: int) -> Fraction:
            share_left = Fraction(1)
            for step in sorted(set(ended)):
                if step <= time_:
                    at_risk = sum(t >= step for t in ended) + sum(t >= step for t in waiting)
                    share_left *= 1 - Fraction(ended.count(step), at_risk)
            return share_left

        down = [t for t in sorted(set(ended)) if still(t) <= 1 - share]
        below = [t for t in down if still(t) < 1 - share]
        value = Fraction(down[0] + (below or down)[0], 2) if down else None
        return Median(value, len(ended), len(cohort))

    def converted(self, cohort: Cohort, days: int) -> tuple[int, int]:
        """(who arrived within that many days, all whose start is at least as long ago)"""
        matured = [(start, end) for _, start, end, _ in cohort if start + days * DAY <= self.now]
        return sum(end is not None and end < start + days * DAY for start, end in matured), len(matured)

    def backlog(self, at: datetime) -> list[str]:
        """The account of every ticket that was opened and not resolved before `at`."""
        return [
            account
            for account, start, end, _ in self.cases("ticket", "ticket.opened", "ticket.resolved")
            if start < at and (end is None or end >= at)
        ]

    def scores(
        self, kind: str, lowest: int, highest: int, survey: str | None = None
    ) -> list[tuple[str, datetime, Fraction]]:
        return [
            (e.account, e.at, Fraction(str(e.data["score"])))
            for e in self._of("survey.responded")
            if e.data["kind"] == kind
            and lowest <= e.data["score"] <= highest
            and survey in (None, e.data["survey"])
        ]

    def elapsed(self, start: datetime, end: datetime) -> int:
        return max(0, (end - start) // MICROSECOND)

    def business(self, start: datetime, end: datetime) -> int:
        """Microseconds of opening hours in [start, end), local day by local day."""
        total = timedelta(0)
        day = self.calendar.day_of(start)
        while start < end and day <= self.calendar.day_of(end):
            if day.weekday() in self.hours:
                opens, closes = (self._local(day, at) for at in self.hours[day.weekday()])
                total += max(timedelta(0), min(end, closes) - max(start, opens))
            day += DAY
        return total // MICROSECOND

    def _local(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, tzinfo=self.calendar.zone).astimezone(UTC)

    def _instant(self, text: str) -> datetime:
        """A date is the tenant's local midnight."""
        if len(text) == 10:
            return self.calendar.start_of(date.fromisoformat(text))
        return datetime.fromisoformat(text).astimezone(UTC)

    def _of(self, *types: str) -> list[Event]:
        return [e for e in self.events if e.type in types]

    def _firsts(self, entity: str, event_type: str) -> dict[tuple[str, str], datetime]:
        return _earliest(((e.account, e.data[entity]), e.at) for e in self._of(event_type))


def _earliest(pairs: Iterable[tuple[Any, datetime]]) -> dict[Any, datetime]:
    found: dict[Any, datetime] = {}
    for key, at in pairs:
        found[key] = min(at, found.get(key, at))
    return found
