"""What is at stake in a case: how much money, how likely, how near the last day to act; and whether that wakes anybody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Literal

from alerts.domain.severity import Severity, worst
from alerts.domain.terms import Terms

Queue = Literal["risk", "growth"]
# From here on a nearing notice deadline counts, up to twice on its last day: a quarter is what a rescue takes.
COUNTS_FROM = timedelta(days=90)
_MONTHS = 12
_CENT = Decimal("0.01")
_SHARE = Decimal("0.0001")


class Paging(Enum):
    """Why a case is told at once, or waits in the work queue for the morning's digest. Also a column and a field of answers."""

    NO_LIMIT = "no-limit"
    HARD_EVENT = "hard-event"
    MONEY_AND_DEADLINE = "money-and-deadline"
    UNDER_LIMIT = "under-limit"
    DEADLINE_UNKNOWN = "deadline-unknown"
    DEADLINE_FAR = "deadline-far"
    GROWTH = "growth"

    @property
    def pages(self) -> bool:
        return self in (Paging.NO_LIMIT, Paging.HARD_EVENT, Paging.MONEY_AND_DEADLINE)


@dataclass(frozen=True, slots=True)
class Situation:
    """Of an account. `mrr` a month in the tenant's currency; `renewal_risk` 0 to 1; each None where unknown."""

    mrr: Decimal | None
    renewal_risk: Decimal | None
    notice_deadline: datetime | None


@dataclass(frozen=True, slots=True)
class Stakes:
    """`money` a year: money x probability. `priority` orders the work queue; it is money, up to doubled by a near deadline."""

    probability: Decimal | None = None
    probability_from: str | None = None
    money: Decimal | None = None
    notice_deadline: datetime | None = None
    priority: Decimal = Decimal(0)
    paging: Paging = Paging.NO_LIMIT


def stakes_of(
    situation: Situation, queue: Queue, firing: Sequence[tuple[Severity, bool]], terms: Terms, now: datetime
) -> Stakes:
    """`firing`: severity of each rule that fires and whether it is hard. A growth case has a worth, never money at risk."""
    severity = worst(severity for severity, _ in firing)
    assumed = terms.assumed.get(severity, Decimal(0))
    known = situation.renewal_risk if queue == "risk" else None
    probability = (assumed if known is None else known).quantize(_SHARE)
    worth = None if situation.mrr is None else (situation.mrr * _MONTHS * probability).quantize(_CENT)
    deadline = situation.notice_deadline
    priority = ((worth or Decimal(0)) * _urgency(deadline, now)).quantize(_CENT)
    if queue == "growth":
        return Stakes(priority=priority, paging=Paging.GROWTH)
    hard = any(is_hard for _, is_hard in firing)
    paging = _paging(worth, deadline, terms, now, hard=hard)
    return Stakes(
        probability, "severity" if known is None else "renewal-risk", worth, deadline, priority, paging
    )


def _urgency(deadline: datetime | None, now: datetime) -> Decimal:
    """1 to 2. A deadline that passed can't be met any more, one that is unknown says nothing."""
    if deadline is None or deadline < now:
        return Decimal(1)
    left = min(deadline - now, COUNTS_FROM)
    return 1 + Decimal((COUNTS_FROM - left) // timedelta(seconds=1)) / Decimal(
        COUNTS_FROM // timedelta(seconds=1)
    )


def _paging(
    money: Decimal | None, deadline: datetime | None, terms: Terms, now: datetime, *, hard: bool
) -> Paging:
    if hard:
        return Paging.HARD_EVENT
    if terms.page is None:
        return Paging.NO_LIMIT
    if money is None or money <= terms.page.above:
        return Paging.UNDER_LIMIT
    if deadline is None:
        return Paging.DEADLINE_UNKNOWN
    is_near = now <= deadline <= now + terms.page.within
    return Paging.MONEY_AND_DEADLINE if is_near else Paging.DEADLINE_FAR
