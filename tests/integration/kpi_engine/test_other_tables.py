"""Tables that are not those of the engine's version, or not its to write: what waits is told to wait, and nothing is set aside for it."""

import psycopg
import pytest
from tests.integration.kpi_engine.test_corrections import decide, settle, world
from tests.integration.kpi_engine.test_engine import World, event

__all__ = ["world"]


def test_events_wait_for_the_tables_of_their_version(world: World) -> None:
    engine = world.engine()
    world.send(event(1))
    world.drain(engine)
    world.connection.execute("alter table engine.presence rename to elsewhere")
    world.send(*(event(n) for n in range(2, 8)))
    with pytest.raises(psycopg.ProgrammingError, match=r"engine\.presence"):
        world.drain(engine)
    assert world.one("select count(*) from engine.rejected") == 0
    world.connection.execute("alter table engine.elsewhere rename to presence")
    world.drain(world.engine())
    assert (world.counted(), world.one("select count(*) from engine.rejected")) == (7, 0)


def test_a_correction_waits_for_them_too(world: World) -> None:
    engine = world.engine()
    world.send(event(1), event(2))
    world.drain(engine)
    entry = decide(world, "deletion", "e1")
    world.connection.execute("alter table engine.presence rename to elsewhere")
    engine.quiet_work_now()
    with pytest.raises(psycopg.ProgrammingError, match=r"engine\.presence"):
        engine.step()
    world.connection.execute("alter table engine.elsewhere rename to presence")
    assert settle(world, world.engine(), entry).state == "applied"
    assert world.counted() == 1
