"""What is true of one account now, from a handful of numbers about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from common.signals.said import usual_gap
from kpi_engine.domain.buckets import LocalTime, instant_of

# Under so many user-days in the base a trend says nothing (metrics.md, login_trend).
LEAST_BASE = 8
COMPLAINT_BASE_WEEKS = 12

Figure = int | float | Decimal | str | None


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """None where the tenant's catalogue has no such measure; 0 where it has and nothing was counted.

    `complaints_before` counts the 12 weeks before the last 7 days. `active_days` are day numbers, ascending, of the
    last 180 days. `traits` is a JSON object without nulls.
    """

    account_id: int
    traits: str
    stage: str | None
    segment: str | None
    events_28d: int | None
    active_users_7d: int | None
    active_users_28d: int | None
    user_days_28d: int | None
    user_days_base: int | None
    complaints_7d: int | None
    complaints_28d: int | None
    complaints_before: int | None
    active_days: Sequence[int]
    nps_latest: Decimal | None
    first_event_at: datetime | None
    last_event_at: datetime | None
    last_activity_at: datetime | None
    newest_ingest_at: datetime | None


def trend(recent: int | None, base: int | None) -> float | None:
    """Relative change of user-days; unknown where the base is too small to say."""
    if recent is None or base is None or base < LEAST_BASE:
        return None
    return recent / base - 1


def figures_of(
    facts: AccountFacts,
    traits: Mapping[str, Any],
    mrr: Decimal | None,
    segment_trend: float | None,
    now: datetime,
    local: LocalTime,
) -> dict[str, Figure]:
    """What rules and health profiles read. `traits`: those of `facts`, decoded."""
    own_trend = trend(facts.user_days_28d, facts.user_days_base)
    before = facts.complaints_before
    return {
        "events_28d": facts.events_28d,
        "active_users_7d": facts.active_users_7d,
        "active_users_28d": facts.active_users_28d,
        "user_days_28d": facts.user_days_28d,
        "user_days_base": facts.user_days_base,
        "login_trend": own_trend,
        "segment_login_trend": segment_trend,
        "login_trend_vs_segment": (
            None if own_trend is None or segment_trend is None else own_trend - segment_trend
        ),
        "complaints_7d": facts.complaints_7d,
        "complaints_28d": facts.complaints_28d,
        "complaints_base": None if before is None else before / COMPLAINT_BASE_WEEKS,
        "last_activity_at": _text(facts.last_activity_at),
        "days_silent": _days_silent(facts.last_activity_at, now, local),
        "usual_gap_days": usual_gap(facts.active_days),
        "mrr": mrr,
        "nps_latest": facts.nps_latest,
        "stage": facts.stage,
        "segment": facts.segment,
        "age_days": _age_days(facts.first_event_at, traits, now, local),
        "days_to_renewal": _days_until(traits.get("renewal_at"), now, local),
        "days_to_notice": _days_until(traits.get("notice_deadline"), now, local),
    }


def _age_days(
    first_event_at: datetime | None, traits: Mapping[str, Any], now: datetime, local: LocalTime
) -> int | None:
    """Local days since the contract began, else since the account was first heard of."""
    began = day_of(traits.get("contract_start"), local)
    if began is None and first_event_at is not None:
        began = local.day_at(first_event_at)
    return None if began is None else max((local.day_at(now) - began).days, 0)


def _days_until(said: object, now: datetime, local: LocalTime) -> int | None:
    """Local days to a date or instant that a trait says, negative once it is past."""
    day = day_of(said, local)
    return None if day is None else (day - local.day_at(now)).days


def day_of(said: object, local: LocalTime) -> date | None:
    if not isinstance(said, str):
        return None
    try:
        return date.fromisoformat(said) if len(said) == len("2026-01-31") else local.day_at(instant_of(said))
    except (ValueError, OverflowError):
        return None


def _days_silent(last_activity_at: datetime | None, now: datetime, local: LocalTime) -> int | None:
    """Local days from the last active one to today; an event may be minutes ahead of the clock."""
    if last_activity_at is None:
        return None
    return max((local.day_at(now) - local.day_at(last_activity_at)).days, 0)


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def due_at(now: datetime, next_revenue_at: datetime | None, local: LocalTime) -> datetime:
    """When the figures change although nothing arrives: days end, and revenue was announced or lapses."""
    midnight = local.next_midnight(now)
    return midnight if next_revenue_at is None else min(midnight, next_revenue_at)
