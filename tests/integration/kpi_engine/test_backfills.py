"""Backfills on a real database: staged beside what counts, counted at once, and taken back without a trace."""

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.integration.kpi_engine.figure_tables import figure_tables
from tests.integration.kpi_engine.test_corrections import decide, settle, tenant_id, world
from tests.integration.kpi_engine.test_engine import EVENTS, NOW, PARTITIONS, World, event

from common.contracts.record import pack_events, partition_of
from common.control.backfills import Backfill, backfill, close, open_backfill, revert
from common.control.log import entry
from kpi_engine.consumer.loop import Engine

__all__ = ["world"]


@pytest.fixture
def opened(world: World) -> Backfill:
    return open_backfill(world.connection, tenant_id(world), "last spring", "bw_admin_test", NOW)


def load(world: World, into: Backfill, *events: dict[str, Any]) -> None:
    """Send events for a backfill as ingest would."""
    stamp = int(world.clock.now().timestamp() * 1_000_000)
    for sent in events:
        partition = partition_of("default", str(sent["subject"]), PARTITIONS)
        body = json.dumps(sent).encode()
        world.broker.producer().send(
            pack_events(EVENTS, partition, "default", stamp, [body], backfill=into.id)
        ).result()


def closed(world: World, engine: Engine, which: Backfill) -> dict[str, int]:
    asked = close(world.connection, tenant_id(world), which.id, "bw_admin_test", world.clock.now())
    assert asked.close_entry is not None
    done = settle(world, engine, asked.close_entry)
    assert done.state == "applied"
    return done.counts


def reverted(world: World, engine: Engine, which: Backfill) -> dict[str, int]:
    asked = revert(world.connection, tenant_id(world), which.id, "bw_admin_test", world.clock.now())
    assert asked.revert_entry is not None
    done = settle(world, engine, asked.revert_entry)
    assert done.state == "applied"
    return done.counts


def old(number: int, **changes: object) -> dict[str, Any]:
    at = (NOW - timedelta(days=30 + number)).isoformat()
    return event(number, id=f"old{number}", time=at) | changes


def test_a_backfill_counts_when_it_is_closed_and_leaves_no_trace_when_reverted(
    world: World, opened: Backfill
) -> None:
    engine = world.engine()
    world.send(event(1), old(3), event(2, subject="globex"))
    world.drain(engine)
    before = figure_tables(world.connection)
    load(world, opened, *(old(n) for n in range(6)), old(1), old(2, subject="globex"))
    world.drain(engine)
    assert figure_tables(world.connection) == before, "staged events count nowhere"
    assert backfill(world.connection, tenant_id(world), opened.id).staged_events == 8
    counts = closed(world, engine, opened)
    assert (counts["new"], counts["duplicates"], counts["conflicts"]) == (6, 2, 0)
    assert world.counted() == 9
    told = world.connection.execute(
        "select before, after from published.revision where why = 'backfill' and measure = 'portal_logins' order by day"
    ).fetchall()
    assert told == [(0, 1), (0, 1), (0, 2), (0, 1), (0, 1)]
    counts = reverted(world, engine, opened)
    assert counts["taken_out"] == 6
    assert figure_tables(world.connection) == before
    # What was taken back may come again.
    world.send(old(4))
    world.drain(engine)
    world.send(old(4))
    world.drain(world.engine())
    assert world.counted() == 4


def test_what_a_backfill_displaced_comes_back_on_its_revert(world: World, opened: Backfill) -> None:
    engine = world.engine()
    load(world, opened, old(1), old(2))
    world.drain(engine)
    closed(world, engine, opened)
    world.send(old(1, data={"user": "said-live"}))
    world.drain(engine)
    assert world.counted() == 2, "the first one stands"
    counts = reverted(world, engine, opened)
    assert (counts["taken_out"], counts["came_back"]) == (2, 1)
    assert world.counted() == 1
    assert (
        world.one("select name from engine.person p join engine.presence e on e.person_id = p.id limit 1")
        == "said-live"
    )
    world.send(old(1, data={"user": "said-live"}))
    world.drain(engine)
    assert world.counted() == 1


