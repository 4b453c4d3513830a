"""The same events in any order and any batches leave the same tables, and these equal plain arithmetic over all events."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.kpi_engine.figures_histories import CATALOGUE, NOW, ZONE, events, numbered
from tests.integration.kpi_engine.figures_stage import Stage, cells, split
from tests.integration.kpi_engine.plain_figures import PlainFigures

from common.clock import FixedClock


@pytest.fixture
def stage(postgres_url: str) -> Iterator[Stage]:
    made = Stage(postgres_url, CATALOGUE, FixedClock(NOW))
    yield made
    made.close()


@given(
    drawn=st.lists(events(), min_size=1, max_size=30),
    shuffle=st.randoms(use_true_random=False),
    cuts=st.lists(st.integers(0, 100), max_size=6),
    written=st.sampled_from(["one by one", "raw events last", "as pieces of one transaction"]),
)
@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_order_and_any_batches_give_what_plain_arithmetic_gives(
    stage: Stage, drawn: list[Any], shuffle: Any, cuts: list[int], written: str
) -> None:
    happened = numbered(drawn)
    arriving = list(happened)
    shuffle.shuffle(arriving)
    stage.reset()
    batches = split(arriving, cuts)
    if written == "as pieces of one transaction":
        stage.write_pieces(batches)
    else:
        for batch in batches:
            stage.write(batch, raw_first=written == "one by one")
    plain = PlainFigures(happened, ZoneInfo(ZONE))
    assert cells(stage, "measure_hour") == plain.measure_hour
    assert cells(stage, "measure_day") == plain.measure_day
    assert cells(stage, "total_hour") == plain.totals(plain.measure_hour)
    assert cells(stage, "total_day") == plain.totals(plain.measure_day)
    assert seats(stage) == plain.last_seats
    assert traits(stage) == plain.traits
    assert last_activity(stage) == plain.last_activity()
    assert heard_of(stage) == plain.heard_of()
    assert internal(stage) == plain.internal


def seats(stage: Stage) -> dict[tuple[str, Any], Any]:
    rows = stage.rows(
        "select a.name, v.day, v.value from engine.last_value v join engine.account a on a.id = v.account_id"
    )
    return {(account, day): value for account, day, value in rows}


def traits(stage: Stage) -> set[tuple[Any, ...]]:
    rows = stage.rows(
        """select a.name, coalesce(p.name, ''), t.name, t.at, t.value::text from engine.trait t
           join engine.account a on a.id = t.account_id left join engine.person p on p.id = t.person_id"""
    )
    return set(rows)


def last_activity(stage: Stage) -> dict[str, datetime | None]:
    rows = stage.rows(
        "select a.name, s.last_activity_at from engine.account_seen s join engine.account a on a.id = s.account_id"
    )
    return dict(rows)


def heard_of(stage: Stage) -> dict[str, tuple[datetime, datetime]]:
    rows = stage.rows(
        "select a.name, s.first_event_at, s.last_event_at from engine.account_seen s join engine.account a on a.id = s.account_id"
    )
    return {account: (first, last) for account, first, last in rows}


def internal(stage: Stage) -> set[tuple[str, str]]:
    rows = stage.rows(
        "select a.name, p.name from engine.person p join engine.account a on a.id = p.account_id where p.is_internal"
    )
    return set(rows)
