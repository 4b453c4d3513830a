"""The renewals of an account: each term with what became of it, and the one ahead where only a trait tells it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from common.figures.mrr import OVERDUE
from common.figures.terms import Due

Source = Literal["term", "trait"]


@dataclass(frozen=True, slots=True)
class Renewal:
    """`due_at`: the term's end by its original date. `renewed`: MRR that was kept, 0 when it was lost, None while it is open.

    `mrr` is what is due, in the tenant's currency; None where it is due in one without any rate, and `renewed` is in that one. Of source `trait` where no subscription names a term: then all that the
    account pays is due on the day that the trait `renewal_at` says.
    """

    subscription: str
    due_at: dt.datetime
    notice_deadline: dt.datetime | None
    mrr: Decimal | None
    renewed: Decimal | None
    source: Source = "term"

    @property
    def decide_by(self) -> dt.datetime:
        """When there is something to be lost: the notice deadline, else the term's end."""
        return self.notice_deadline or self.due_at


def renewals_of(
    terms: Sequence[Due],
    mrr: Decimal | None,
    renewal_at: dt.datetime | None,
    notice_deadline: dt.datetime | None,
    now: dt.datetime,
    *,
    is_closed: bool,
    unrated: Collection[str] = (),
) -> tuple[Renewal, ...]:
    """`mrr`: what the account pays, None where that is something in a currency without any rate; `unrated`: such currencies.

    In the order of their due dates; of an account that is closed only those that are decided: none is to come.

    A date that only a trait tells is forgotten once it is overdue for 30 days.
    """
    found = {
        # A term that is renewed to its own end is one renewal, as it was left.
        (due.at, due.subscription): Renewal(
            due.subscription,
            due.at,
            due.deadline,
            None if unrated and not set(due.currencies).isdisjoint(unrated) else due.mrr,
            due.renewed,
        )
        for due in terms
        if due.renewed is not None or not is_closed
    }
    decided = all(one.renewed is not None for one in found.values())
    if (
        decided
        and not is_closed
        and (mrr is None or mrr > 0)
        and renewal_at is not None
        and now - OVERDUE < renewal_at
    ):
        found[renewal_at, ""] = Renewal("", renewal_at, notice_deadline, mrr, None, "trait")
    return tuple(one for _, one in sorted(found.items()))


def ahead(renewals: Sequence[Renewal], now: dt.datetime) -> list[Renewal]:
    """The open ones, that first which must be decided first; those come last whose last day for notice is over without notice."""
    return sorted((one for one in renewals if one.renewed is None), key=lambda one: _turn(one, now))


def _turn(one: Renewal, now: dt.datetime) -> tuple[bool, dt.datetime, str]:
    over = one.decide_by < now
    return over, one.due_at if over else one.decide_by, one.subscription


def facing(
    one: Renewal, renewals: Sequence[Renewal], today: dt.date, day_of: Callable[[dt.datetime], dt.date]
) -> dict[str, float]:
    """What reasons may read of a renewal (RENEWAL_FIGURES); what isn't known is left out. `day_of`: the local day of an instant."""
    known = {
        "days_to_decide": float((day_of(one.decide_by) - today).days),
        "days_to_end": float((day_of(one.due_at) - today).days),
    }
    if one.mrr is not None:
        known["mrr"] = float(one.mrr)
    if one.notice_deadline is not None:
        known["days_to_notice"] = float((day_of(one.notice_deadline) - today).days)
    if one.source == "term":
        known["kept"] = float(
            sum(1 for its in renewals if its.subscription == one.subscription and its.renewed)
        )
    return known
