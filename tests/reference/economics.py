"""What customers are worth, cost and get, from raw events: dicts, Decimals and Fractions, one account and day at a time."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

from tests.reference.activity import is_activity
from tests.reference.calendar import Calendar
from tests.reference.events import Event, accepted, internal_people
from tests.reference.lifecycles import Lifecycles
from tests.reference.renewals import Renewals
from tests.reference.seats import Seats

DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)
Held = Callable[[str, datetime], bool]
"""Whether an account counts, by what it was just before an instant."""
Share = tuple[Fraction | None, int]
"""(value, cases)"""
Estimate = tuple[Fraction | None, int, float | None, float | None]
"""(value, cases, low, high)"""
CONTACT_DAYS = {"high": 14, "mid": 30, "tech": 90}


def over(part: Any, whole: Any) -> Fraction | None:
    return Fraction(part) / Fraction(whole) if whole else None


class Economics:
    def __init__(self, arrived: Iterable[Event], calendar: Calendar, now: datetime) -> None:
        everything = accepted(arrived)
        internal = internal_people(everything)
        self.calendar, self.now = calendar, now
        counted = [e for e in everything if not (is_activity(e.type) and (e.account, e.user) in internal)]
        self.today = sorted(counted, key=lambda e: e.order)
        """What is counted by the day is counted to the end of it."""
        self.events = [e for e in self.today if e.at < now]
        self.traits = Lifecycles(everything, calendar, now)
        self.renewals = Renewals(everything, now)
        self.seats = Seats(everything, now)
        self.accounts = sorted({e.account for e in everything if e.account})

    def of(self, *types: str) -> list[Event]:
        return [e for e in self.events if e.type in types]

    def mrr(self, account: str, at: datetime) -> Decimal:
        return self.renewals.revenue.account_mrr(account, at)

    def paying(self, at: datetime, held: Held) -> list[str]:
        return [a for a in self.accounts if self.mrr(a, at) > 0 and held(a, at)]

    # Money and people of the company.

    def spent(self, first: date, end: date, purpose: str, programme: Any = ...) -> Fraction:
        """In the local days [first, end), day by day."""
        total = Fraction(0)
        for event in self.of("spend.recorded"):
            if event.data["purpose"] == purpose and programme in (..., event.data.get("programme")):
                days = days_of(event.data.get("period")) or [self.calendar.day_of(event.at)]
                total += Fraction(event.data["amount"]) * Fraction(
                    sum(first <= d < end for d in days), len(days)
                )
        return total

    def fte(self, at: datetime) -> Fraction:
        latest = {
            e.data["team"]: Fraction(str(e.data["fte"])) for e in self.of("headcount.recorded") if e.at < at
        }
        return sum(latest.values(), Fraction(0))

    def reported(self, metric: str, last: date) -> float | None:
        said = [
            e
            for e in self.today
            if e.type == "metric.reported"
            and e.data["metric"] == metric
            and self.calendar.day_of(e.at) <= last
        ]
        return float(said[-1].data["value"]) if said else None

    # What customers are worth.

    def lifetime(self, start: datetime, end: datetime, margin: Fraction, held: Held) -> Fraction | None:
        """Of accounts that pay at `end`, by the share of their segment's accounts of `start` that left by then."""
        cohorts: dict[Any, list[str]] = defaultdict(list)
        for account in self.accounts:
            if self.mrr(account, start) > 0:
                cohorts[self.traits.trait(account, "segment", start)].append(account)
        worth = []
        for account in self.paying(end, held):
            cohort = cohorts.get(self.traits.trait(account, "segment", end))
            if cohort:
                left = sum(self.mrr(other, end) == 0 for other in cohort)
                months = min(Fraction(60), Fraction(12 * len(cohort), left)) if left else Fraction(60)
                worth.append(Fraction(self.mrr(account, end)) * margin * months)
        return sum(worth, Fraction(0)) / len(worth) if worth else None

    def new(self, start: datetime, end: datetime, held: Held) -> list[str]:
        paid = self.renewals.revenue.paid_before
        return [a for a in self.paying(end, held) if self.mrr(a, start) == 0 and not paid(a, start)]

    def roi(self, at: datetime, held: Held) -> tuple[Fraction | None, int, int]:
        """(benefit over fees and effort, accounts measured, accounts that pay)"""
        benefit = put_in = Fraction(0)
        measured = 0
        paying = self.paying(at, held)
        local = at.astimezone(self.calendar.zone)
        since = (local - 365 * DAY).astimezone(at.tzinfo)
        for account in paying:
            said = [e for e in self.of("benefit.confirmed") if e.account == account and since <= e.at < at]
            if said:
                measured += 1
                benefit += Fraction(said[-1].data["yearly_benefit"])
                put_in += 12 * Fraction(self.mrr(account, at)) + Fraction(
                    said[-1].data.get("customer_effort", 0)
                )
        return over(benefit, put_in), measured, len(paying)

    # What customers wanted.

    def attained(self, start: datetime, end: datetime, held: Held) -> Share:
        goals: dict[tuple[str, str], list[Event]] = defaultdict(list)
        for event in self.of("success_plan.set", "success_plan.progressed"):
            goals[event.account, event.data["goal"]].append(event)
        reached = []
        for (account, _), events in goals.items():
            plans = [e.data for e in events if e.type == "success_plan.set"]
            if not plans or plans[-1].get("due") is None or plans[-1].get("target") is None:
                continue
            plan = plans[-1]
            due = self.calendar.start_of(date.fromisoformat(plan["due"]) + DAY)
            falls = plan.get("baseline") is not None and plan["target"] < plan["baseline"]
            if start <= due - INSTANT < end and due <= self.now and held(account, due):
                told = [e.data["value"] for e in events if e.data.get("value") is not None and e.at < due]
                reached.append(any(v <= plan["target"] if falls else v >= plan["target"] for v in told))
        return over(sum(reached), len(reached)), len(reached)

    def self_served(self, start: datetime, end: datetime, held: Held) -> Share:
        tickets: dict[tuple[str, str], dict[str, datetime]] = defaultdict(dict)
        for event in self.of("ticket.opened", "ticket.first_responded", "ticket.resolved"):
            tickets[event.account, event.data["ticket"]].setdefault(event.type, event.at)
        alone = [
            "ticket.first_responded" not in its or its["ticket.first_responded"] > its["ticket.resolved"]
            for (account, _), its in tickets.items()
            if "ticket.resolved" in its
            and start <= its["ticket.resolved"] < end
            and held(account, self.traits.day_start(its["ticket.resolved"]))
        ]
        return over(sum(alone), len(alone)), len(alone)

    # Use.

    def users(self, account: str, day: date, days: int, back: int = 0) -> list[tuple[str, date]]:
        """(person, local day) of activity in the days up to `back` days before `day`."""
        last = day - back * DAY
        return [
            (e.user, on)
            for e in self.today
            if e.account == account and e.user and is_activity(e.type)
            and last - days * DAY < (on := self.calendar.day_of(e.at)) <= last
        ]  # fmt: skip

    def number(self, account: str, trait: str, day: date) -> int | None:
        start = self.calendar.start_of(day)
        told = self.traits.trait(account, trait, start) if self.traits.stands(account, start) else None
        return told if isinstance(told, int) and told > 0 else None

    def _sold(self, account: str, day: date) -> int:
        """Of its subscriptions, where the trait says none and it stands."""
        start = self.calendar.start_of(day)
        is_told = self.traits.trait(account, "seats", start) is not None
        return (
            0 if is_told or not self.traits.stands(account, start) else int(self.seats.sold(account, start))
        )

    def seats_used(self, day: date, held: Held) -> int:
        total = 0
        for account in self.accounts:
            seats = self.number(account, "seats", day) or self._sold(account, day)
            if seats and held(account, self.calendar.start_of(day)):
                total += min(seats, len({who for who, _ in self.users(account, day, 28)}))
        return total

    def breadth(self, day: date, held: Held) -> Fraction | None:
        used = planned = 0
        for account in self.accounts:
            features = self.number(account, "plan_features", day)
            if features and held(account, self.calendar.start_of(day)):
                planned += features
                used += len({
                    e.data["feature"]
                    for e in self.today
                    if e.type == "feature.used" and e.account == account and day - 28 * DAY < self.calendar.day_of(e.at) <= day
                })  # fmt: skip
        return over(used, planned)

    def relative_trend(self, day: date, held: Held) -> Fraction | None:
        """(user-days of 28 days less what they would be had each account moved like its segment) over the 28 before, of accounts in
        a segment that had some then.
        """
        start = self.calendar.start_of(day)
        days = {
            a: (len(set(self.users(a, day, 28))), len(set(self.users(a, day, 28, back=28))))
            for a in self.accounts
        }
        beyond, base = Fraction(0), 0
        for account, (now, then) in days.items():
            segment = self.traits.trait(account, "segment", start)
            if held(account, start) and then and segment is not None:
                peers = [
                    days[a]
                    for a in self.accounts
                    if days[a][1] and self.traits.trait(a, "segment", start) == segment
                ]
                beyond += now - then * Fraction(sum(n for n, _ in peers), sum(t for _, t in peers))
                base += then
        return beyond / base if base >= 8 else None

    # Risk.

    def at_risk(self, start: datetime, end: datetime, chances: dict[str, Fraction], held: Held) -> Any:
        """(value, low, high) of open terms by their end, as none of them names another deadline."""
        rows = [
            (Fraction(term.due), chances.get(term.account))
            for term in self.renewals.terms
            if term.kept is None
            and start <= term.due_at < end
            and held(term.account, self.now)
            and self.traits.stands(term.account, self.now)
        ]
        known = sum((cents(due * chance) for due, chance in rows if chance is not None), Fraction(0))
        unknown = sum((due for due, chance in rows if chance is None), Fraction(0))
        if any(chance is None for _, chance in rows):
            return None, float(known), float(known + unknown)
        return known, None, None

    def resolved(
        self, bands: dict[str, list[tuple[datetime, str]]], start: datetime, end: datetime, held: Held
    ) -> tuple[Fraction | None, int]:
        """(share of the MRR that became at risk, accounts whose 90 days are over); `bands` of health by account, in order."""
        saved = total = Fraction(0)
        cases = 0
        for account in self.accounts:
            told = bands.get(account, [])
            for (at, value), (_, before) in zip(told, [(None, None), *told], strict=False):
                mrr = self.mrr(account, at)
                if value != "poor" or before == "poor" or mrr <= 0 or not (start <= at < min(end, self.now)):
                    continue
                if not held(account, at) or at + 90 * DAY > self.now:
                    continue
                until = at + 90 * DAY
                stood = [v for when, v in told if when <= until - 30 * DAY]
                since = [v for when, v in told if until - 30 * DAY < when < until]
                healthy = bool(stood) and {stood[-1], *since} == {"good"}
                due = [t for t in self.renewals.terms if t.account == account and at <= t.due_at < until]
                kept = sum((Fraction(t.kept or 0) for t in due), Fraction(0))
                renewed = bool(due) and kept * 10 >= 9 * sum((Fraction(t.due) for t in due), Fraction(0))
                cases += 1
                total += Fraction(mrr)
                saved += Fraction(mrr) if healthy or renewed else 0
        return over(saved, total), cases

    # People.

    def engagement(self, at: datetime, held: Held) -> Fraction | None:
        covered = owned = Fraction(0)
        local = at.astimezone(self.calendar.zone)
        for account in self.accounts:
            is_owned = self.traits.stands(account, at) and self.traits.trait(account, "owner", at) is not None
            if not is_owned or not held(account, at):
                continue
            days = CONTACT_DAYS.get(self.traits.trait(account, "engagement_model", at), 90)
            talked = [
                e.at
                for e in self.of("activity.logged")
                if e.account == account and e.data.get("two_way") is True
            ]
            moved = [e.at for e in self.of("success_plan.progressed") if e.account == account]
            since = [(local - n * DAY).astimezone(at.tzinfo) for n in (days, 90)]
            mrr = Fraction(self.mrr(account, at))
            owned += mrr
            if any(since[0] <= t < at for t in talked) and any(since[1] <= t < at for t in moved):
                covered += mrr
        return over(covered, owned)

    def _relationship_answers(self) -> list[Event]:
        """In their order."""
        told = self.of("survey.responded")
        return [e for e in told if e.data["kind"] == "nps" and not e.data.get("transactional")]

    def nps_wave(self, start: datetime, end: datetime, held: Held, wave: Any = ...) -> Estimate:
        latest = {}
        for e in self._relationship_answers():
            counts = held(e.account, self.calendar.start_of(self.calendar.day_of(e.at)))
            if start <= e.at < end and counts and wave in (..., e.data.get("wave")):
                latest[e.account, e.user, e.data["survey"], e.data.get("wave")] = e.data["score"]
        return points([(score >= 9) - (score <= 6) for score in latest.values()], 100)

    def nps_change(self, before: date, last: date, held: Held) -> Estimate:
        changes: list[int] = []
        answers = self._relationship_answers()
        for account, user in {(e.account, e.user) for e in answers}:
            sides = []
            for day in (before, last):
                valid = [
                    e.data["score"]
                    for e in answers
                    if (e.account, e.user) == (account, user)
                    and day - 180 * DAY < self.calendar.day_of(e.at) <= day
                ]
                sides.append((valid[-1] >= 9) - (valid[-1] <= 6) if valid else None)
            if None not in sides and held(account, self.calendar.start_of(last)):
                changes.append(sides[1] - sides[0])  # type: ignore[operator]
        return points(changes, 200)


