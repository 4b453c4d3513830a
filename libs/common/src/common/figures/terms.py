"""What became of terms that were due: renewed, lost, or still open. Pure.

A term is due at its end, with what the subscription was worth just before it was decided, at its end at the latest. A
change that names a later term, or starts or renews the subscription, renews it when it acts before the end or within the
30 days after; at no more than what was due. A cancellation that stands, or nothing in those 30 days, loses it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from common.figures.mrr import OVERDUE, ZERO, Change, standing


@dataclass(frozen=True, slots=True)
class Due:
    """`renewed` is None while it is open, 0 when it was lost. `deadline`: the last day for giving notice.

    `currencies`: of what was due, and of what renewed it.
    """

    at: dt.datetime
    mrr: Decimal
    renewed: Decimal | None
    deadline: dt.datetime | None = None
    subscription: str = ""
    currencies: tuple[str | None, ...] = ()


Convert = Callable[[Decimal, str | None, dt.datetime], Decimal]
"""An amount of a currency at the rates of the day before an instant."""


def _as_it_is(amount: Decimal, _currency: str | None, _at: dt.datetime) -> Decimal:
    return amount


def dues(changes: Iterable[Change], now: dt.datetime, convert: Convert = _as_it_is) -> list[Due]:
    """The terms of all subscriptions of an account, as known at `now`; those worth nothing are left out.

    What was due and what was renewed count at the rates of the term's end.
    """
    found = [due for its in standing(changes) for due in _dues(its, now, convert) if due.mrr > 0]
    return sorted(found, key=lambda due: (due.at, due.mrr))


def _dues(changes: Sequence[Change], now: dt.datetime, convert: Convert) -> Iterator[Due]:
    end: dt.datetime | None = None
    deadline: dt.datetime | None = None
    levels: list[tuple[dt.datetime, Decimal, str | None]] = []

    def ended(at: dt.datetime, before: dt.datetime, by: Change | None, *, is_open: bool = False) -> Due:
        """The term that ends at an instant, with what it was worth just before another."""
        past = [(mrr, currency) for since, mrr, currency in levels if since < before]
        due = convert(*past[-1], at) if past else ZERO
        kept = convert(by.mrr or ZERO, by.currency, at) if by is not None else ZERO
        currencies = (*(past[-1][1:] if past else ()), *((by.currency,) if by is not None else ()))
        renewed = None if is_open else min(due, kept)
        return Due(at, due, renewed, deadline, changes[0].subscription, currencies)

    for position, change in enumerate(changes):
        if end is not None and end + OVERDUE <= change.effective_at:
            yield ended(end, end, None)
            end = None
        stands = position + 1 == len(changes) or changes[position + 1].effective_at != change.effective_at
        if end is not None and _decides(change, end, stands=stands):
            yield ended(end, min(end, change.effective_at), None if change.kind == "cancelled" else change)
        levels.append((change.effective_at, change.mrr or ZERO, change.currency))
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
