"""Tables that are not those of the engine's version, not its to write, or that refuse an event: what waits is told to wait, and logs name nobody."""

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


def test_logs_name_nobody_whose_event_is_set_aside(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.connection.execute("alter table engine.person add check (name <> 'ada@example.com')")
    world.send(event(1, data={"user": "ada@example.com"}), event(2))
    world.drain(world.engine())
    assert world.one("select code, event_id from engine.rejected") == ("event-poisoned", "e1")
    told = capsys.readouterr()
    assert "violates check constraint" in told.out + told.err
    assert "ada@example.com" not in told.out + told.err
