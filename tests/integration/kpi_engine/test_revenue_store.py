"""Recurring revenue of random subscriptions, in any order and any batches, against the independent reference."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.kpi_engine.figures_histories import CATALOGUE
from tests.integration.kpi_engine.figures_stage import Ev, Stage, split
from tests.reference.events import events_of
from tests.reference.revenue import Revenue

from common.clock import FixedClock
from kpi_engine.adapters import revenue_store
from kpi_engine.domain.plan import Plans

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=120)
days = st.integers(0, 150)


@pytest.fixture
def stage(postgres_url: str) -> Iterator[Stage]:
    made = Stage(postgres_url, CATALOGUE, FixedClock(NOW))
    yield made
    made.close()


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, int, str, dict[str, Any]]:
    kind = draw(st.sampled_from(["started", "changed", "renewed", "cancelled"]))
    data: dict[str, Any] = {"subscription": draw(st.sampled_from(["s1", "s2"]))}
    if kind != "cancelled":
        cents = draw(st.integers(0, 10_000))
        data |= {"mrr": str(Decimal(cents) / 100), "currency": "EUR"}
        if term := draw(st.none() | days):
            data["term_end"] = (START + timedelta(days=term)).isoformat()
    if effective := draw(st.none() | days):
        data["effective_at"] = (START + timedelta(days=effective)).isoformat()
    return f"subscription.{kind}", draw(st.integers(0, 119)), draw(st.sampled_from(["acme", "globex"])), data


@given(
    drawn=st.lists(changes(), min_size=1, max_size=15),
    shuffle=st.randoms(use_true_random=False),
    cuts=st.lists(st.integers(0, 20), max_size=4),
    moments=st.lists(st.integers(0, 160 * 24), min_size=5, max_size=5),
)
@settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_revenue_equals_the_reference_at_any_instant(
    stage: Stage, drawn: list[Any], shuffle: Any, cuts: list[int], moments: list[int]
) -> None:
    happened = [
        Ev(kind, START + timedelta(days=day), f"e{index}", account, data=data)
        for index, (kind, day, account, data) in enumerate(drawn)
    ]
    arriving = list(happened)
    shuffle.shuffle(arriving)
    stage.reset()
    for batch in split(arriving, cuts):
        if batch:
            stage.write(batch)
    reference = Revenue(events_of([event.json for event in happened]), NOW)
    for account in {event.account for event in happened}:
        for hours in moments:
            at = START + timedelta(hours=hours)
            stored = stage.rows(
                "select coalesce(sum(delta), 0) from engine.mrr_change where account_id = %s and at < %s",
                stage.account(account),
                at,
            )
            assert stored == [(reference.account_mrr(account, at),)]


def test_rebuilding_what_is_right_already_writes_nothing(stage: Stage) -> None:
    data = {"subscription": "s", "mrr": "10", "currency": "EUR"}
    stage.write([Ev("subscription.started", START, "1", "acme", data=data)])
    account = stage.account("acme")
    before = stage.rows("select xmin::text from engine.mrr_change")
    assert revenue_store.rebuild(stage.conn, stage.tenant_id, [account], NOW) == set()
    plan = Plans().of(stage.tenant_id, stage.catalogue)
    assert revenue_store.revenue_of(stage.conn, stage.tenant_id, plan, [account], NOW)[account].mrr == 10
    assert stage.rows("select xmin::text from engine.mrr_change") == before


def test_discounts_take_off_no_more_than_there_is(stage: Stage) -> None:
    """A page says of an account what figures count it for."""
    paid = {"subscription": "s", "mrr": "10", "currency": "EUR"}
    taken_off = {"subscription": "discount", "mrr": "-20", "currency": "EUR"}
    stage.write(
        [
            Ev("subscription.started", START, "1", "acme", data=paid),
            Ev("subscription.started", START, "2", "acme", data=taken_off),
        ]
    )
    account, plan = stage.account("acme"), Plans().of(stage.tenant_id, stage.catalogue)
    assert revenue_store.revenue_of(stage.conn, stage.tenant_id, plan, [account], NOW)[account].mrr == 0
