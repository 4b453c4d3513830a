"""What is kept by hour has its days too: also what was counted before that was so."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.kpi_engine.figures_histories import CATALOGUE, NOW
from tests.integration.kpi_engine.figures_stage import Ev, Stage, cells

from common.catalogue import store
from common.catalogue.models import Settings
from common.clock import FixedClock
from common.db.migrate import DIRECTORY

KATHMANDU = CATALOGUE.model_copy(update={"settings": Settings(timezone="Asia/Kathmandu")})
MIGRATION = (DIRECTORY / "0212_days_of_hours.sql").read_text()


@pytest.fixture
def stage(postgres_url: str) -> Iterator[Stage]:
    made = Stage(postgres_url, KATHMANDU, FixedClock(NOW))
    yield made
    made.close()


def test_days_are_made_from_the_hours_of_a_database_that_has_hours_alone(stage: Stage) -> None:
    store.apply(stage.conn, "t", KATHMANDU)
    first = datetime(2026, 3, 1, 17, tzinfo=UTC)  # local midnight is at 18:15
    stage.write(
        [
            Ev("feature.used", first + timedelta(minutes=25 * n), f"e{n}", ["acme", "globex"][n % 2], "ann", {"value": n})
            for n in range(150)
        ]
    )  # fmt: skip
    counted = {table: cells(stage, table) for table in ("measure_day", "total_day")}
    hourly = {name for name, measure in KATHMANDU.measures.items() if measure.grain == "hour"}
    assert {name for name, *_ in counted["measure_day"]} > {"events", "spent"}
    for table in counted:
        stage.conn.execute(
            f"delete from engine.{table} d using engine.measure m where m.id = d.measure_id and m.name = any(%s)".encode(),
            (sorted(hourly),),
        )
    stage.conn.execute(
        "insert into engine.progress (topic, partition, partitions, epoch) values ('t', 0, 1, 7)"
    )
    with stage.conn.transaction():
        stage.conn.execute(MIGRATION.encode())
    assert {table: cells(stage, table) for table in counted} == counted
    # Who counted hours alone owns nothing any more.
    assert stage.rows("select epoch from engine.progress") == [(8,)]
