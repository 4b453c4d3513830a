"""What became of terms that were due: renewed, lost, or still open. Pure.

A term is due at its end, with what the subscription was worth just before it was decided, at its end at the latest. A
change that names a later term, or starts or renews the subscription, renews it when it acts before the end or within the
30 days after; at no more than what was due. A cancellation that stands, or nothing in those 30 days, loses it.

A term that its own subscription doesn't renew is renewed by the start of another one of the account: of the same product, or
both of none, after the term began and from `EARLY` before its end until those 30 days after it. Each start renews one term,
the earlier start the term that ends earlier. ADR 0224.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import groupby
from operator import itemgetter

from common.figures.mrr import OVERDUE, ZERO, Change, levels, standing

EARLY = dt.timedelta(days=45)
"""So long before a term's end another subscription that starts may be what renews it: as early as renewals are agreed."""


@dataclass(frozen=True, slots=True)
class Due:
    """`renewed` is None while it is open, 0 when it was lost. `deadline`: the last day for giving notice.

    `amount` is `mrr` unconverted. `currencies`: of what was due, and of what renewed it; where one of them has no rate the converter
    counts one for one, so that it is due all the same.
    """

    at: dt.datetime
    mrr: Decimal
    renewed: Decimal | None
    deadline: dt.datetime | None = None
    subscription: str = ""
    currencies: tuple[str | None, ...] = ()
    amount: Decimal = ZERO


Convert = Callable[[Decimal, str | None, dt.datetime], Decimal]
"""An amount of a currency at the rates of the day before an instant."""


def _as_it_is(amount: Decimal, _currency: str | None, _at: dt.datetime) -> Decimal:
    return amount


def dues(changes: Iterable[Change], now: dt.datetime, convert: Convert = _as_it_is) -> list[Due]:
    """The terms of all subscriptions of an account, as known at `now`; those worth nothing are left out.

    What was due and what was renewed count at the rates of the term's end.
    """
    subscriptions = standing(changes)
    ended = [one for its in subscriptions for one in _ended(its, now, convert) if one.due.mrr > 0]
    starts = [start for its in subscriptions for start in _starts(its, now)]
    return sorted(_renewed(ended, starts, convert), key=lambda due: (due.at, due.mrr))


@dataclass(frozen=True, slots=True)
class _Ended:
    """A term that ended, begun at `since` and about `product`. `itself`: its own subscription renewed it."""

    due: Due
    since: dt.datetime
    product: str | None
    itself: bool

    def is_renewed_by(self, start: Change) -> bool:
        early, late = self.due.at - EARLY, self.due.at + OVERDUE
        return (
            start.subscription != self.due.subscription
            and start.product == self.product
            and self.since < start.effective_at
            and early <= start.effective_at < late
        )


def _renewed(ended: Iterable[_Ended], starts: Iterable[Change], convert: Convert) -> Iterator[Due]:
    """With what starts of other subscriptions renewed."""
    unused = sorted(starts, key=lambda start: start.order)
    for one in sorted(ended, key=lambda one: (one.due.at, one.due.subscription)):
        start = None if one.itself else next(filter(one.is_renewed_by, unused), None)
        if start is None:
            yield one.due
            continue
        unused.remove(start)
        kept = convert(start.mrr or ZERO, start.currency, one.due.at)
        currencies = (*one.due.currencies, start.currency)
        yield replace(one.due, renewed=min(one.due.mrr, kept), currencies=currencies)


def _starts(changes: Sequence[Change], now: dt.datetime) -> Iterator[Change]:
    """Where one subscription is started that was worth nothing just before, each as it stands at that instant."""
    was = ZERO
    for _, group in groupby(levels(changes, now), key=itemgetter(0)):
        its = list(group)
        _, mrr, change = its[-1]
        if was <= 0 < mrr and any(begun.kind == "started" for _, _, begun in its):
            yield change
        was = mrr


def _ended(changes: Sequence[Change], now: dt.datetime, convert: Convert) -> Iterator[_Ended]:
    """Of one subscription."""
    end: dt.datetime | None = None
    deadline: dt.datetime | None = None
    since = changes[0].effective_at
    past: list[Change] = []

    def ended(at: dt.datetime, before: dt.datetime, by: Change | None, *, is_open: bool = False) -> _Ended:
        """The term that ends at an instant, with what it was worth just before another."""
        last = next((change for change in reversed(past) if change.effective_at < before), None)
        parts = [change for change in (last, by) if change is not None]
        due, kept = (
            ZERO if one is None else convert(one.mrr or ZERO, one.currency, at) for one in (last, by)
        )
        currencies = tuple(change.currency for change in parts)
        renewed = None if is_open else min(due, kept)
        amount, product = (ZERO, None) if last is None else (last.mrr or ZERO, last.product)
        its = Due(at, due, renewed, deadline, changes[0].subscription, currencies, amount)
        return _Ended(its, since, product, itself=by is not None)

    for position, change in enumerate(changes):
        if end is not None and end + OVERDUE <= change.effective_at:
            yield ended(end, end, None)
            end = None
        stands = position + 1 == len(changes) or changes[position + 1].effective_at != change.effective_at
        if end is not None and _decides(change, end, stands=stands):
            yield ended(end, min(end, change.effective_at), None if change.kind == "cancelled" else change)
        past.append(change)
        if change.kind in ("started", "renewed"):
            since = change.effective_at
        if change.kind == "cancelled":
            end = None if stands else end
        elif change.kind != "changed" or change.term_end is not None:
            end, deadline = change.term_end, change.notice_deadline
        elif change.notice_deadline is not None:
            deadline = change.notice_deadline
    if end is not None:
        yield ended(end, end, None, is_open=end + OVERDUE > now)


def _decides(change: Change, term_end: dt.datetime, *, stands: bool) -> bool:
    """A term that is only moved forward is another due date; a cancellation that something replaces at once is none."""
    if change.kind == "cancelled":
        return stands
    if change.kind == "changed":
        return change.term_end is not None and change.term_end > term_end
    return True
