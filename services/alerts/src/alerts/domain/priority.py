"""What is at stake in a case: how much money, how likely, how near the last day to act; and whether that wakes anybody."""

from collections.abc import Iterable, Sequence
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
class Renewal:
    """One that is open. `mrr` (more than 0) and `at_risk` a month in the tenant's currency, to the cent as everybody is shown them;
    both, and `probability` from 0 to 1, are None where unknown. `deadline`: the last moment for notice, None where nobody knows it."""

    mrr: Decimal | None
    probability: Decimal | None
    at_risk: Decimal | None
    deadline: datetime | None


@dataclass(frozen=True, slots=True)
class Situation:
    """Of an account. `mrr` a month in the tenant's currency, None where unknown. `deadline`: of what no renewal names one for."""

    mrr: Decimal | None
    renewals: Sequence[Renewal] = ()
    deadline: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stakes:
    """`money` a year: the sum of what each open renewal has at risk. `priority` orders the work queue; it is money, that of each renewal up
    to doubled by its near deadline. `severity`: how grave the case is, where that of a rule says how alarming its sign is."""

    severity: Severity = "info"
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
    gravest = worst(severity for severity, _ in firing)
    judged = _judged(situation) if queue == "risk" else None
    probability, parts = judged or _assumed(situation, terms, gravest, now)
    priority = sum((money * _urgency(deadline, now) for money, deadline in parts), Decimal(0)).quantize(_CENT)
    if queue == "growth":
        return Stakes(gravest, priority=priority, paging=Paging.GROWTH)
    worth = sum((money for money, _ in parts), Decimal(0)) if judged or situation.mrr is not None else None
    by_money, is_hard = _paging(parts, terms, now), any(is_hard for _, is_hard in firing)
    # Who pays nothing may be somebody whose contract nobody told us of.
    is_little = by_money is Paging.UNDER_LIMIT and not is_hard and bool(judged or situation.mrr)
    return Stakes(
        _severity(gravest, by_money, is_little=is_little),
        probability.quantize(_SHARE),
        "renewal-risk" if judged else "severity",
        worth,
        _deadline(parts, terms, now),
        priority,
        Paging.HARD_EVENT if is_hard else by_money,
    )


def _severity(gravest: Severity, paging: Paging, *, is_little: bool) -> Severity:
    """Of a case, by that of the gravest rule: much money that is due soon is critical whatever tells of it, little money never."""
    if paging is Paging.MONEY_AND_DEADLINE:
        return "critical"
    return "warning" if is_little and gravest == "critical" else gravest


Part = tuple[Decimal, datetime | None]
"""Money a year, and the last moment for notice of it."""


def _judged(situation: Situation) -> tuple[Decimal, list[Part]] | None:
    """Those whose risk is known, and what share of what they are worth is likely lost."""
    parts, due, lost = [], Decimal(0), Decimal(0)
    for one in situation.renewals:
        if one.mrr is not None and one.probability is not None and one.at_risk is not None:
            parts.append((_MONTHS * one.at_risk, one.deadline or situation.deadline))
            due += one.mrr
            lost += one.mrr * one.probability
    return (lost / due, parts) if parts else None


def _assumed(
    situation: Situation, terms: Terms, severity: Severity, now: datetime
) -> tuple[Decimal, list[Part]]:
    """All that the account pays, by the soonest deadline that anything names."""
    probability = terms.assumed.get(severity, Decimal(0))
    money = ((situation.mrr or Decimal(0)) * _MONTHS * probability).quantize(_CENT)
    deadlines = [*(one.deadline for one in situation.renewals), situation.deadline]
    return probability, [(money, _soonest(deadlines, now))]


def _urgency(deadline: datetime | None, now: datetime) -> Decimal:
    """1 to 2. A deadline that passed can't be met any more, one that is unknown says nothing."""
    if deadline is None or deadline < now:
        return Decimal(1)
    left = min(deadline - now, COUNTS_FROM)
    return 1 + Decimal((COUNTS_FROM - left) // timedelta(seconds=1)) / Decimal(
        COUNTS_FROM // timedelta(seconds=1)
    )


def _soonest(deadlines: Iterable[datetime | None], now: datetime) -> datetime | None:
    """Still ahead; else the last one that passed."""
    known = [deadline for deadline in deadlines if deadline is not None]
    return min((at for at in known if at >= now), default=max(known, default=None))


def _deadline(parts: Sequence[Part], terms: Terms, now: datetime) -> datetime | None:
    """The soonest by which more is at risk than pages, since little money that is due first matters little; else the soonest of all."""
    soon, money = sorted((at, amount) for amount, at in parts if at is not None and at >= now), Decimal(0)
    for deadline, amount in soon:
        money += amount
        if terms.page is not None and money > terms.page.above:
            return deadline
    return _soonest((deadline for _, deadline in parts), now)


def _paging(parts: Sequence[Part], terms: Terms, now: datetime) -> Paging:
    """Of events that are not hard."""
    if terms.page is None:
        return Paging.NO_LIMIT
    above, until = terms.page.above, now + terms.page.within
    if sum(money for money, _ in parts) <= above:
        return Paging.UNDER_LIMIT
    if sum(money for money, at in parts if at is not None and now <= at <= until) > above:
        return Paging.MONEY_AND_DEADLINE
    is_unknown = sum(money for money, at in parts if at is None) > above
    return Paging.DEADLINE_UNKNOWN if is_unknown else Paging.DEADLINE_FAR
