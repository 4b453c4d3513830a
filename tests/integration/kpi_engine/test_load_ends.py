"""The end of a load is told of when accounts are compared with segments in which all of it is counted."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from tests.integration.kpi_engine.test_engine import NOW, World, account_of, event, world

from kpi_engine.adapters.progress import ENDED_LOADS
from kpi_engine.consumer.loop import Engine

__all__ = ["world"]


def active(account: str, users: int, *, fell: bool) -> list[dict[str, Any]]:
    """Every day of the 28 before the last 28, and of these only the first ten where it fell; with what puts it into its segment."""
    days = [*range(28 + 1, 56 + 1), *range(1, 10 + 1 if fell else 28 + 1)]
    segment = event(0, id=f"{account}-segment", type="account.updated", subject=account)
    return [
        segment | {"data": {"traits": {"segment": "x"}}, "time": (NOW - timedelta(days=60)).isoformat()},
        *(
            event(0, id=f"{account}-{day}-{user}", subject=account, data={"user": f"u{user}"})
            | {"time": (NOW - timedelta(days=day)).isoformat()}
            for day in days
            for user in range(users)
        ),
    ]


def begin_load(world: World) -> uuid.UUID:
    load = uuid.uuid4()
    world.connection.execute(
        "insert into control.load (id, tenant_id, description, started_at, heartbeat_at) select %s, id, 'a year', %s, %s from control.tenant",
        (load, world.clock.now(), world.clock.now()),
    )
    return load


def end_load(world: World, load: uuid.UUID) -> None:
    world.connection.execute("update control.load set ended_at = %s where id = %s", (world.clock.now(), load))


def settled(world: World) -> bool:
    found: bool = world.one(
        "select coalesce(min(coalesce(p.settled_at, '-infinity')) >= (select max(ended_at) from control.load), false) "
        "from published.progress p where topic = 'events'"
    )
    return found


def trends(world: World) -> list[float]:
    """What the accounts were compared with when their states were computed."""
    rows = world.connection.execute(
        "select (figures ->> 'segment_login_trend')::float8 from engine.account_state order by account_id"
    )
    return [row[0] for row in rows]


def goes_on(world: World, *engines: Engine, seconds: int = 1) -> None:
    for _ in range(seconds):
        world.clock.advance(timedelta(seconds=1))
        for engine in engines:
            engine.quiet_work_now()
            engine.step()


@pytest.mark.parametrize("users", [1, 30])
def test_accounts_follow_their_segment_before_the_load_counts_as_settled(world: World, users: int) -> None:
    """However few events came, and though nobody looked at segments for a minute after the last ones."""
    engine, load = world.engine(), begin_load(world)
    world.send(*active(account_of(0), users, fell=True), packed=10)
    world.drain(engine)
    goes_on(world, engine, seconds=2)
    world.send(*active(account_of(1), 3 * users, fell=False), packed=10)
    world.drain(engine)
    goes_on(world, engine)
    assert not settled(world), "the load goes on"
    end_load(world, load)
    for _ in range(30):
        goes_on(world, engine)
        if settled(world):
            break
    assert settled(world)
    assert trends(world) == [pytest.approx((10 + 3 * 28) / (28 + 3 * 28) - 1)] * 2


def test_a_load_is_settled_once_by_each_engine(world: World) -> None:
    engine, load = world.engine(), begin_load(world)
    world.send(*active(account_of(0), 1, fell=True))
    world.drain(engine)
    end_load(world, load)
    goes_on(world, engine, seconds=3)
    assert settled(world)
    through = world.one("select max(settled_at) from engine.progress")
    goes_on(world, engine, seconds=3)
    assert world.one("select max(settled_at) from engine.progress") == through
    # Whoever takes the partitions goes on from there; another load is another end.
    second = world.engine()
    goes_on(world, second, seconds=2)
    assert world.one("select max(settled_at) from engine.progress") == through
    end_load(world, begin_load(world))
    assert not settled(world)
    goes_on(world, second, seconds=2)
    assert settled(world)


def test_a_load_of_which_a_partition_is_unread_is_not_settled(world: World) -> None:
    engine, load = world.engine(), begin_load(world)
    world.drain(engine)
    goes_on(world, engine)
    end_load(world, load)
    world.clock.advance(timedelta(seconds=1))
    world.connection.execute(
        "update engine.progress set applied_at = %s where topic = 'events' and partition = 1",
        (NOW - timedelta(minutes=1),),
    )
    engine._load_ends.settle(world.connection, engine._owned_events(), world.clock.now())
    engine._load_ends.computed(world.connection)
    assert not settled(world)
    goes_on(world, engine, seconds=2)
    assert settled(world)


def test_an_engine_without_partitions_settles_nothing(world: World) -> None:
    engine, load = world.engine(), begin_load(world)
    world.drain(engine)
    end_load(world, load)
    goes_on(world, engine)
    world.connection.execute("update engine.progress set settled_at = null")
    engine._load_ends.settle(world.connection, [], world.clock.now())
    engine._load_ends.computed(world.connection)
    assert not settled(world)


def test_many_corrections_do_not_make_the_question_dearer(world: World) -> None:
    """It is asked every second; the log of corrections only grows."""
    world.connection.execute(
        "insert into control.control_log (tenant_id, seq, id, kind, reason, created_by, created_at, account, source, event_id) "
        "select id, n, gen_random_uuid(), 'deletion', 'r', 'k', now(), 'a', 's', n::text from control.tenant, generate_series(1, 20000) n"
    )
    plan = world.connection.execute("explain " + ENDED_LOADS, {"topic": "events", "partitions": [0, 1]})
    assert "on control_log c" not in "".join(line for (line,) in plan if "Seq Scan" in line)
