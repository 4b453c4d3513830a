"""Kinds are kept for as long as a tenant says, and what can't be corrected any more is refused."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.integration.kpi_engine.figure_tables import figure_tables
from tests.integration.kpi_engine.test_backfills import closed, load
from tests.integration.kpi_engine.test_corrections import decide, figure, settle, tenant_id, world
from tests.integration.kpi_engine.test_engine import NOW, World, event

from common.auth.store import ensure_tenant
from common.catalogue import apply
from common.catalogue import load as load_definitions
from common.catalogue.loading import base_pack
from common.control.backfills import open_backfill, revert
from common.control.log import NewEntry, append
from kpi_engine.adapters.retention_store import RetentionStore

__all__ = ["world"]


def keep(world: World, kind: str, days: int, tenant: int | None = None) -> None:
    world.connection.execute(
        "insert into control.retention values (%s, %s, %s)", (tenant or tenant_id(world), kind, days)
    )


def sweep(world: World, now: datetime) -> None:
    while RetentionStore().step(world.connection, now):
        continue


def test_old_raw_events_go_and_their_figures_stay(world: World) -> None:
    engine = world.engine()
    world.send(event(1), event(2))
    world.drain(engine)
    world.clock.advance(timedelta(days=10))
    world.send(
        event(3, id="late", time=NOW.isoformat()), event(4, id="new", time=world.clock.now().isoformat())
    )
    world.drain(engine)
    before = figure_tables(world.connection)
    keep(world, "raw_events", 5)
    sweep(world, world.clock.now())
    assert world.one("select array_agg(p order by p) from (select event_at::date::text as p from published.raw_event) as e") == [
        str(NOW.date()), str((NOW + timedelta(days=10)).date()),
    ]  # fmt: skip
    assert figure_tables(world.connection) == before
    # What arrived of that day before is gone, so nobody can say what its figures would be without this one.
    refused = settle(world, engine, decide(world, "deletion", "late"))
    assert (refused.state, refused.code) == ("refused", "raw-events-dropped")
    assert settle(world, engine, decide(world, "deletion", "e1")).code == "event-unknown"
    assert settle(world, engine, decide(world, "deletion", "new")).state == "applied"
    rebuild = append(world.connection, tenant_id(world), NewEntry("rebuild", "", "k"), world.clock.now())
    assert settle(world, engine, rebuild).code == "raw-events-dropped"


@pytest.mark.parametrize("days_kept", [5, 2], ids=["everything", "a part"])
def test_a_backfill_of_which_something_is_gone_is_not_reverted(world: World, days_kept: int) -> None:
    engine = world.engine()
    opened = open_backfill(world.connection, tenant_id(world), "", "k", NOW)
    load(world, opened, event(1), event(2))
    world.drain(engine)
    if days_kept == 2:
        # What arrives later may tell of a day of which all is kept.
        world.clock.advance(timedelta(days=7))
        load(world, opened, event(3, time=world.clock.now().isoformat()))
        world.drain(engine)
    closed(world, engine, opened)
    world.clock.advance(timedelta(days=10) if days_kept == 5 else timedelta())
    keep(world, "raw_events", days_kept)
    sweep(world, world.clock.now())
    before = figure_tables(world.connection)
    asked = revert(world.connection, tenant_id(world), opened.id, "k", world.clock.now())
    assert asked.revert_entry is not None
    refused = settle(world, engine, asked.revert_entry)
    assert (refused.state, refused.code) == ("refused", "raw-events-dropped")
    world.send(event(1), event(2))
    world.drain(world.engine())
    assert figure_tables(world.connection) == before, "nothing left, and nothing is new again"


@pytest.mark.parametrize("whole", [True, False], ids=["days dropped whole", "chunk by chunk"])
def test_bodies_beside_the_raw_events_go_with_them(world: World, whole: bool) -> None:
    if not whole:
        ensure_tenant(world.connection, "keeps everything")
    engine = world.engine()
    opened = open_backfill(world.connection, tenant_id(world), "", "k", NOW)
    waiting = open_backfill(world.connection, tenant_id(world), "", "k", NOW)
    world.send(event(1))
    load(world, opened, event(2), event(3))
    load(world, waiting, event(4))
    world.drain(engine)
    closed(world, engine, opened)
    settle(world, engine, decide(world, "deletion", "e2"))
    settle(world, engine, decide(world, "deletion", "e3"))
    keep(world, "raw_events", 5)
    sweep(world, NOW + timedelta(days=5))
    assert world.one("select count(*) from engine.superseded_event") == 2
    assert world.one("select count(*) from engine.staged") == 3
    sweep(world, NOW + timedelta(days=6, hours=1))
    assert world.one("select count(*) from engine.raw_chunk") == 0
    assert world.one("select count(*) from engine.superseded_event") == 0
    assert world.one("select array_agg(backfill_id::text) from engine.staged") == [waiting.id]
    asked = revert(world.connection, tenant_id(world), opened.id, "k", world.clock.now())
    assert asked.revert_entry is not None
    assert settle(world, engine, asked.revert_entry).code == "raw-events-dropped"
    world.send(event(2), event(3))
    world.drain(engine)
    assert world.counted() == 1, "figures stay, and what was deleted stays deleted"


def test_a_day_that_every_tenant_lets_go_is_dropped_whole(world: World) -> None:
    other = ensure_tenant(world.connection, "other")
    apply(world.connection, "other", load_definitions(base_pack()))
    engine = world.engine()
    world.send(event(1))
    world.send(event(1), tenant="other")
    world.drain(engine)
    world.clock.advance(timedelta(days=10))
    keep(world, "raw_events", 3)
    sweep(world, world.clock.now())
    assert world.one("select array_agg(distinct tenant_id) from engine.raw_chunk") == [other]
    keep(world, "raw_events", 7, other)
    sweep(world, world.clock.now())
    day = f"raw_chunk_{NOW:%Y%m%d}"
    assert world.one("select count(*) from pg_class where relname = %s", day) == 0
    assert world.one("select count(*) from engine.retained") == 2
    # Room is made again for what arrives with an old stamp.
    world.clock.advance(timedelta(days=-10))
    world.send(event(2))
    world.drain(world.engine())
    assert world.one("select count(*) from published.raw_event") == 1


def test_rejected_events_revisions_and_conflicts_go_by_their_own_terms(world: World) -> None:
    engine = world.engine()
    world.send(b"not an event")
    world.send(event(1, id="a", time=(NOW - timedelta(days=40)).isoformat()))
    world.drain(engine)
    world.send(event(1, id="b", time=(NOW - timedelta(days=40)).isoformat()))
    world.drain(engine)
    world.connection.execute("update engine.revision set at = %s", (NOW,))
    assert world.one("select count(*) from engine.rejected") == 1
    assert world.one("select count(*) from engine.revision") == 1
    keep(world, "rejected", 30)
    sweep(world, NOW + timedelta(days=31))
    assert world.one("select count(*) from engine.rejected") == 0
    assert world.one("select count(*) from engine.revision") == 1
    keep(world, "revisions", 30)
    sweep(world, NOW + timedelta(days=31))
    assert world.one("select count(*) from engine.revision") == 0
    world.send(event(1, id="b"))
    world.drain(engine)
    keep(world, "conflicts", 30)
    sweep(world, NOW + timedelta(days=30))
    assert world.one("select count(*) from engine.conflict") == 1
    sweep(world, NOW + timedelta(days=31))
    assert world.one("select count(*) from engine.conflict") == 0
    assert world.one("select count(*) from published.raw_event") == 2


def test_an_account_lives_on_when_the_last_event_that_is_kept_of_it_goes(world: World) -> None:
    """What is no longer kept of it was counted all the same."""
    engine = world.engine()
    world.send(event(1), event(2, type="account.updated", data={"traits": {"plan": "pro"}}))
    world.drain(engine)
    first = world.one("select first_event_at from engine.account_seen")
    world.clock.advance(timedelta(days=10))
    keep(world, "raw_events", 5)
    sweep(world, world.clock.now())
    world.send(event(3, id="new", time=world.clock.now().isoformat()))
    world.drain(engine)
    assert settle(world, engine, decide(world, "deletion", "new")).state == "applied"
    seen = "select account, first_event_at, last_activity_at from published.account"
    assert world.one(seen) == ("acme", first, NOW.replace(hour=0)), (
        "on that day; when on it nobody knows any more"
    )
    assert world.one(
        "select last_event_at = raw_from from engine.account_seen join engine.retained using (tenant_id)"
    )
    assert figure_tables(world.connection)["measure_day"] != set()


def test_own_staff_take_nothing_from_days_whose_events_are_dropped(world: World) -> None:
    """What a field said is stored without who said it: of those days nobody knows any more."""
    engine = world.engine()

    def uses(number: int, user: str) -> dict[str, Any]:
        at = (world.clock.now() - timedelta(minutes=number)).isoformat()
        return event(number, type="feature.used", time=at, data={"user": user, "feature": f"f{number}"})

    world.send(uses(1, "ann"), uses(2, "bob"))
    world.drain(engine)
    world.clock.advance(timedelta(days=10))
    keep(world, "raw_events", 5)
    sweep(world, world.clock.now())
    world.send(uses(3, "ann"), uses(4, "bob"))
    marked = {"user": "ann", "traits": {"is_internal": True}}
    world.send(event(5, type="user.updated", time=world.clock.now().isoformat(), data=marked))
    world.drain(engine)
    days = [NOW.date(), (NOW + timedelta(days=10)).date()]
    assert [figure(world, "features_used", day) for day in days] == [2, 1]
    assert [figure(world, "features_used_28d", day) for day in days] == [2, 1]
