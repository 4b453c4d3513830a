"""What is due of an account, and what its figures say of that."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from common.figures.histories import CLOSED
from common.figures.terms import Due
from common.risk.renewals import Renewal, ahead, renewals_of
from kpi_engine.domain.buckets import LocalTime
from kpi_engine.domain.state import Figure, day_of


def renewals_in(
    terms: Sequence[Due],
    mrr: Decimal | None,
    unrated: Collection[str],
    traits: Mapping[str, Any],
    now: datetime,
    local: LocalTime,
) -> tuple[Renewal, ...]:
    renewal_at, deadline = (_start(traits.get(name), local) for name in ("renewal_at", "notice_deadline"))
    return renewals_of(
        terms, mrr, renewal_at, deadline, now, is_closed=traits.get(CLOSED) is True, unrated=unrated
    )


def renewal_figures(
    renewals: Sequence[Renewal],
    mrr: Decimal | None,
    year_ago: Decimal | None,
    first_at: datetime | None,
    traits: Mapping[str, Any],
    now: datetime,
    local: LocalTime,
) -> dict[str, Figure]:
    """`days_to_renewal` and `days_to_notice` only where no trait says them and a term does."""
    known: dict[str, Figure] = {
        "renewals_kept": sum(1 for one in renewals if one.renewed) if renewals else None,
        "mrr_change_365d": float(mrr / year_ago - 1) if mrr is not None and year_ago else None,
        "paying_days": None if first_at is None else max(-_days_until(first_at, now, local), 0),
    }
    first = next(iter(ahead(renewals, now)), None)
    if first is not None and "renewal_at" not in traits:
        known["days_to_renewal"] = _days_until(first.due_at, now, local)
    if first is not None and first.notice_deadline is not None and "notice_deadline" not in traits:
        known["days_to_notice"] = _days_until(first.notice_deadline, now, local)
    return known


def _days_until(at: datetime, now: datetime, local: LocalTime) -> int:
    return (local.day_at(at) - local.day_at(now)).days


def _start(said: object, local: LocalTime) -> datetime | None:
    """The local midnight at which the day begins that a trait says."""
    day = day_of(said, local)
    try:
        return None if day is None else local.start_of(day)
    except (ValueError, OverflowError):
        return None
