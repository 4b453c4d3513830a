"""Recurring revenue of an account, as a step function over instants. Shared by the engine and everybody who checks it.

A subscription's change acts at its effective instant; changes of one instant act in the order of (event_at, source,
event_id), and the last stands. The state at T is made of what acts strictly before T, so a delta at T counts after T.

A term that ended and was not renewed stays counted for `OVERDUE` and is then churn, dated to the term's end, whatever fee
was changed since. It is renewed by what begins a term (started, renewed) or names another (`term_end`); renewed within
those 30 days it is continuous, later it returns. ADR 0080.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

OVERDUE = dt.timedelta(days=30)  # metrics.md: lapsed and not renewed is overdue for 30 days, then churn
ZERO = Decimal(0)

Kind = Literal["started", "changed", "renewed", "cancelled"]
Step = tuple[dt.datetime, Decimal]


@dataclass(frozen=True, slots=True)
class Change:
    """One subscription event, `effective_at` its own or the event's time. `mrr` is None only for cancelled."""

    subscription: str
    effective_at: dt.datetime
    event_at: dt.datetime
    source: str
    event_id: str
    kind: Kind
    mrr: Decimal | None = None
    term_end: dt.datetime | None = None

    @property
    def order(self) -> tuple[dt.datetime, dt.datetime, str, str]:
        return (self.effective_at, self.event_at, self.source, self.event_id)


def step_function(changes: Iterable[Change], now: dt.datetime) -> list[Step]:
    """The account's MRR as (instant, change of MRR), in order, one entry an instant and none of zero.

    Changes announced for after `now` are in it; a lapse is in it once `now` has passed its 30 days.
    """
    deltas: dict[dt.datetime, Decimal] = defaultdict(lambda: ZERO)
    for its in _by_subscription(changes):
        level = ZERO
        for at, mrr in _levels(its, now):
            deltas[at] += mrr - level
            level = mrr
    return [(at, delta) for at, delta in sorted(deltas.items()) if delta != 0]


def next_effect_at(changes: Iterable[Change], now: dt.datetime) -> dt.datetime | None:
    """The first instant after `now` at which MRR moves or a lapse becomes churn although nothing arrives; None if never."""
    instants = [
        change.effective_at
        for its in _by_subscription(changes)
        for change in its
        if change.effective_at > now
    ]
    for its in _by_subscription(changes):
        instants.extend(due for due in _lapses_due(its) if due > now)
    return min(instants, default=None)


def committed_function(changes: Iterable[Change], now: dt.datetime) -> list[Step]:
    """As `step_function`, but what was given notice of ends when notice was given.

    A subscription is under notice from a cancellation told ahead until it acts, unless something told later acts after it.
    """
    deltas: dict[dt.datetime, Decimal] = defaultdict(lambda: ZERO)
    for its in _by_subscription(changes):
        levels = _levels(its, now)
        level = ZERO
        edges = {at for at, _ in levels} | {c.event_at for c in its} | {c.effective_at for c in its}
        for at in sorted(edges):
            standing = [mrr for since, mrr in levels if since <= at]
            mrr = ZERO if _under_notice(its, at) or not standing else standing[-1]
            deltas[at] += mrr - level
            level = mrr
    return [(at, delta) for at, delta in sorted(deltas.items()) if delta != 0]


def _under_notice(changes: Sequence[Change], at: dt.datetime) -> bool:
    """Of what was told by an instant and acts after it, the last is a cancellation."""
    pending = [change for change in changes if change.event_at <= at < change.effective_at]
    return bool(pending) and pending[-1].kind == "cancelled"


def value_before(steps: Iterable[Step], at: dt.datetime) -> Decimal:
    """MRR of everything that acts strictly before `at`."""
    return sum((delta for step_at, delta in steps if step_at < at), ZERO)


def _by_subscription(changes: Iterable[Change]) -> list[list[Change]]:
    grouped: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        grouped[change.subscription].append(change)
    return [sorted(its, key=lambda change: change.order) for its in grouped.values()]


def _levels(changes: Sequence[Change], now: dt.datetime) -> list[Step]:
    """(instant, MRR from then on) of one subscription; several entries of one instant stand in order."""
    levels: list[Step] = []
    term_end: dt.datetime | None = None
    for change in changes:
        if term_end is not None and term_end + OVERDUE <= min(change.effective_at, now):
            levels = _lapsed(levels, term_end)
        levels.append((change.effective_at, ZERO if change.kind == "cancelled" else change.mrr or ZERO))
        term_end = _term_after(change, term_end)
    if term_end is not None and term_end + OVERDUE <= now:
        levels = _lapsed(levels, term_end)
    return levels


def _term_after(change: Change, term_end: dt.datetime | None) -> dt.datetime | None:
    """A change that names no term leaves the term as it is, also when it is over; any other replaces it."""
    if change.kind == "changed" and change.term_end is None:
        return term_end
    return None if change.kind == "cancelled" else change.term_end


def _lapsed(levels: Sequence[Step], term_end: dt.datetime) -> list[Step]:
    return [*(level for level in levels if level[0] < term_end), (term_end, ZERO)]


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
