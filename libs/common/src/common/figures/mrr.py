"""Recurring revenue of an account, as a step function over instants. Shared by the engine and everybody who checks it.

A subscription's change acts at its effective instant; changes of one instant act in the order of (event_at, source,
event_id), and the last stands. The state at T is made of what acts strictly before T, so a delta at T counts after T.

A term that ended and was not renewed stays counted for `OVERDUE` and is then churn, dated to the term's end, whatever fee
was changed since. It is renewed by what begins a term (started, renewed) or names another (`term_end`); renewed within
those 30 days it is continuous, later it returns. ADR 0080.

A cancellation told ahead is withdrawn by what begins a term of the same subscription (started, renewed), was told after it
and before it acts, and acts itself at most `OVERDUE` after it: it then ends nothing. ADR 0223.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal, TypeVar

OVERDUE = dt.timedelta(days=30)  # metrics.md: lapsed and not renewed is overdue for 30 days, then churn
ZERO = Decimal(0)

Kind = Literal["started", "changed", "renewed", "cancelled"]
Step = tuple[dt.datetime, Decimal]
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Change:
    """One subscription event, `effective_at` its own or the event's time. `mrr` and `currency` are None only for cancelled.

    `product`, `seats`: what it is about and for how many from then on; None says nothing about it.
    """

    subscription: str
    effective_at: dt.datetime
    event_at: dt.datetime
    source: str
    event_id: str
    kind: Kind
    mrr: Decimal | None = None
    term_end: dt.datetime | None = None
    currency: str | None = None
    product: str | None = None
    notice_deadline: dt.datetime | None = None
    seats: Decimal | None = None

    @property
    def order(self) -> tuple[dt.datetime, dt.datetime, str, str]:
        return (self.effective_at, *self.told)

    @property
    def told(self) -> tuple[dt.datetime, str, str]:
        """Which was said before which."""
        return (self.event_at, self.source, self.event_id)


def step_function(changes: Iterable[Change], now: dt.datetime) -> list[Step]:
    """The account's MRR as (instant, change of MRR), in order, one entry an instant and none of zero. Of one currency.

    Changes announced for after `now` are in it; a lapse is in it once `now` has passed its 30 days.
    """
    return step_functions(changes, now, lambda _: None).get(None, [])


def step_functions(
    changes: Iterable[Change], now: dt.datetime, key: Callable[[Change], K]
) -> dict[K, list[Step]]:
    """The same for every key, such as the currency that a change tells; what changes its key goes from one to the other."""
    return _summed([levels(its, now) for its in standing(changes)], key)


def seat_steps(changes: Iterable[Change], now: dt.datetime) -> list[Step]:
    """The seats of an account's running subscriptions, as `step_function` has their MRR; empty where none was told any."""
    told = list(changes)
    if all(change.seats is None for change in told):
        return []
    seated = ([replace(change, mrr=change.seats or ZERO) for change in its] for its in standing(told))
    return _summed([levels(its, now) for its in seated], lambda _: None).get(None, [])


def next_effect_at(changes: Iterable[Change], now: dt.datetime) -> dt.datetime | None:
    """The first instant after `now` at which MRR moves or a lapse becomes churn although nothing arrives; None if never."""
    instants: list[dt.datetime] = []
    for its in standing(changes):
        instants.extend(change.effective_at for change in its if change.effective_at > now)
        instants.extend(due for due in _lapses_due(its) if due > now)
    return min(instants, default=None)


def standing(changes: Iterable[Change]) -> list[list[Change]]:
    """Of each subscription of an account all changes but the cancellations that were withdrawn, in order.

    What a change doesn't say of currency, product and seats stays as it was said before.
    """
    return [_standing(its) for its in _by_subscription(changes)]


def notices(changes: Iterable[Change], now: dt.datetime) -> list[Change]:
    """The cancellations that were told by now, act after it and were not withdrawn by now."""
    known = [change for change in changes if change.event_at <= now]
    pending = [change for its in standing(known) for change in its if change.effective_at > now]
    return [change for change in pending if change.kind == "cancelled"]


def committed_functions(
    changes: Iterable[Change], now: dt.datetime, key: Callable[[Change], K]
) -> dict[K, list[Step]]:
    """As `step_functions`, but what was given notice of ends when notice was given.

    A subscription is under notice from a cancellation told ahead until it acts or is withdrawn, unless something told later
    acts after it.
    """
    return _summed([_committed(its, levels(_standing(its), now)) for its in _by_subscription(changes)], key)


def _committed(changes: Sequence[Change], its: Sequence[Level]) -> list[Level]:
    edges = {at for at, _, _ in its} | {c.event_at for c in changes} | {c.effective_at for c in changes}
    until = [(change, _withdrawn_at(change, changes)) for change in changes]
    found: list[Level] = []
    for at in sorted(edges):
        past = [(mrr, change) for since, mrr, change in its if since <= at]
        if past:
            mrr, change = past[-1]
            found.append((at, ZERO if _under_notice(until, at) else mrr, change))
    return found


