"""Dates of contracts that are told without a time begin where the tenant is, also when its zone is set after they were told."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from tests.integration.figures.companies import NOW
from tests.integration.kpi_engine.figures_stage import Ev
from tests.integration.kpi_engine.test_definition_versions import fresh
from tests.integration.kpi_engine.test_engine import EVENTS, PARTITIONS, REJECTED, World
from tests.integration.kpi_engine.test_forgotten import asked, in_zone, said

from common.auth.store import ensure_tenant
from common.catalogue import apply
from common.catalogue.store import current_version
from common.clock import FixedClock
from common.figures.model import Grain
from common.streams.memory import MemoryBroker
from kpi_engine.consumer.loop import Engine

STRAIGHT, MOVED = "straight", "moved"
ZONES = ("UTC", "Asia/Kolkata", "America/Santiago", "Pacific/Apia")
ASKED: tuple[tuple[str, Grain, tuple[str, ...]], ...] = (
    ("mrr", "day", ()), ("mrr", "month", ("account",)), ("mrr_new", "day", ("account",)), ("mrr_churned", "day", ()),
    ("mrr_expansion", "month", ()), ("nrr", "month", ()), ("renewal_rate", "month", ()), ("committed_mrr", "day", ()),
)  # fmt: skip


@pytest.fixture
def world(postgres_url: str) -> Iterator[World]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        made = World(
            postgres_url, MemoryBroker({EVENTS: PARTITIONS, REJECTED: 1}), FixedClock(NOW), connection
        )
        yield made
        for opened in made.opened:
            opened.close()


@st.composite
def when(draw: st.DrawFn) -> str:
    """A date alone, or midnight of London, which is a time."""
    day = (NOW + timedelta(days=draw(st.integers(-60, 60)))).date().isoformat()
    return day + draw(st.sampled_from(("", "", "T00:00:00Z")))


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, int, str, dict[str, Any]]:
    kind = draw(st.sampled_from(["started", "started", "changed", "renewed", "cancelled"]))
    data: dict[str, Any] = {"subscription": draw(st.sampled_from(["s1", "s2"]))}
    if kind != "cancelled":
        data |= {"mrr": str(draw(st.integers(0, 900))), "currency": "EUR"}
    for field in ("effective_at", "term_end", "notice_deadline"):
        if said_at := draw(st.none() | when()):
            data[field] = said_at
    return f"subscription.{kind}", draw(st.integers(1, 59)), draw(st.sampled_from(["acme", "globex"])), data


BEGUN = (
    "subscription.started", 40, "acme",
    {"subscription": "s1", "mrr": "100", "currency": "EUR", "effective_at": "2026-03-01", "term_end": "2027-03-01"},
)  # fmt: skip


@settings(
    max_examples=4,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[*HealthCheck],
)
@example(before=[BEGUN], after=[], zones=["UTC", "America/Santiago"])
@given(
    before=st.lists(changes(), min_size=3, max_size=12),
    after=st.lists(changes(), max_size=3),
    zones=st.lists(st.sampled_from(ZONES), min_size=2, max_size=3, unique=True),
)
def test_dates_follow_the_zone(world: World, before: list[Any], after: list[Any], zones: list[str]) -> None:
    world = fresh(world)
    world.clock = FixedClock(NOW)
    tenants = {slug: ensure_tenant(world.connection, slug) for slug in (STRAIGHT, MOVED)}
    apply(world.connection, STRAIGHT, in_zone(zones[-1]))
    apply(world.connection, MOVED, in_zone(zones[0]))
    engine = world.engine()
    events = [
        Ev(kind, NOW - timedelta(days=days), f"e{n:02d}", account, data=data)
        for n, (kind, days, account, data) in enumerate(before + after)
    ]
    _send(world, engine, events[: len(before)])
    for version, zone in enumerate(zones[1:], start=2):
        apply(world.connection, MOVED, in_zone(zone))
        _come_into_force(world, engine, tenants[MOVED], version)
    _send(world, engine, events[len(before) :])
    for metric, grain, by in ASKED:
        ours, theirs = (asked(world, tenants[slug], metric, grain, by) for slug in (MOVED, STRAIGHT))
        assert {place: said(one) for place, one in ours.items()} == {
            place: said(one) for place, one in theirs.items()
        }, (metric, grain, zones)
    assert _kept(world, tenants[MOVED]) == _kept(world, tenants[STRAIGHT])


def _send(world: World, engine: Engine, events: list[Ev]) -> None:
    for slug in (STRAIGHT, MOVED):
        world.send(*(one.json for one in events), tenant=slug)
    world.drain(engine)


def _come_into_force(world: World, engine: Engine, tenant: int, version: int) -> None:
    for _ in range(500):
        engine.quiet_work_now()
        engine.step()
        if current_version(world.connection, tenant) == version:
            break
    else:
        raise AssertionError("the next version never came into force")
    # Accounts are computed once a second at most.
    for _ in range(10):
        world.clock.advance(timedelta(seconds=2))
        engine.quiet_work_now()
        engine.step()


def _kept(world: World, tenant: int) -> list[list[tuple[Any, ...]]]:
    """What stands of the accounts, their steps of revenue and their renewals."""
    return [world.connection.execute(statement, (tenant,)).fetchall() for statement in _KEPT]


_KEPT = (
    """select a.name, s.figures from engine.account_state s join engine.account a on a.id = s.account_id
       where a.tenant_id = %s order by 1""",
    """select a.name, m.currency, m.at, m.delta from engine.mrr_change m join engine.account a on a.id = m.account_id
       where a.tenant_id = %s order by 1, 2, 3""",
    """select a.name, r.subscription, r.due_at, r.notice_deadline, r.mrr, r.renewed
       from engine.renewal r join engine.account a on a.id = r.account_id where a.tenant_id = %s order by 1, 2, 3""",
)
