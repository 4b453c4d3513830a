"""Which hard cases of recurring revenue a set of events holds, found in the events themselves and not in who wrote them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from itertools import groupby, pairwise

from tests.reference.events import Event, accepted
from tests.reference.revenue import CHANGE_TYPES, OVERDUE, ZERO, Change, Step, change_of, steps_of

EDGES = (
    "products side by side",
    "plan swapped at one instant",
    "account left and returned",
    "subscription left and returned",
    "several changes of one subscription at one instant",
    "several products changed at one instant",
    "acts later than told",
    "acts earlier than told",
    "acts later than now",
    "free of charge",
    "renewed before the term's end",
    "renewed while overdue",
    "renewed too late",
    "never renewed",
    "fee changed while overdue, then renewed in time",
    "fee changed after the term, not renewed",
)


def edges_of(arrived: Iterable[Event], now: datetime) -> Counter[str]:
    """How often each of `EDGES` occurs."""
    told: dict[str, dict[str, list[Change]]] = defaultdict(lambda: defaultdict(list))
    for event in accepted(arrived):
        if event.type in CHANGE_TYPES:
            told[event.account][event.data["subscription"]].append(change_of(event))
    found: Counter[str] = Counter()
    for subscriptions in told.values():
        for changes in subscriptions.values():
            changes.sort(key=lambda c: (c.acts_at, c.event_at, c.source, c.id))
            found.update(_of_changes(changes, now))
            found.update(_of_terms(changes, now))
        found.update(_of_account([steps_of(changes, now) for changes in subscriptions.values()]))
    return found


def _of_changes(changes: list[Change], now: datetime) -> Iterator[str]:
    for change in changes:
        if change.acts_at > change.event_at:
            yield "acts later than told"
        if change.acts_at < change.event_at:
            yield "acts earlier than told"
        if change.acts_at > now:
            yield "acts later than now"
        if change.mrr == ZERO:
            yield "free of charge"
    for _, same in groupby(changes, key=lambda c: c.acts_at):
        if len({change.mrr for change in same}) > 1:
            yield "several changes of one subscription at one instant"


def _of_terms(changes: list[Change], now: datetime) -> Iterator[str]:
    """Each term with what was told from then on until the next change that is about a term."""
    for number, change in enumerate(changes):
        if change.term_end is None or change.kind == "cancelled":
            continue
        fees, after = [], None
        for later in changes[number + 1 :]:
            if later.kind != "changed" or later.term_end is not None:
                after = later
                break
            fees.append(later)
        yield from _fate(change.term_end, fees, after, now)


def _fate(end: datetime, fees: list[Change], after: Change | None, now: datetime) -> Iterator[str]:
    fee_after_end = any(end <= fee.acts_at for fee in fees)
    if after is None:
        if end + OVERDUE <= now:
            yield "never renewed"
            if fee_after_end:
                yield "fee changed after the term, not renewed"
    elif after.kind == "renewed":
        if after.acts_at < end:
            yield "renewed before the term's end"
        elif after.acts_at >= end + OVERDUE:
            yield "renewed too late"
        else:
            yield "renewed while overdue"
            if fee_after_end:
                yield "fee changed while overdue, then renewed in time"


def _of_account(steps: list[list[Step]]) -> Iterator[str]:
    """From what each subscription of one account is worth: levels just after every instant at which one changes."""
    instants = sorted({step.at for its in steps for step in its})
    levels = [[_after(its, at) for its in steps] for at in instants]
    moved = [
        [(one, other) for one, other in zip(before, level, strict=True) if one != other]
        for before, level in pairwise([[ZERO] * len(steps), *levels])
    ]
    if any(sum(worth > ZERO for worth in level) > 1 for level in levels):
        yield "products side by side"
    if any(any(b == ZERO for _, b in its) and any(a == ZERO for a, _ in its) for its in moved):
        yield "plan swapped at one instant"
    if any(len(its) > 1 for its in moved):
        yield "several products changed at one instant"
    if _returns([sum(level) > ZERO for level in levels]):
        yield "account left and returned"
    if any(_returns([level[n] > ZERO for level in levels]) for n in range(len(steps))):
        yield "subscription left and returned"


def _after(steps: list[Step], at: datetime) -> Decimal:
    past = [step.mrr for step in steps if step.at <= at]
    return past[-1] if past else ZERO


def _returns(paying: list[bool]) -> bool:
    stretches = [is_paying for is_paying, _ in groupby(paying)]
    return sum(stretches) > 1
