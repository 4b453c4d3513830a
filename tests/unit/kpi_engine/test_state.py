"""Account figures: unknown stays unknown, and days are the tenant's."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.signals.said import usual_gap
from kpi_engine.domain.buckets import LocalTime
from kpi_engine.domain.state import AccountFacts, due_at, figures_of, trend

BERLIN = LocalTime("Europe/Berlin")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
instants = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1), timezones=st.just(UTC))  # noqa: DTZ001


def facts(**known: object) -> AccountFacts:
    nothing: dict[str, object] = dict.fromkeys(
        ("stage", "segment", "events_28d", "active_users_7d", "active_users_28d", "user_days_28d", "user_days_base",
         "complaints_7d", "complaints_28d", "complaints_before", "nps_latest", "first_event_at", "last_event_at",
         "last_activity_at", "newest_ingest_at")
    )  # fmt: skip
    return AccountFacts(**{"account_id": 1, "traits": "{}", "active_days": (), **nothing, **known})  # type: ignore[arg-type]


def test_of_nothing_everything_is_unknown_but_revenue() -> None:
    figures = figures_of(facts(), {}, Decimal(0), None, NOW, BERLIN)
    assert {name for name, value in figures.items() if value is not None} == {"mrr"}


@given(st.integers(0, 7), st.integers(0, 100))
def test_a_trend_needs_a_base_of_8(base: int, recent: int) -> None:
    assert trend(recent, base) is None
    assert trend(recent, base + 8) == pytest.approx(recent / (base + 8) - 1)


@given(st.sets(st.integers(0, 179), min_size=2))
def test_the_usual_gap_lies_between_the_shortest_and_the_longest(active: set[int]) -> None:
    days = sorted(active)
    gaps = [b - a for a, b in pairwise(days)]
    gap = usual_gap(days)
    assert gap is not None
    assert min(gaps) <= gap <= max(gaps)


def test_one_active_day_has_no_gap() -> None:
    assert usual_gap([5]) is None


@given(instants)
def test_silence_is_counted_in_local_days(last: datetime) -> None:
    figures = figures_of(facts(last_activity_at=last), {}, Decimal(0), None, NOW, BERLIN)
    expected = (BERLIN.day_at(NOW) - BERLIN.day_at(last)).days
    assert figures["days_silent"] == max(expected, 0)
    text = figures["last_activity_at"]
    assert isinstance(text, str)
    assert text.endswith("Z")
    assert datetime.fromisoformat(text) == last


def test_the_base_of_complaints_is_a_mean_week() -> None:
    figures = figures_of(facts(complaints_before=18), {}, Decimal(0), None, NOW, BERLIN)
    assert figures["complaints_base"] == 1.5


@given(instants, st.none() | st.integers(1, 100).map(lambda hours: timedelta(hours=hours)))
def test_an_account_is_due_at_midnight_or_when_revenue_moves(now: datetime, ahead: timedelta | None) -> None:
    moves_at = now + ahead if ahead else None
    due = due_at(now, moves_at, BERLIN)
    assert now < due <= BERLIN.next_midnight(now)
    assert moves_at is None or due <= moves_at


def test_ages_and_deadlines_are_counted_in_local_days() -> None:
    heard = facts(first_event_at=NOW - timedelta(days=40))
    said = {"contract_start": "2026-01-01", "renewal_at": "2026-12-31", "notice_deadline": NOW.isoformat()}
    figures = figures_of(heard, said, Decimal(0), None, NOW, BERLIN)
    today = BERLIN.day_at(NOW)
    assert figures["age_days"] == (today - date(2026, 1, 1)).days
    assert figures["days_to_renewal"] == (date(2026, 12, 31) - today).days
    assert figures["days_to_notice"] == 0
    unsaid = figures_of(heard, {"renewal_at": "soon", "notice_deadline": 7}, Decimal(0), None, NOW, BERLIN)
    assert (unsaid["age_days"], unsaid["days_to_renewal"], unsaid["days_to_notice"]) == (40, None, None)
