"""What is counted for the past when raw events had been dropped is unknown where it needs them, and right everywhere else."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.figures.companies import NOW, companies
from tests.integration.kpi_engine.figures_stage import Ev
from tests.integration.kpi_engine.test_definition_versions import fresh
from tests.integration.kpi_engine.test_engine import EVENTS, PARTITIONS, REJECTED, World

from common import figures
from common.auth.store import ensure_tenant
from common.catalogue import apply, current, load
from common.catalogue.loading import base_pack
from common.catalogue.models import Catalogue, Settings, Simple
from common.catalogue.store import current_version
from common.clock import FixedClock
from common.figures.model import Figure, Grain, Query
from common.streams.memory import MemoryBroker
from kpi_engine.adapters.retention_store import RetentionStore
from kpi_engine.consumer.loop import Engine

PACK = load(base_pack())
KEEPS, DROPS = "keeps", "drops"
ASKED: tuple[tuple[Grain, tuple[str, ...]], ...] = (("day", ()), ("month", ("account",)), ("total", ()))
FIRST, LAST = NOW.date() - timedelta(days=70), NOW.date() + timedelta(days=1)


@pytest.fixture
def world(postgres_url: str) -> Iterator[World]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        made = World(
            postgres_url, MemoryBroker({EVENTS: PARTITIONS, REJECTED: 1}), FixedClock(NOW), connection
        )
        yield made
        for opened in made.opened:
            opened.close()


def in_zone(zone: str) -> Catalogue:
    """Every measure of the pack counts otherwise in another zone."""
    said = PACK.settings.model_dump() | {"timezone": zone}
    return PACK.model_copy(update={"settings": Settings.model_validate(said)})


def told(world: World, events: list[Ev], cut: date, late: int) -> dict[str, int]:
    """Two companies with the same past, of which one drops what arrived before `cut` and is counted anew then; every `late`th event
    of before arrives after it."""
    tenants = {slug: ensure_tenant(world.connection, slug) for slug in (KEEPS, DROPS)}
    for slug in tenants:
        apply(world.connection, slug, in_zone("UTC"))
    start = datetime.combine(cut, time(), UTC)
    events = _begun_once(events, start)
    early = [one for n, one in enumerate(events) if one.at < start and n % late]
    world.clock = FixedClock(start - timedelta(minutes=1))
    engine = world.engine()
    for arriving in (early, [one for one in events if one not in early]):
        for slug in tenants:
            world.send(*(one.json for one in arriving), tenant=slug)
        world.drain(engine)
        world.clock.advance(NOW - world.clock.now())
    days = (NOW.date() - cut).days
    world.connection.execute("delete from control.retention")
    world.connection.execute(
        "insert into control.retention values (%s, 'raw_events', %s)", (tenants[DROPS], days)
    )
    while RetentionStore().step(world.connection, NOW):
        continue
    for slug in tenants:
        apply(world.connection, slug, in_zone("Asia/Kolkata"))
    _come_into_force(world, engine, tenants)
    return tenants


def _begun_once(events: list[Ev], cut: datetime) -> list[Ev]:
    """Without what a ticket or goal that was heard of before the cut does again after it, and without what makes it begin after it."""
    before = [one for one in events if one.at < cut]
    heard = {_named(one) for one in before}
    did = {(_named(one), one.type) for one in before}
    return [
        one
        for one in events
        if one.at < cut
        or _named(one) is None
        or ((_named(one), one.type) not in did and not (one.type in _BEGIN and _named(one) in heard))
    ]


_BEGIN = ("ticket.opened", "success_plan.set", "complaint.filed")


def _named(event: Ev) -> tuple[str, str, Any] | None:
    named = [key for key in ("ticket", "goal", "complaint", "deal") if key in event.data]
    return (event.account, named[0], event.data[named[0]]) if named else None


def _come_into_force(world: World, engine: Engine, tenants: dict[str, int]) -> None:
    for _ in range(500):
        engine.quiet_work_now()
        engine.step()
        if all(current_version(world.connection, tenant) == 2 for tenant in tenants.values()):
            break
    else:
        raise AssertionError("the second version never came into force")
    # Once more for everything that is known of accounts, which are computed once a second at most.
    for _ in range(50):
        world.clock.advance(timedelta(seconds=1))
        engine.quiet_work_now()
        engine.step()


def asked(
    world: World, tenant: int, metric: str, grain: Grain, by: tuple[str, ...]
) -> dict[tuple[str, str], Figure]:
    """By account and bucket."""
    catalogue = current(world.connection, tenant)
    assert catalogue is not None
    query = Query((metric,), FIRST, LAST, grain, group_by=by, limit=10_000)
    found = figures.query(world.connection, tenant, catalogue, query, NOW).figures
    return {(str(one.group.get("account")), one.bucket): one for one in found}


def said(figure: Figure) -> tuple[Any, ...]:
    return figure.value, figure.numerator, figure.denominator, figure.n, figure.censored, figure.accounts


@settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[*HealthCheck],
)
@given(events=companies(), back=st.sampled_from([3, 20, 45, 120]), late=st.sampled_from([3, 1000]))
def test_figures_are_those_of_who_keeps_everything_or_unknown(
    world: World, events: list[Ev], back: int, late: int
) -> None:
    world = fresh(world)
    cut = NOW.date() - timedelta(days=back)
    tenants = told(world, events, cut, late)
    whole_from = datetime.combine(cut, time(), UTC) + timedelta(minutes=5)
    forgotten = 0
    for name, metric in PACK.metrics.items():
        for grain, by in ASKED:
            ours, theirs = (asked(world, tenants[slug], name, grain, by) for slug in (DROPS, KEEPS))
            for place, one in ours.items():
                if one.reason is not None and "no longer kept" in one.reason:
                    assert one.value is None
                    forgotten += 1
                    if isinstance(metric.formula, Simple):
                        assert datetime.fromisoformat(one.start) < whole_from
                elif name not in _JUDGED:
                    assert said(one) == said(theirs[place]), (name, grain, one, theirs[place])
            # What belongs to no account has rows of its own only where something is known of it.
            assert {place for place in theirs.keys() - ours.keys() if place[0] != "None"} == set()
    assert forgotten > 100
    states: dict[str, dict[str, Any]] = {
        slug: dict(world.connection.execute(
            """select a.name, s.figures from engine.account_state s join engine.account a on a.id = s.account_id
               where a.tenant_id = %s""", (tenant,)))
        for slug, tenant in tenants.items()
    }  # fmt: skip
    assert states[DROPS].keys() == states[KEEPS].keys()
    for account, its in states[DROPS].items():
        whole = states[KEEPS][account]
        known = {name for name, value in its.items() if value is not None} - _FOLLOWING
        assert {name: its[name] for name in known} == {name: whole[name] for name in known}, account
        if back >= 120:
            missing = {name for name, value in whole.items() if value is not None} - _FOLLOWING - known
            assert missing <= _EVER, account


_FOLLOWING = {"health", "renewal_risk", "usual_gap_days"}
"""What is made of what is known."""
_JUDGED = {"renewal_mrr_at_risk"}
"""What weighs by the risk, which is judged by what is known."""
_EVER = {
    "days_not_asked",
    "days_since_survey",
    "plan_progress",
    "plan_expected",
    "days_since_plan_reached",
} | {
    "first_response_usual",
    "resolution_usual",
}
"""What may lie further back than anything else."""
