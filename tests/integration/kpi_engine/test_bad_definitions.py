"""Definitions that are refused change nothing: neither what is stored, nor what a running engine counts."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest
import typer
from tests.integration.kpi_engine.test_engine import EVENTS, NOW, PARTITIONS, REJECTED, World, event
from tests.unit.catalogue.broken import ALL
from typer.testing import CliRunner

from bellwether.commands import apply as apply_command
from common import figures
from common.auth.store import ensure_tenant
from common.catalogue import apply, current, load
from common.catalogue.loading import base_pack
from common.clock import FixedClock
from common.figures.model import Query
from common.streams.memory import MemoryBroker

# One of each sort: no YAML, a name, a unit, a circle, the tree, a segment, the scorecard, a benchmark, what is removed.
TRIED = (
    "no YAML", "an unknown measure", "money by users as ratio", "drivers that move each other", "no quality",
    "a condition cut short", "an efficiency about time", "a target in percent", "a measure removed that metrics read",
)  # fmt: skip
QUESTION = Query(("events", "portal_logins", "active_users_28d"), date(2026, 3, 9), date(2026, 3, 11))


@pytest.fixture
def world(postgres_url: str) -> Iterator[World]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        ensure_tenant(connection, "default")
        apply(connection, "default", load(base_pack()))
        broker = MemoryBroker({EVENTS: PARTITIONS, REJECTED: 1})
        made = World(postgres_url, broker, FixedClock(NOW), connection)
        yield made
        for opened in made.opened:
            opened.close()


def told(world: World) -> list[tuple[object, ...]]:
    catalogue = current(world.connection, 1)
    assert catalogue is not None
    found = figures.query(world.connection, 1, catalogue, QUESTION, NOW).figures
    return [(one.metric, one.bucket, one.value, one.version) for one in found]


def test_the_running_engine_never_hears_of_what_is_refused(world: World, tmp_path: Path) -> None:
    commands = typer.Typer()
    apply_command.register(commands)
    engine = world.engine()
    world.send(*(event(number) for number in range(10)))
    world.drain(engine)
    stored = "select version, sha256, body, applied_at from control.definition"
    before, figures_before = world.connection.execute(stored).fetchall(), told(world)
    for number, broken in enumerate(one for one in ALL if one.name in TRIED):
        overlay = tmp_path / str(number)
        for file, text in ((broken.file, broken.written), *broken.beside):
            (overlay / file).parent.mkdir(parents=True, exist_ok=True)
            (overlay / file).write_text(text, encoding="utf-8")
        arguments = [str(overlay), "--base", str(base_pack()), "--database-url", world.url]
        result = CliRunner().invoke(commands, arguments)
        assert result.exit_code == 1, broken.name
        assert f"{overlay / broken.file}:{broken.line}" in result.output, broken.name
    assert number + 1 == len(TRIED)
    engine.quiet_work_now()
    engine.step()
    assert world.connection.execute(stored).fetchall() == before
    assert told(world) == figures_before
    world.send(event(10))
    world.drain(engine)
    assert world.counted() == 11
