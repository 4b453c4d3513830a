"""Recurring revenue from raw subscription events: Decimal, one subscription at a time, every state by replay.

A change acts at its `effective_at`, else at its time; changes of one instant act in the order of their time, source
and id, and the last one stands. The state at an instant is made of what acts strictly before it. A term that ended
without renewal stays counted for 30 days ("overdue"); after those it is churn, dated to the term's end. A changed fee
is no renewal; starting, renewing and naming another term are. Who gave notice and then, while it ran, starts or renews
the same subscription to go on by 30 days after the end at the latest, has taken the notice back: it ends nothing.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from tests.reference.events import Event, accepted, instant

OVERDUE = timedelta(days=30)
ZERO = Decimal(0)
CHANGE_TYPES = (
    "subscription.started",
    "subscription.changed",
    "subscription.renewed",
    "subscription.cancelled",
)


@dataclass(frozen=True, order=True)
class Change:
    """What one event does to one subscription; sorted by when it acts."""

    acts_at: datetime
    event_at: datetime
    source: str
    id: str
    kind: str
    mrr: Decimal | None
    term_end: datetime | None


@dataclass(frozen=True)
class Step:
    at: datetime
    mrr: Decimal


@dataclass(frozen=True)
class Period:
    """Money as Decimal in the tenant's currency; the ratios are unknown for an empty cohort."""

    start: Decimal
    end: Decimal
    new: Decimal
    reactivation: Decimal
    expansion: Decimal
    contraction: Decimal
    churned: Decimal
    kept: Decimal
    cohort_end: Decimal
    cohort: int
    lost: int

    @property
    def nrr(self) -> Fraction | None:
        return Fraction(self.cohort_end) / Fraction(self.start) if self.start else None

    @property
    def grr(self) -> Fraction | None:
        return Fraction(self.kept) / Fraction(self.start) if self.start else None

    @property
    def logo_churn(self) -> Fraction | None:
        return Fraction(self.lost, self.cohort) if self.cohort else None

    @property
    def net_new(self) -> Decimal:
        return self.new + self.reactivation + self.expansion - self.contraction - self.churned

    @property
    def identity_holds(self) -> bool:
        return self.start + self.net_new == self.end


def change_of(event: Event) -> Change:
    data = event.data
    effective = data.get("effective_at")
    term_end = data.get("term_end")
    return Change(
        acts_at=instant(effective) if effective else event.at,
        event_at=event.at,
        source=event.source,
        id=event.id,
        kind=event.type.removeprefix("subscription."),
        mrr=Decimal(str(data["mrr"])) if event.type != "subscription.cancelled" else None,
        term_end=instant(term_end) if term_end else None,
    )


def not_taken_back(changes: Iterable[Change]) -> list[Change]:
    """Of one subscription, without the notices that were taken back; in the order in which they act."""
    told = sorted(changes, key=lambda c: (c.event_at, c.source, c.id))
    left: list[Change] = []
    for place, change in enumerate(told):
        later = [c for c in told[place + 1 :] if c.kind in ("started", "renewed")]
        while_it_ran = [c for c in later if c.event_at < change.acts_at]
        goes_on = any(c.acts_at - change.acts_at <= OVERDUE for c in while_it_ran)
        if change.kind != "cancelled" or not goes_on:
            left.append(change)
    return sorted(left, key=lambda c: (c.acts_at, c.event_at, c.source, c.id))


def steps_of(changes: Iterable[Change], now: datetime) -> list[Step]:
    """What one subscription is worth a month, from each instant on, as known at `now`."""
    steps: list[Step] = []
    term_end: datetime | None = None
    for change in not_taken_back(changes):
        if term_end is not None and term_end + OVERDUE <= min(change.acts_at, now):
            steps = _lapsed(steps, term_end)
        if change.kind == "cancelled":
            steps.append(Step(change.acts_at, ZERO))
            term_end = None
        else:
            assert change.mrr is not None
            steps.append(Step(change.acts_at, change.mrr))
            # A new fee is no renewal: without a term of its own it leaves the term as it is, running or over.
            keeps_term = change.kind == "changed" and change.term_end is None
            term_end = term_end if keeps_term else change.term_end
    if term_end is not None and term_end + OVERDUE <= now:
        steps = _lapsed(steps, term_end)
    return steps


def _lapsed(steps: list[Step], term_end: datetime) -> list[Step]:
    return [*(step for step in steps if step.at < term_end), Step(term_end, ZERO)]


class Revenue:
    """The recurring revenue of every account, as known at `now`."""

    def __init__(self, arrived: Iterable[Event], now: datetime) -> None:
        changes: dict[tuple[str, str], list[Change]] = defaultdict(list)
        for event in accepted(arrived):
            if event.type in CHANGE_TYPES:
                changes[event.account, event.data["subscription"]].append(change_of(event))
        self.steps: dict[str, list[list[Step]]] = defaultdict(list)
        for (account, _), its in changes.items():
            self.steps[account].append(steps_of(its, now))

    def account_mrr(self, account: str, at: datetime) -> Decimal:
        """What everything that acts strictly before `at` leaves running."""
        worth = ZERO
        for steps in self.steps.get(account, []):
            past = [step.mrr for step in steps if step.at < at]
            worth += past[-1] if past else ZERO
        return worth

    def mrr(self, at: datetime) -> Decimal:
        return sum((self.account_mrr(account, at) for account in self.steps), ZERO)

    def paid_before(self, account: str, at: datetime) -> bool:
        """Whether the account was worth anything at some instant up to `at`."""
        instants = sorted(
            {step.at for steps in self.steps.get(account, []) for step in steps if step.at < at}
        )
        ends = [*instants[1:], at]
        return any(self.account_mrr(account, end) != ZERO for end in ends) if instants else False

    def period(self, start: datetime, end: datetime) -> Period:
        """The movements of [start, end): each account's net change between its two ends."""
        total = dict.fromkeys(
            (
                "start",
                "end",
                "new",
                "reactivation",
                "expansion",
                "contraction",
                "churned",
                "kept",
                "cohort_end",
            ),
            ZERO,
        )
        cohort = lost = 0
        for account in self.steps:
            then, now = self.account_mrr(account, start), self.account_mrr(account, end)
            total["start"] += then
            total["end"] += now
            if then == ZERO:
                if now != ZERO:
                    total["reactivation" if self.paid_before(account, start) else "new"] += now
                continue
            cohort += 1
            lost += now == ZERO
            total["kept"] += min(then, now)
            total["cohort_end"] += now
            if now == ZERO:
                total["churned"] += then
            elif now > then:
                total["expansion"] += now - then
            else:
                total["contraction"] += then - now
        return Period(cohort=cohort, lost=lost, **total)