def test_an_account_that_only_a_backfill_named_goes_with_it_and_may_come_back(
    world: World, opened: Backfill
) -> None:
    engine = world.engine()
    world.send(event(1))
    load(world, opened, old(1, subject="initech"))
    world.drain(engine)
    closed(world, engine, opened)
    world.clock.advance(timedelta(seconds=2))
    world.drain(engine)
    assert world.one("select count(*) from published.account where computed_at is not null") == 2
    reverted(world, engine, opened)
    assert world.one("select array_agg(account) from published.account") == ["acme"]
    world.send(event(2, subject="initech"))
    world.drain(engine)
    assert world.one("select array_agg(account order by account) from published.account") == [
        "acme",
        "initech",
    ]
    assert (
        world.one("select count(*) from published.raw_event r join published.account a using (account_id)")
        == 2
    )


def test_an_account_whose_only_event_is_amended_stays_an_account(world: World) -> None:
    engine = world.engine()
    world.send(event(1))
    world.drain(engine)
    settle(
        world, engine, decide(world, "amendment", "e1", event(1, type="feature.used", data={"feature": "f"}))
    )
    assert (
        world.one("select a.account from published.raw_event r join published.account a using (account_id)")
        == "acme"
    )


def test_a_corrected_event_of_a_backfill_is_taken_back_as_it_stands(world: World, opened: Backfill) -> None:
    engine = world.engine()
    load(world, opened, old(1), old(2))
    world.drain(engine)
    closed(world, engine, opened)
    settle(
        world,
        engine,
        decide(world, "amendment", "old1", old(1, type="complaint.filed", data={"complaint": "c"})),
    )
    settle(world, engine, decide(world, "deletion", "old2"))
    assert world.counted() == 1
    reverted(world, engine, opened)
    assert world.counted() == 0
    assert figure_tables(world.connection)["measure_day"] == set()


def test_what_was_deleted_stays_deleted_when_its_backfill_is_reverted(world: World, opened: Backfill) -> None:
    engine = world.engine()
    load(world, opened, old(1), old(2), old(3))
    world.drain(engine)
    closed(world, engine, opened)
    world.send(old(1))
    world.drain(engine)
    settle(world, engine, decide(world, "deletion", "old1"))
    settle(world, engine, decide(world, "deletion", "old2"))
    counts = reverted(world, engine, opened)
    assert (counts["taken_out"], counts.get("came_back", 0)) == (1, 0)
    assert world.counted() == 0
    world.send(old(1), old(2), old(3))
    world.drain(world.engine())
    assert world.counted() == 1, "only what nobody deleted is new again"


def test_an_amendment_of_what_came_again_live_outlives_the_backfill(world: World, opened: Backfill) -> None:
    engine = world.engine()
    load(world, opened, old(1), old(2))
    world.drain(engine)
    closed(world, engine, opened)
    complaint = old(1, type="complaint.filed", data={"complaint": "c"})
    settle(world, engine, decide(world, "amendment", "old1", complaint))
    world.send(old(1))
    world.drain(engine)
    reverted(world, engine, opened)
    assert world.one("select array_agg(type) from published.raw_event") == ["complaint.filed"]
    world.send(old(1), complaint)
    world.drain(engine)
    assert world.counted() == 1


def test_an_event_that_comes_after_the_close_is_set_aside_with_the_reason(
    world: World, opened: Backfill
) -> None:
    engine = world.engine()
    engine.step()
    closed(world, engine, opened)
    load(world, opened, old(1))
    world.drain(engine)
    assert world.counted() == 0
    assert world.one("select code from engine.rejected") == "backfill-closed"


def test_whoever_owns_the_partitions_by_then_closes_a_backfill(world: World, opened: Backfill) -> None:
    first = world.engine()
    load(world, opened, *(old(n) for n in range(4)))
    world.drain(first)
    asked = close(world.connection, tenant_id(world), opened.id, "bw_admin_test", world.clock.now())
    second = world.engine()
    assert asked.close_entry is not None
    settle(world, second, asked.close_entry)
    assert entry(world.connection, tenant_id(world), EVENTS, asked.close_entry) is not None
    assert world.counted() == 4
    assert world.one("select count(*) from engine.control_result where state = 'applied'") == PARTITIONS
