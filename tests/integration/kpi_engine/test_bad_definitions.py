"""Definitions that are refused change nothing: neither what is stored, nor what a running engine counts."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest
import typer
from tests.integration.kpi_engine.test_engine import EVENTS, NOW, PARTITIONS, REJECTED, World, event
from tests.unit.catalogue.broken import ALL, Broken
from typer.testing import CliRunner

from bellwether.commands import apply as apply_command
from common import figures
from common.auth.store import ensure_tenant
from common.catalogue import apply, current, load
from common.catalogue.loading import base_pack
from common.clock import FixedClock
from common.figures.model import Query
from common.streams.memory import MemoryBroker

# What they say is of the whole pack, of a name that all of them have, or of a kind of file.
APART = (
    "a metric made of itself", "a proxy of itself", "no quality", "nothing but quantity", "a KPI in two places", "two defaults",
    "no default", "a target in percent", "a definition that isn't YAML",
)  # fmt: skip
NAME = re.compile(r"(?m)^((?:- )?name: )own\b")
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


def side_by_side(overlay: Path) -> list[tuple[Broken, Path]]:
    """All that can be wrong at once, each in a file of its own; of a file that there is once, the first."""
    placed: dict[Path, Broken] = {}
    for number, broken in enumerate(one for one in ALL if not one.beside and one.name not in APART):
        within = Path(broken.file)
        alone = within.parent == Path()
        file = overlay / (within if alone else within.parent / f"own{number}.yaml")
        if file not in placed:
            placed[file] = broken
            file.parent.mkdir(parents=True, exist_ok=True)
            text = broken.written if alone else NAME.sub(rf"\1own{number}", broken.written)
            file.write_text(text, encoding="utf-8")
    return [(broken, file) for file, broken in placed.items()]


def test_the_running_engine_never_hears_of_what_is_refused(world: World, tmp_path: Path) -> None:
    commands = typer.Typer()
    apply_command.register(commands)
    engine = world.engine()
    world.send(*(event(number) for number in range(10)))
    world.drain(engine)
    stored = "select version, sha256, body, applied_at from control.definition"
    before, figures_before = world.connection.execute(stored).fetchall(), told(world)
    placed = side_by_side(tmp_path)
    assert len(placed) > 120
    arguments = [str(tmp_path), "--base", str(base_pack()), "--database-url", world.url]
    result = CliRunner().invoke(commands, arguments)
    assert result.exit_code == 1
    lines = result.output.splitlines()
    for broken, file in placed:
        said = [line for line in lines if re.match(f"{re.escape(str(file))}:{broken.line}[ :]", line)]
        assert any(broken.says in line for line in said), (broken.name, said)
    engine.quiet_work_now()
    engine.step()
    assert world.connection.execute(stored).fetchall() == before
    assert told(world) == figures_before
    world.send(event(10))
    world.drain(engine)
    assert world.counted() == 11
