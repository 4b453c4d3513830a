"""What became of terms that were due: renewed, lost, or still open. Pure.

A term is due at its end, with what the subscription was worth just before it was decided, at its end at the latest. A
change that names a later term, or starts or renews the subscription, renews it when it acts before the end or within the
30 days after; at no more than what was due. A cancellation, or nothing in those 30 days, loses it.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from common.figures.mrr import OVERDUE, ZERO, Change


@dataclass(frozen=True, slots=True)
class Due:
    """`renewed` is None while it is open, 0 when it was lost."""

    at: dt.datetime
    mrr: Decimal
    renewed: Decimal | None


def dues(changes: Iterable[Change], now: dt.datetime) -> list[Due]:
    """The terms of all subscriptions of an account, as known at `now`; those worth nothing are left out."""
    by_subscription: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        by_subscription[change.subscription].append(change)
    found = [
        due
        for its in by_subscription.values()
        for due in _dues(sorted(its, key=lambda change: change.order), now)
        if due.mrr > 0
    ]
    return sorted(found, key=lambda due: (due.at, due.mrr))


def _dues(changes: Sequence[Change], now: dt.datetime) -> Iterator[Due]:
    term_end: dt.datetime | None = None
    levels: list[tuple[dt.datetime, Decimal]] = []
    for position, change in enumerate(changes):
        if term_end is not None and term_end + OVERDUE <= change.effective_at:
            yield Due(term_end, _before(levels, term_end), ZERO)
            term_end = None
        stands = position + 1 == len(changes) or changes[position + 1].effective_at != change.effective_at
        if term_end is not None and _decides(change, term_end, stands=stands):
            due = _before(levels, min(term_end, change.effective_at))
            kept = ZERO if change.kind == "cancelled" else min(due, change.mrr or ZERO)
            yield Due(term_end, due, kept)
        levels.append((change.effective_at, change.mrr or ZERO))
        if change.kind == "cancelled":
            term_end = None if stands else term_end
        elif change.kind != "changed" or change.term_end is not None:
            term_end = change.term_end
    if term_end is not None:
        lapsed = term_end + OVERDUE <= now
        yield Due(term_end, _before(levels, term_end), ZERO if lapsed else None)


def _decides(change: Change, term_end: dt.datetime, *, stands: bool) -> bool:
    """A term that is only moved forward is another due date; a cancellation that something replaces at once is none."""
    if change.kind == "cancelled":
        return stands
    if change.kind == "changed":
        return change.term_end is not None and change.term_end > term_end
    return True


def _before(levels: Sequence[tuple[dt.datetime, Decimal]], at: dt.datetime) -> Decimal:
    past = [mrr for since, mrr in levels if since < at]
    return past[-1] if past else ZERO
