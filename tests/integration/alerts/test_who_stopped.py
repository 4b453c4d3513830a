"""Who a notice says stopped is told by what counts as use now, on what the engine writes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from tests.integration.kpi_engine.figures_stage import Ev, Stage

from alerts.adapters.definitions import definitions_of
from alerts.adapters.facts import PostgresFacts
from common.catalogue import loading
from common.clock import FixedClock

DAY = timedelta(days=1)
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PACK = loading.load(loading.base_pack())


@pytest.fixture
def stage(postgres_url: str) -> Iterator[Stage]:
    stage = Stage(postgres_url, PACK, FixedClock(NOW))
    stage.write(
        [
            Ev("feature.used", NOW - ago * DAY, f"{user}{ago}", "acme", user, {"feature": "exports"})
            for user, last in (("ann", 20), ("bob", 3))
            for ago in range(last, last + 5)
        ]
    )
    yield stage
    stage.close()


def stopped(stage: Stage) -> list[tuple[str, int]]:
    """Names, and how many days ago each was seen last."""
    definitions = definitions_of(stage.tenant_id, 1, stage.catalogue)
    account_id = stage.account("acme")
    book = PostgresFacts(stage.conn)
    found = book.facts(stage.tenant_id, [account_id], NOW.date(), NOW, definitions.use, definitions.contacts)
    names: dict[int, str] = dict(stage.conn.execute("select id, name from engine.person").fetchall())
    return [
        (names[one.person_id], (NOW.date() - one.last_seen).days)
        for one in (found[account_id].stopped if account_id in found else ())
    ]


def test_who_was_active_regularly_and_no_more_is_told(stage: Stage) -> None:
    assert stopped(stage) == [("ann", 20)]


def test_what_counted_as_use_by_other_definitions_is_not_read(stage: Stage) -> None:
    stage.catalogue = PACK.model_copy(update={"origins": {"active_users": 2}})
    assert stopped(stage) == []
    stage.write([Ev("feature.used", NOW, "new", "acme", "ann", {"feature": "exports"})])
    assert stopped(stage) == []


def test_nothing_is_said_where_no_measure_counts_use(stage: Stage) -> None:
    measures = {name: one for name, one in PACK.measures.items() if name != "active_users"}
    stage.catalogue = PACK.model_copy(update={"measures": measures})
    assert stopped(stage) == []
