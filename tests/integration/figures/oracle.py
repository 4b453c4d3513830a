"""What every figure should be, from the raw world alone: dicts, sets and fractions, one bucket and group at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.integration.figures.worlds import COUNTED, DAY, VALID_DAYS, Seen, World

Group = tuple[Any, ...]
ZERO = Decimal(0)
# Nothing of the kind happens in these worlds, which know one currency and no partners.
UNSEEN = ("partner_logins",)
COUNTS: dict[str, str | None] = {"events": None, **{measure: kind for kind, measure in COUNTED.items()}}
NEVER_SAID = ("market_share", "employee_nps")
RATIOS = ("nrr", "grr", "mrr_churn", "logo_churn", "logo_retention")


@dataclass(frozen=True)
class Span:
    """A bucket's covered part, as local days and as instants."""

    first: date
    end_day: date
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Oracle:
    world: World
    group_by: tuple[str, ...]
    now: datetime

    def trait(self, account: str, name: str, at: datetime) -> Any:
        """The last value set strictly before `at`."""
        if name == "account":
            return account
        sets = [t for t in self.world.traits if (t.account, t.name) == (account, name) and t.at < at]
        return max(sets, key=lambda t: (t.at, t.source, t.event_id)).value if sets else None

    def group(self, account: str, at: datetime) -> Group:
        return tuple(self.trait(account, name, at) for name in self.group_by)

    def group_on(self, account: str, day: date) -> Group:
        return self.group(account, self.world.calendar.start_of(day))

    def value(self, metric: str, group: Group, span: Span) -> Any:
        if metric in COUNTS:
            return self._count(metric, group, span)
        if metric in UNSEEN:
            return 0
        if metric in NEVER_SAID:
            return None
        if metric == "spent":
            return self._spent(group, span)
        if span.start > self.now:
            return None
        if metric == "paying_accounts":
            end = min(span.end, self.now)
            return sum(self.world.mrr(a, end) > 0 for a in self.world.accounts if self.group(a, end) == group)
        if metric.startswith("mrr") or metric in RATIOS or metric in ("net_new_mrr", "new_accounts"):
            return self._revenue(metric, group, span)
        day = span.end_day - DAY
        if span.end > self.now:
            day = min(day, self.world.calendar.day_of(self.now))
        members = [a for a in self.world.accounts if self.group_on(a, day) == group]
        return self._on_day(metric, members, day)

    def accounts(self, metric: str, group: Group, span: Span) -> int | None:
        """How many accounts are behind a count or a window; None where this doesn't know of it."""
        if metric in COUNTS:
            day_of = self.world.calendar.day_of
            return len({
                e.account
                for e in self.world.seen
                if span.start <= e.at < span.end
                and COUNTS[metric] in (None, e.type)
                and self.group_on(e.account, day_of(e.at)) == group
            })  # fmt: skip
        day = span.end_day - DAY
        if span.start > self.now or not metric.startswith("active_users"):
            return None
        day = min(day, self.world.calendar.day_of(self.now)) if span.end > self.now else day
        members = [a for a in self.world.accounts if self.group_on(a, day) == group]
        return len({e.account for e in self._active(members, day, _window(metric)) if e.user})

    def _spent(self, group: Group, span: Span) -> Decimal:
        day_of = self.world.calendar.day_of
        return sum(
            (
                Decimal(said.amount) / 100
                for said in self.world.reported
                if span.start <= said.at < span.end and self.group_on(said.account, day_of(said.at)) == group
            ),
            ZERO,
        )

    def _level(self, members: list[str], day: date) -> Any:
        past = {
            said.account: said.level
            for said in sorted(self.world.reported, key=lambda said: said.at)
            if said.account in members and self.world.calendar.day_of(said.at) <= day
        }
        return float(sum(past.values(), ZERO)) if past else None

    def _count(self, metric: str, group: Group, span: Span) -> int:
        return sum(
            span.start <= event.at < span.end
            and self.group_on(event.account, self.world.calendar.day_of(event.at)) == group
            for event in self.world.seen
            if COUNTS[metric] in (None, event.type)
        )

    def _on_day(self, metric: str, members: list[str], day: date) -> Any:
        if metric.startswith("active_users"):
            return len({(e.account, e.user) for e in self._active(members, day, _window(metric)) if e.user})
        if metric.startswith("active_accounts"):
            return len({e.account for e in self._active(members, day, _window(metric))})
        if metric == "level":
            return self._level(members, day)
        if metric == "spent_7d":
            week = [s for s in self.world.reported if s.account in members]
            return sum((Decimal(s.amount) / 100 for s in week if self._within(s.at, day, 7)), ZERO)
        if metric == "stickiness":
            monthly = len({(e.account, e.user) for e in self._active(members, day, 28) if e.user})
            return Fraction(self._user_days(members, day), 28 * monthly) if monthly else None
        if metric == "login_trend":
            base = self._user_days(members, day - 28 * DAY)
            return Fraction(self._user_days(members, day), base) - 1 if base >= 8 else None
        if metric == "portal_logins_per_day":
            logins = [e for e in self._all(members, day, 7) if e.type == "user.logged_in"]
            return Fraction(len(logins), 7)
        if metric == "nps":
            scores = [s for a in members for s in self._scores(a, day)]
            return Fraction(100 * sum(map(_side, scores)), len(scores)) if scores else None
        nets = [sum(map(_side, scores)) for a in members if (scores := self._scores(a, day))]
        return Fraction(100 * sum((net > 0) - (net < 0) for net in nets), len(nets)) if nets else None

    def _all(self, members: list[str], day: date, window: int) -> list[Seen]:
        day_of = self.world.calendar.day_of
        return [
            e for e in self.world.seen if e.account in members and day - window * DAY < day_of(e.at) <= day
        ]

    def _within(self, at: datetime, day: date, window: int) -> bool:
        return day - window * DAY < self.world.calendar.day_of(at) <= day

    def _active(self, members: list[str], day: date, window: int) -> list[Seen]:
        return [e for e in self._all(members, day, window) if e.activity]

    def _user_days(self, members: list[str], day: date) -> int:
        seen = self._active(members, day, 28)
        return len({(e.account, e.user, self.world.calendar.day_of(e.at)) for e in seen if e.user})

    def _scores(self, account: str, day: date) -> list[int]:
        latest: dict[str, tuple[datetime, int]] = {}
        for answer in self.world.answers:
            on = self.world.calendar.day_of(answer.at)
            if answer.account == account and day - VALID_DAYS * DAY < on <= day:
                latest[answer.user] = max(
                    latest.get(answer.user, (answer.at, answer.score)), (answer.at, answer.score)
                )
        return [score for _, score in latest.values()]

    def _revenue(self, metric: str, group: Group, span: Span) -> Any:
        end = min(span.end, self.now)
        if metric == "mrr":
            return self._total(group, end)
        if metric == "mrr_fx":
            return ZERO
        if span.start >= end:
            return self._nothing(metric)
        moves = [
            (
                self.world.mrr(a, span.start),
                self.world.mrr(a, end),
                self.group(a, span.start),
                self.group(a, end),
                a,
            )
            for a in self.world.accounts
        ]
        cohort = [(was, now) for was, now, before, _, _ in moves if was and before == group]
        if metric in ("nrr", "grr", "mrr_churn"):
            base = sum((was for was, _ in cohort), ZERO)
            kept = sum((now if metric == "nrr" else min(was, now) for was, now in cohort), ZERO)
            part = base - kept if metric == "mrr_churn" else kept
            return Fraction(part) / Fraction(base) if base else None
        if metric in ("logo_churn", "logo_retention"):
            left = metric == "logo_churn"
            return Fraction(sum((not now) is left for _, now in cohort), len(cohort)) if cohort else None
        if metric == "net_new_mrr":
            return self._total(group, end) - self._total(group, span.start)
        moved = self._movement(metric, group, span, moves)
        return int(moved) if metric == "new_accounts" else moved

    def _movement(self, metric: str, group: Group, span: Span, moves: list[Any]) -> Decimal:
        amount: Callable[[Decimal, Decimal, Group, Group, str], Decimal] = {
            "mrr_new": lambda was, now, _b, a, name: (
                now if not was and a == group and not self._paid(name, span) else ZERO
            ),
            "new_accounts": lambda was, now, _b, a, name: Decimal(
                bool(now and not was and a == group and not self._paid(name, span))
            ),
            "mrr_reactivation": lambda was, now, _b, a, name: (
                now if not was and a == group and self._paid(name, span) else ZERO
            ),
            "mrr_expansion": lambda was, now, b, _a, _n: (
                max(now - was, ZERO) if was and now and b == group else ZERO
            ),
            "mrr_contraction": lambda was, now, b, _a, _n: (
                max(was - now, ZERO) if was and now and b == group else ZERO
            ),
            "mrr_churned": lambda was, now, b, _a, _n: was if was and not now and b == group else ZERO,
            "mrr_transfer_in": lambda was, now, b, a, _n: now if was and now and b != a == group else ZERO,
            "mrr_transfer_out": lambda was, now, b, a, _n: now if was and now and group == b != a else ZERO,
        }[metric]
        return sum((amount(*move) for move in moves), ZERO)

    def _paid(self, account: str, span: Span) -> bool:
        return any(w.mrr for w in self.world.worth if w.account == account and w.at < span.start)

    def _total(self, group: Group, at: datetime) -> Decimal:
        return sum((self.world.mrr(a, at) for a in self.world.accounts if self.group(a, at) == group), ZERO)

    def _nothing(self, metric: str) -> Any:
        return None if metric in RATIOS else 0 if metric == "new_accounts" else ZERO


def _window(metric: str) -> int:
    return int(metric.rsplit("_", 1)[1].removesuffix("d"))


def _side(score: int) -> int:
    return (score >= 9) - (score <= 6)


def hour_spans(world: World, start: datetime, end: datetime) -> list[Span]:
    """Local hours by walking quarters of an hour."""
    hours = sorted(
        {
            world.calendar.hour_of(start + timedelta(minutes=15) * n)
            for n in range(int((end - start) / timedelta(minutes=15)))
        }
    )
    return [
        Span(world.calendar.day_of(hour), world.calendar.day_of(hour) + DAY, hour, following)
        for hour, following in zip(hours, [*hours[1:], end], strict=True)
    ]
