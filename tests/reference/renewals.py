"""A year back, notices, terms that were due and reasons for leaving, from raw events: one account at a time, by replay.

A term's due date is its end. What is due is what the subscription was worth just before its end, or just before the
change that decided it when that came earlier. A later term, a start or a renewal that acts until 30 days after the end
renews it; a cancellation or 30 days without either lose it; until then it is open. A change that only moves the end
forward moves the due date. Of changes at one instant a cancellation that another one follows decides nothing.

What a subscription doesn't renew itself, another one of the account and of the same product renews that starts after the
term was begun, from 45 days before its end until 30 days after it. Terms choose in the order in which they end, each the
earliest start that is left.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from tests.reference.events import Event, accepted
from tests.reference.revenue import (
    CHANGE_TYPES,
    OVERDUE,
    ZERO,
    Change,
    Revenue,
    change_of,
    not_taken_back,
    steps_of,
)

Held = Callable[[str], bool]
UNPAID = timedelta(days=60)
DAY = timedelta(days=1)
Ratio = tuple[Decimal, Decimal]


@dataclass
class Term:
    """`kept` None: still open. `begun`, `product`: since when it ran, and what it was about."""

    account: str
    due_at: datetime
    due: Decimal
    kept: Decimal | None = None
    subscription: str = ""
    begun: datetime | None = None
    product: str | None = None
    renews_itself: bool = False


@dataclass(frozen=True)
class Start:
    account: str
    subscription: str
    at: datetime
    tie: tuple[datetime, str, str]
    mrr: Decimal
    product: str | None


class Renewals:
    def __init__(self, arrived: Iterable[Event], now: datetime) -> None:
        told = [event for event in accepted(arrived) if event.at < now]
        self.now = now
        self.revenue = Revenue(told, now)
        self.changes: dict[tuple[str, str], list[Change]] = defaultdict(list)
        self.products: dict[Change, str | None] = {}
        self.closings: list[Event] = []
        reasons: dict[tuple[str, str, str], str] = {}
        self.invoices: dict[tuple[str, str], list[Event]] = defaultdict(list)
        for event in sorted(told, key=lambda e: e.order):
            if event.type in CHANGE_TYPES:
                change = change_of(event)
                self.changes[event.account, event.data["subscription"]].append(change)
                self.products[change] = event.data.get("product")
                if change.kind == "cancelled" and event.data.get("reason"):
                    reasons[event.account, change.source, change.id] = event.data["reason"]
            if event.type == "account.closed" and event.data.get("reason"):
                self.closings.append(event)
            if event.type in ("invoice.failed", "invoice.paid"):
                self.invoices[event.account, event.data["invoice"]].append(event)
        leaving = [
            (change.event_at, change.source, change.id, account, change.acts_at)
            for (account, _), its in self.changes.items()
            for change in not_taken_back(its)
        ]
        self.reasons = {
            (account, acts_at): reasons[account, source, id_]
            for _, source, id_, account, acts_at in sorted(leaving)
            if (account, source, id_) in reasons
        }
        self.terms = [term for key in self.changes for term in self._terms(*key) if term.due > ZERO]
        self._renew_elsewhere()

    def reason(self, account: str, left: datetime) -> str | None:
        """Of the cancellation, else of the last closing while it still paid until then, or paid nothing since."""
        mrr, tick = self.revenue.account_mrr, timedelta(microseconds=1)
        known = self.reasons.get((account, left))
        for closing in reversed(self.closings if known is None else ()):
            at = closing.at
            first, last = sorted((at, left))
            changed = [step.at for steps in self.revenue.steps[account] for step in steps]
            between = [when + tick for when in changed if first <= when < last]
            paid = [mrr(account, when) > ZERO for when in (*between, at)]
            if closing.account == account and (all(paid) if at <= left else not any(paid)):
                return str(closing.data["reason"])
        return known

    def cohort(self, start: datetime, held: Held) -> list[str]:
        """Accounts with MRR just before `start` that are of this group."""
        return [a for a in self.revenue.steps if self.revenue.account_mrr(a, start) > ZERO and held(a)]

    def kept(self, start: datetime, end: datetime, held: Held, *, capped: bool) -> Ratio:
        """What a cohort is worth now over what it was then; `capped`: no account above what it was."""
        mrr = self.revenue.account_mrr
        cohort = self.cohort(start, held)
        now = [min(mrr(a, start), mrr(a, end)) if capped else mrr(a, end) for a in cohort]
        return sum(now, ZERO), sum((mrr(a, start) for a in cohort), ZERO)

    def churned(self, start: datetime, end: datetime, held: Held) -> list[tuple[str, Decimal, datetime]]:
        """(account, what it was worth at the start, when it left for good) of those with nothing at the end."""
        gone = [a for a in self.cohort(start, held) if self.revenue.account_mrr(a, end) == ZERO]
        return [(a, self.revenue.account_mrr(a, start), self._left(a, end)) for a in gone]

    def is_unpaid(self, account: str, at: datetime) -> bool:
        for (who, _), events in self.invoices.items():
            until = at + OVERDUE if self._is_lapse(account, at) else at
            past = [e for e in events if who == account and e.at < until]
            if past and past[-1].type == "invoice.failed" and past[-1].at >= at - UNPAID:
                return True
        return False

    def _is_lapse(self, account: str, at: datetime) -> bool:
        """Whether some subscription is worth nothing from an instant on at which nothing says so."""
        for (who, _), changes in self.changes.items():
            ends = any(s.at == at and s.mrr == ZERO for s in steps_of(changes, self.now)) and who == account
            if ends and not any(not c.mrr for c in not_taken_back(changes) if c.acts_at == at):
                return True
        return False

    def committed(self, account: str, at: datetime) -> Decimal:
        """MRR of the subscriptions for which no notice stands."""
        total = ZERO
        for (who, _), changes in self.changes.items():
            if who != account:
                continue
            ahead = [c for c in not_taken_back(c for c in changes if c.event_at < at) if c.acts_at >= at]
            past = [step.mrr for step in steps_of(changes, self.now) if step.at < at]
            if past and not (ahead and ahead[-1].kind == "cancelled"):
                total += past[-1]
        return total

    def renewed(self, start: datetime, end: datetime, held: Held) -> list[Term]:
        return [term for term in self.terms if start <= term.due_at < end and held(term.account)]

    def subscription_mrr(self, account: str, subscription: str, at: datetime) -> Decimal:
        steps = steps_of(not_taken_back(self.changes[account, subscription]), self.now)
        return next((step.mrr for step in reversed(steps) if step.at < at), ZERO)

    def _renew_elsewhere(self) -> None:
        left = [start for key in self.changes for start in self._starts(*key)]
        for term in sorted(self.terms, key=lambda t: (t.due_at, t.subscription)):
            assert term.begun is not None
            fitting = [
                s
                for s in left
                if (s.account, s.product) == (term.account, term.product)
                and s.subscription != term.subscription
                and s.at > term.begun
                and -45 * DAY <= s.at - term.due_at < OVERDUE
            ]
            if fitting and not term.renews_itself:
                first = min(fitting, key=lambda s: (s.at, s.tie))
                left.remove(first)
                term.kept = min(term.due, first.mrr)

    def _starts(self, account: str, subscription: str) -> list[Start]:
        """Where it is started that was worth nothing before; as the last change of that instant leaves it."""
        changes = not_taken_back(self.changes[account, subscription])
        steps = steps_of(changes, self.now)
        found = []
        for at in sorted({c.acts_at for c in changes if c.kind == "started"}):
            before = [step.mrr for step in steps if step.at < at]
            then = [step.mrr for step in steps if step.at == at]
            if then and then[-1] > ZERO and (not before or before[-1] == ZERO):
                last = [c for c in changes if c.acts_at == at][-1]
                tie = (last.event_at, last.source, last.id)
                product = self._product(changes, at, inclusive=True)
                found.append(Start(account, subscription, at, tie, then[-1], product))
        return found

    def _product(self, changes: list[Change], at: datetime, *, inclusive: bool) -> str | None:
        told = [self.products[c] for c in changes if c.acts_at < at or (inclusive and c.acts_at == at)]
        return next((product for product in reversed(told) if product), None)

    def _left(self, account: str, end: datetime) -> datetime:
        """The last instant from which on it was worth nothing up to `end`."""
        instants = sorted({s.at for steps in self.revenue.steps[account] for s in steps if s.at < end})
        for at in reversed(instants):
            if self.revenue.account_mrr(account, at) > ZERO:
                return at
        raise AssertionError("it never had any")

    def _terms(self, account: str, subscription: str) -> list[Term]:
        found: list[Term] = []
        term: datetime | None = None
        worth: list[tuple[datetime, Decimal]] = []

        def level(at: datetime) -> Decimal:
            past = [mrr for since, mrr in worth if since < at]
            return past[-1] if past else ZERO

        changes = not_taken_back(self.changes[account, subscription])
        begun = changes[0].acts_at

        def ended(at: datetime, decided_at: datetime, by: Change | None, kept: Decimal | None) -> Term:
            due, product = level(decided_at), self._product(changes, decided_at, inclusive=False)
            capped = None if kept is None else min(due, kept)
            return Term(account, at, due, capped, subscription, begun, product, by is not None)

        for change, following in zip(changes, [*changes[1:], None], strict=True):
            if term is not None and change.acts_at >= term + OVERDUE:
                found.append(ended(term, term, None, ZERO))
                term = None
            replaced = following is not None and following.acts_at == change.acts_at
            cancels = change.kind == "cancelled" and not replaced
            renews = change.kind in ("started", "renewed") or (
                change.kind == "changed"
                and change.term_end is not None
                and term is not None
                and change.term_end > term
            )
            if term is not None and (cancels or renews):
                by = change if renews else None
                kept = change.mrr if renews else ZERO
                found.append(ended(term, min(term, change.acts_at), by, kept or ZERO))
            worth.append((change.acts_at, change.mrr or ZERO))
            if change.kind in ("started", "renewed"):
                begun = change.acts_at
            if change.kind == "cancelled":
                term = term if replaced else None
            elif change.kind != "changed" or change.term_end is not None:
                term = change.term_end
        if term is not None:
            found.append(ended(term, term, None, ZERO if term + OVERDUE <= self.now else None))
        return found


def rate(terms: list[Term]) -> tuple[Fraction | None, Fraction | None, Fraction | None]:
    """(of what is decided, if all open ones are lost, if all of them are renewed)"""
    kept = sum((term.kept for term in terms if term.kept is not None), ZERO)
    open_ = sum((term.due for term in terms if term.kept is None), ZERO)
    due = sum((term.due for term in terms), ZERO)

    def over(part: Decimal, whole: Decimal) -> Fraction | None:
        return Fraction(part) / Fraction(whole) if whole else None

    return over(kept, due - open_), over(kept, due), over(kept + open_, due)


def logo_rate(terms: list[Term]) -> tuple[int, int, int]:
    """(accounts kept, lost, open)"""
    by_account: dict[str, list[Term]] = defaultdict(list)
    for term in terms:
        by_account[term.account].append(term)
    kept = sum(any(term.kept for term in its) for its in by_account.values())
    open_ = sum(
        not any(term.kept for term in its) and any(term.kept is None for term in its)
        for its in by_account.values()
    )
    return kept, len(by_account) - kept - open_, open_