def points(sides: list[int], most: int) -> Estimate:
    """Their mean in points with n and 95 % of the normal distribution, by the variance of what they are."""
    if not sides:
        return None, 0, None, None
    mean, half = 100 * statistics.fmean(sides), 196 * (statistics.pvariance(sides) / len(sides)) ** 0.5
    return over(100 * sum(sides), len(sides)), len(sides), max(-most, mean - half), min(most, mean + half)


def cents(amount: Fraction) -> Fraction:
    """Halves of a cent go up: each renewal is shown so, and the whole is their sum."""
    return Fraction(floor(amount * 100 + Fraction(1, 2)), 100)


def days_of(period: str | None) -> list[date] | None:
    """The days of `2026-03`, `2026-Q1`, `2026` and `2026-03-01/2026-03-10`."""
    if period is None or not period[:4].isdigit():
        return None
    if "/" in period:
        first, last = (date.fromisoformat(part) for part in period.split("/"))
    elif "Q" in period:
        year, quarter = (int(part) for part in period.split("-Q"))
        first = date(year, 3 * quarter - 2, 1)
        last = date(year + quarter // 4, 3 * quarter % 12 + 1, 1) - DAY
    elif len(period) == 4:
        first, last = date(int(period), 1, 1), date(int(period), 12, 31)
    else:
        first = date.fromisoformat(f"{period}-01")
        last = (first + 31 * DAY).replace(day=1) - DAY
    return [first + n * DAY for n in range((last - first).days + 1)]
