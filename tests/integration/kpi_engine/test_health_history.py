"""What is kept of an account's health: a row a day on which it, or what makes it, changed, with the version that made it."""

from datetime import UTC, datetime, timedelta

from tests.integration.kpi_engine.figures_stage import Ev, Stage

from common.catalogue import load
from common.catalogue.loading import base_pack
from common.clock import FixedClock
from kpi_engine.adapters.state_store import PostgresStateStore
from kpi_engine.use_cases.account_states import AccountStates

NOW = datetime(2026, 4, 8, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_history_has_a_day_for_each_change_and_marks_the_version_that_made_it(postgres_url: str) -> None:
    first = load(base_pack()).model_copy(update={"version": 1})
    stage = Stage(postgres_url, first, FixedClock(NOW))
    stage.conn.execute(
        "insert into engine.progress (topic, partition, partitions) select 't', p, 6 from generate_series(0, 5) p"
    )
    stage.write([Ev("user.logged_in", NOW - n * DAY, f"e{n}", "acme", "ann") for n in range(120)])
    # Somebody else's events go on: that acme is silent is not for want of data.
    stage.write([Ev("user.logged_in", NOW + n * DAY, f"later{n}", "bolt", "bob") for n in range(21)])
    accounts = [stage.account("acme")]
    second = first.model_copy(update={"version": 2})
    for catalogue, now in (
        (first, NOW),
        (first, NOW),
        (second, NOW),
        (second, NOW + DAY),
        (second, NOW + 20 * DAY),
    ):
        with stage.conn.transaction():
            AccountStates(PostgresStateStore()).compute(
                stage.conn, stage.tenant_id, catalogue, accounts, now, now
            )
        if now == NOW:
            kept = stage.rows("select day, definitions from published.health_day")
            assert kept == [(NOW.date(), catalogue.version)]
    history = stage.rows("select day, definitions, band from published.health_day order by day")
    stage.close()
    assert history[0] == (NOW.date(), 2, "good")
    assert history[-1] == ((NOW + 20 * DAY).date(), 2, "poor")
