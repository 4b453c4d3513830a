"""Taking events out leaves every table as if they had never been written, in any order and any batches."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.kpi_engine.figures_histories import AROUND, CATALOGUE, NOW, ZONE, events, numbered
from tests.integration.kpi_engine.figures_stage import Ev, Stage, cells, split
from tests.integration.kpi_engine.plain_figures import PlainFigures
from tests.integration.kpi_engine.test_figures_order_free import internal, last_activity, seats, traits

from common.catalogue.models import Measure
from common.clock import FixedClock

TICKETS = Measure.model_validate(
    {
        "name": "tickets",
        "agg": "steps",
        "entity": ["data.ticket"],
        "steps": [{"name": "opened", "event_types": ["ticket.opened"]}],
    }
)
FIRSTS = Measure.model_validate(
    {
        "name": "firsts",
        "agg": "steps",
        "steps": [{"name": "seen", "event_types": ["user.logged_in"], "keep": "earliest"}],
    }
)
WITH_STEPS = CATALOGUE.model_copy(
    update={"measures": {**CATALOGUE.measures, "tickets": TICKETS, "firsts": FIRSTS}}
)
ALL_TABLES = (
    "engine.presence",
    "engine.answer",
    "engine.subscription_change",
    "engine.mrr_change",
    "engine.trait",
    "engine.step",
    "engine.first_step",
    "engine.last_value",
    "engine.account_seen",
)


@pytest.fixture
def stage(postgres_url: str) -> Iterator[Stage]:
    made = Stage(postgres_url, WITH_STEPS, FixedClock(NOW))
    yield made
    made.close()


subscriptions = st.builds(
    lambda day, kind, fee: (
        f"subscription.{kind}",
        AROUND + timedelta(days=day),
        "acme",
        None,
        {"subscription": "s", **({"mrr": fee, "currency": "EUR"} if kind != "cancelled" else {})},
    ),
    st.integers(0, 60),
    st.sampled_from(["started", "changed", "cancelled"]),
    st.sampled_from(["10", "25.50"]),
)
tickets = st.builds(
    lambda day, ticket: (
        "ticket.opened", AROUND + timedelta(days=day), "acme", "ann", {"ticket": ticket},
    ),
    st.integers(0, 3),
    st.sampled_from(["a", "b"]),
)  # fmt: skip


@given(
    drawn=st.lists(st.one_of(events(), events(), events(), subscriptions, tickets), min_size=1, max_size=24),
    shuffle=st.randoms(use_true_random=False),
    cuts=st.lists(st.integers(0, 100), max_size=4),
    gone=st.sets(st.integers(0, 23), min_size=1, max_size=12),
    cuts_gone=st.lists(st.integers(0, 100), max_size=3),
)
@settings(
    max_examples=35,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_what_is_taken_out_leaves_nothing_behind(
    stage: Stage, drawn: list[Any], shuffle: Any, cuts: list[int], gone: set[int], cuts_gone: list[int]
) -> None:
    happened = numbered(drawn)
    arriving = list(happened)
    shuffle.shuffle(arriving)
    stage.reset()
    for batch in split(arriving, cuts):
        stage.write(batch)
    leaving = [event for index, event in enumerate(happened) if index in gone]
    staying = [event for index, event in enumerate(happened) if index not in gone]
    for batch in split(leaving, cuts_gone):
        stage.retract(batch)
    left = everything(stage)
    assert_like_plain(stage, staying)
    stage.reset()
    stage.write(staying)
    assert left == everything(stage)


def assert_like_plain(stage: Stage, counted: list[Ev]) -> None:
    plain = PlainFigures(counted, ZoneInfo(ZONE))
    assert cells(stage, "measure_hour") == plain.measure_hour
    assert cells(stage, "measure_day") == plain.measure_day
    assert cells(stage, "total_hour") == plain.totals(plain.measure_hour)
    assert cells(stage, "total_day") == plain.totals(plain.measure_day)
    assert seats(stage) == plain.last_seats
    assert traits(stage) == plain.traits
    assert last_activity(stage) == plain.last_activity()
    assert internal(stage) == plain.internal


def everything(stage: Stage) -> dict[str, Any]:
    """All tables of figures, by names instead of numbers."""
    return {
        **{table: by_name(stage, table) for table in ALL_TABLES},
        **{
            table: cells(stage, table) for table in ("measure_hour", "measure_day", "total_hour", "total_day")
        },
    }


def by_name(stage: Stage, table: str) -> set[str]:
    columns = {
        name
        for (name,) in stage.rows(
            "select column_name from information_schema.columns where table_schema || '.' || table_name = %s",
            table,
        )
    }
    person = "coalesce(p.name, t.person_id::text)" if "person_id" in columns else "''"
    join = "left join engine.person p on p.id = t.person_id" if "person_id" in columns else ""
    measure = (
        "(select name from engine.measure m where m.id = t.measure_id)" if "measure_id" in columns else "''"
    )
    rows = stage.rows(
        f"""select (to_jsonb(t) - 'account_id' - 'person_id' - 'measure_id')::text || a.name || {person} || {measure}
            from {table} t left join engine.account a on a.id = t.account_id {join}"""
    )
    return {str(row) for (row,) in rows}


def test_a_deleted_event_leaves_its_day_to_the_others(stage: Stage) -> None:
    """Two logins on one day: the person stays seen; the count falls by one; the first step moves on."""
    stage.reset()
    at = datetime(2026, 3, 2, 9, tzinfo=UTC)
    first, second = (
        Ev("user.logged_in", at + timedelta(hours=hours), f"l{hours}", "acme", "ann") for hours in (0, 2)
    )
    stage.write([first, second])
    stage.retract([first])
    day = at.date()
    assert cells(stage, "measure_day")["active_users", "acme", day] == Decimal(1)
    assert cells(stage, "total_hour") == {
        ("events", 1, at + timedelta(hours=2)): 1,
        ("portal_logins", 1, at + timedelta(hours=2)): 1,
    }
    assert stage.rows("select at from engine.first_step") == [(second.at,)]
    stage.retract([second])
    assert cells(stage, "measure_day") == {}
    assert stage.rows("select * from engine.account_seen") == []


def test_last_values_of_everybody_stay_those_of_everybody(stage: Stage) -> None:
    """Own staff's too, where a measure says so."""
    told = CATALOGUE.measures["seats"].model_copy(update={"name": "told", "exclude_internal": False})
    stage.reset(WITH_STEPS.model_copy(update={"measures": {**WITH_STEPS.measures, "told": told}}))
    staff = Ev("user.updated", AROUND, "e0", "acme", "ann", {"traits": {"is_internal": True}})
    hours = [AROUND + timedelta(minutes=minutes) for minutes in (1, 2, 3)]
    seats = [Ev("seats.counted", at, f"s{n}", "acme", user, {"seats": n})
             for n, (at, user) in enumerate(zip(hours, ["bob", "ann", "bob"], strict=True))]  # fmt: skip
    stage.write([staff, *seats])
    stage.retract([seats[2]])
    kept = "select m.name, v.value from engine.last_value v join engine.measure m on m.id = v.measure_id"
    assert dict(stage.rows(kept)) == {"seats": 0, "told": 1}
