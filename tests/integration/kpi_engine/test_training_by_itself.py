"""A model of renewal risk is trained when its time has come, after a load, and never while history is still missing."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.kpi_engine.figures_stage import Ev, Stage

from common.aside import Aside
from common.catalogue import apply, load
from common.catalogue.loading import base_pack
from common.clock import FixedClock
from kpi_engine.use_cases.train_risk import train_due

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
MONTH = 30 * DAY


@pytest.fixture
def stage(postgres_url: str) -> Iterator[Stage]:
    made = Stage(postgres_url, load(base_pack()), FixedClock(NOW))
    apply(made.conn, "t", made.catalogue)
    made.conn.execute(
        "insert into engine.progress (topic, partition, partitions, applied_at) values ('e', 0, 1, %s)",
        (NOW,),
    )
    yield made
    made.close()


def trained(stage: Stage, at: datetime) -> int:
    return train_due(stage.conn, MONTH, FixedClock(at))


def test_a_tenant_is_trained_at_first_monthly_and_after_each_load(stage: Stage) -> None:
    assert trained(stage, NOW) == 0, "nothing is known yet"
    data = {"subscription": "s", "mrr": "50", "currency": "EUR"}
    stage.write([Ev("subscription.started", NOW - 9 * DAY, "1", "acme", data=data)])
    assert (trained(stage, NOW), trained(stage, NOW + DAY)) == (1, 0)
    running = "insert into control.load (id, tenant_id, description, heartbeat_at) values (gen_random_uuid(), %s, '', now()) returning id"
    ((load_id,),) = stage.rows(running, stage.tenant_id)
    assert trained(stage, NOW + 90 * DAY) == 0, "half of the past is still to come"
    stage.conn.execute("update control.load set ended_at = now() where id = %s", (load_id,))
    stage.conn.execute("update engine.progress set applied_at = now() + interval '1 minute'")
    assert trained(stage, NOW + 90 * DAY) == 0, "nor is all of it in the figures at once"
    stage.conn.execute("update engine.progress set applied_at = now() + interval '1 day'")
    assert [trained(stage, NOW + n * DAY) for n in (1, 2, 30, 32)] == [1, 0, 0, 1]
    versions = stage.rows(
        "select version, accepted, training ->> 'refusal' from published.risk_model order by version"
    )
    assert versions == [
        (n, False, "too few churns to learn from: at most 0 of at least 200") for n in (1, 2, 3)
    ]


def test_the_process_that_trains_keeps_what_came_of_it(stage: Stage, postgres_url: str) -> None:
    data = {"subscription": "s", "mrr": "50", "currency": "EUR"}
    stage.write([Ev("subscription.started", NOW - 9 * DAY, "1", "acme", data=data)])
    environment = {**os.environ, "DATABASE_URL": postgres_url, "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}
    assert Aside("kpi_engine", "--train-risk", environment).step() == 0
    assert stage.rows("select count(*) from published.risk_model") == [(1,)]
