"""One database for all stages of this folder: every test starts with empty tables, which costs a hundredth of a database of its own."""

import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from tests.conftest import PostgresServer
from tests.integration.figures.foreign import Abroad, give_rates, paid_abroad, take_rates
from tests.integration.kpi_engine.figures_stage import Stage

from common.catalogue import Catalogue, load
from common.clock import FixedClock
from common.figures import Figure

Stages = Callable[[Catalogue, datetime], Stage]
"""A stage with nothing on it, by a catalogue and at an instant; it is the same stage as the one before."""


class Known:
    """Which metrics were asked for, and which of them had a value other than 0."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self.said: set[str] = set()

    def __call__(self, figure: Figure) -> None:
        self.asked.add(figure.metric)
        if figure.value:
            self.said.add(figure.metric)


@pytest.fixture
def known() -> Iterator[Known]:
    """Fails when, after all examples, a metric was always 0 or unknown: equal to the reference or not, it was not tested."""
    found = Known()
    yield found
    assert found.asked - found.said == set()


@pytest.fixture(scope="session")
def base_pack() -> Catalogue:
    return load(Path(__file__).parents[3] / "catalogue")


@pytest.fixture(scope="session")
def stages(postgres_server: PostgresServer, migrated_template: str, base_pack: Catalogue) -> Iterator[Stages]:
    name = f"stage_{uuid.uuid4().hex}"
    postgres_server.execute("create database {} template {} strategy file_copy", name, migrated_template)
    only = Stage(
        postgres_server.database_url(name),
        base_pack,
        FixedClock(datetime.fromisoformat("2026-01-01T00:00:00Z")),
    )

    def emptied(catalogue: Catalogue, now: datetime) -> Stage:
        only.clock = FixedClock(now)
        only.reset(catalogue)
        return only

    try:
        yield emptied
    finally:
        only.close()
        postgres_server.drop(name)


@pytest.fixture
def abroad(stage: Stage) -> Iterator[Abroad]:
    """Tells a history of the module's stage in several currencies."""
    give_rates(stage)
    yield paid_abroad
    take_rates(stage)
