"""The renewals of an account: each term with what became of it, and the one ahead where only a trait tells it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from common.figures.mrr import OVERDUE
from common.figures.terms import Due

Source = Literal["term", "trait"]


@dataclass(frozen=True, slots=True)
class Renewal:
    """`due_at`: the term's end by its original date. `renewed`: MRR that was kept, 0 when it was lost, None while it is open.

    `mrr` is what is due, in the tenant's currency. Of source `trait` where no subscription names a term: then all that the
    account pays is due on the day that the trait `renewal_at` says.
    """

    subscription: str
    due_at: dt.datetime
    notice_deadline: dt.datetime | None
    mrr: Decimal
    renewed: Decimal | None
    source: Source = "term"

    @property
    def decide_by(self) -> dt.datetime:
        """When there is something to be lost: the notice deadline, else the term's end."""
        return self.notice_deadline or self.due_at


def renewals_of(
    terms: Sequence[Due],
    mrr: Decimal,
    renewal_at: dt.datetime | None,
    notice_deadline: dt.datetime | None,
    now: dt.datetime,
) -> tuple[Renewal, ...]:
    """In the order of their due dates. A date that only a trait tells is forgotten once it is overdue for 30 days."""
    found = {
        # A term that is renewed to its own end is one renewal, as it was left.
        (due.at, due.subscription): Renewal(due.subscription, due.at, due.deadline, due.mrr, due.renewed)
        for due in terms
    }
    decided = all(one.renewed is not None for one in found.values())
    if decided and mrr > 0 and renewal_at is not None and now - OVERDUE < renewal_at:
        found[renewal_at, ""] = Renewal("", renewal_at, notice_deadline, mrr, None, "trait")
    return tuple(one for _, one in sorted(found.items()))


def ahead(renewals: Sequence[Renewal]) -> Renewal | None:
    """The open one that has to be decided first."""
    return min((one for one in renewals if one.renewed is None), key=lambda one: one.decide_by, default=None)