def _summed(subscriptions: Iterable[Sequence[Level]], key: Callable[[Change], K]) -> dict[K, list[Step]]:
    deltas: dict[K, dict[dt.datetime, Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
    for its_levels in subscriptions:
        was: tuple[K, Decimal] | None = None
        for at, mrr, change in its_levels:
            if was is not None:
                deltas[was[0]][at] -= was[1]
            was = key(change), mrr
            deltas[was[0]][at] += mrr
    found = {
        name: [(at, delta) for at, delta in sorted(its.items()) if delta != 0] for name, its in deltas.items()
    }
    return {name: steps for name, steps in found.items() if steps}


def _under_notice(changes: Sequence[tuple[Change, dt.datetime | None]], at: dt.datetime) -> bool:
    """Of what was told by an instant, acts after it and isn't withdrawn at it, the last is a cancellation.

    `changes`: each with when it was withdrawn.
    """
    pending = [
        change
        for change, withdrawn_at in changes
        if change.event_at <= at < change.effective_at and (withdrawn_at is None or at < withdrawn_at)
    ]
    return bool(pending) and pending[-1].kind == "cancelled"


def _withdrawn_at(notice: Change, changes: Iterable[Change]) -> dt.datetime | None:
    """When a cancellation was withdrawn by another change of its subscription; None: never, or it is none."""
    if notice.kind != "cancelled":
        return None
    last = notice.effective_at + OVERDUE
    told = (
        change.event_at
        for change in changes
        if change.kind in ("started", "renewed")
        and notice.told < change.told
        and change.event_at < notice.effective_at
        and change.effective_at <= last
    )
    return min(told, default=None)


def _standing(changes: Sequence[Change]) -> list[Change]:
    return _completed([change for change in changes if _withdrawn_at(change, changes) is None])


def lapsed_at(changes: Iterable[Change], now: dt.datetime) -> set[dt.datetime]:
    """The ends of an account's terms that lapsed, as known at `now`: churn that nobody told."""
    return {
        at
        for its in standing(changes)
        for at, mrr, change in levels(its, now)
        if mrr == 0 and (change.effective_at != at or (change.kind != "cancelled" and change.mrr))
    }


def value_before(steps: Iterable[Step], at: dt.datetime) -> Decimal:
    """MRR of everything that acts strictly before `at`."""
    return sum((delta for step_at, delta in steps if step_at < at), ZERO)


Level = tuple[dt.datetime, Decimal, Change]
"""From an instant on one subscription is worth so much, in the words of that change."""


def _by_subscription(changes: Iterable[Change]) -> list[list[Change]]:
    grouped: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        grouped[change.subscription].append(change)
    return [sorted(its, key=lambda change: change.order) for its in grouped.values()]


def _completed(changes: Sequence[Change]) -> list[Change]:
    found: list[Change] = []
    for change in changes:
        before = found[-1] if found else change
        currency, product = change.currency or before.currency, change.product or before.product
        seats = before.seats if change.seats is None else change.seats
        same = (currency, product, seats) == (change.currency, change.product, change.seats)
        found.append(change if same else replace(change, currency=currency, product=product, seats=seats))
    return found


def levels(changes: Sequence[Change], now: dt.datetime) -> list[Level]:
    """Of one subscription, by what stands of it; several entries of one instant stand in order."""
    found: list[Level] = []
    term_end: dt.datetime | None = None
    for change in changes:
        if term_end is not None and term_end + OVERDUE <= min(change.effective_at, now):
            found = _lapsed(found, term_end)
        mrr = ZERO if change.kind == "cancelled" else change.mrr or ZERO
        found.append((change.effective_at, mrr, change))
        term_end = _term_after(change, term_end)
    if term_end is not None and term_end + OVERDUE <= now:
        found = _lapsed(found, term_end)
    return found


def _term_after(change: Change, term_end: dt.datetime | None) -> dt.datetime | None:
    """A change that names no term leaves the term as it is, also when it is over; any other replaces it."""
    if change.kind == "changed" and change.term_end is None:
        return term_end
    return None if change.kind == "cancelled" else change.term_end


def _lapsed(its: Sequence[Level], term_end: dt.datetime) -> list[Level]:
    return [*(level for level in its if level[0] < term_end), (term_end, ZERO, its[-1][2])]


def _lapses_due(changes: Sequence[Change]) -> list[dt.datetime]:
    """When each term of one subscription would become churn if nothing that acts before then renewed it."""
    due: list[dt.datetime] = []
    term_end: dt.datetime | None = None
    for change in changes:
        if term_end is not None and term_end + OVERDUE <= change.effective_at:
            due.append(term_end + OVERDUE)
        term_end = _term_after(change, term_end)
    if term_end is not None:
        due.append(term_end + OVERDUE)
    return due
