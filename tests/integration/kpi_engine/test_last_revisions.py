"""Last values that come late, are taken out or turn out to be our own people's: revisions say what plain code says of every day."""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.integration.kpi_engine.figures_histories import AROUND, CATALOGUE, NOW, numbered
from tests.integration.kpi_engine.figures_stage import INGESTED_AT, Ev, Stage
from tests.integration.kpi_engine.revising import (
    CALENDAR,
    SETTLED,
    TODAY,
    Days,
    arrives,
    changes,
    metric,
    some_of,
    thorough,
    told,
)
from tests.reference.events import event_of, without_internal

from common.clock import FixedClock
from kpi_engine.adapters.last_revisions import _AROUND, _FIRST_UNTOUCHED, _SUMS
from kpi_engine.domain.revisions import LATE, Cause

SEATS = metric({"type": "semi_additive", "measure": "seats"})
WITH_METRICS = CATALOGUE.model_copy(update={"metrics": {SEATS.name: SEATS}})
EVERY_DAY = list(CALENDAR.days(CALENDAR.day_of(AROUND) - timedelta(days=1), TODAY + timedelta(days=1)))
instants = st.one_of(
    st.integers(0, 20).map(lambda hours: AROUND + timedelta(hours=17 * hours)),
    st.integers(0, 5).map(lambda halves: INGESTED_AT - timedelta(days=1) * halves),
)
people = st.sampled_from(["ann", "staff"])
seats = st.builds(
    lambda at, account, user, seats: ("seats.counted", at, account, user, {"seats": seats}),
    instants, st.sampled_from(["", "acme", "bolt"]), st.none() | people, st.sampled_from(["0", "3", "4.5", "-1"]),
)  # fmt: skip
marks = st.builds(
    lambda at, account, user, mark: ("user.updated", at, account, user, {"traits": {"is_internal": mark}}),
    instants, st.sampled_from(["acme", "bolt"]), people, st.booleans(),
)  # fmt: skip


@pytest.fixture
def stage(postgres_url: str) -> Iterator[Stage]:
    made = Stage(postgres_url, WITH_METRICS, FixedClock(NOW))
    yield made
    made.close()


def standing(events: Iterable[Ev]) -> dict[tuple[str, Any], Decimal]:
    """Of each account's day the value told last, by people who are not internal."""
    found: dict[tuple[str, Any], Decimal] = {}
    for event in sorted(without_internal([event_of(event.json) for event in events]), key=lambda e: e.order):
        if event.type == "seats.counted":
            found[event.account, CALENDAR.day_of(event.at)] = Decimal(event.data["seats"])
    return found


def figures(events: Iterable[Ev]) -> Days:
    """The sum over accounts of the last value up to the end of each day, by plain code."""
    values, found = standing(events), defaultdict[Any, Decimal](Decimal)
    for day in EVERY_DAY:
        latest = dict(sorted((account, on) for account, on in values if on <= day))
        found["seats", "", day] = sum((values[key] for key in latest.items()), Decimal(0))
    return found


@given(
    drawn=st.lists(st.one_of(seats, seats, seats, marks), min_size=2, max_size=14),
    seed=st.integers(0, 999),
    cut=st.integers(1, 9),
    data=st.data(),
)
@thorough(40)
def test_days_that_were_complete_are_told_with_what_they_were(
    stage: Stage, drawn: list[Any], seed: int, cut: int, data: st.DataObject
) -> None:
    stage.reset()
    every = random.Random(seed).sample(numbered(drawn), len(drawn))
    first, late = every[:cut], every[cut:]
    arrives(stage, first)
    if not late:
        return
    known = min((day for _, day in standing(first)), default=SETTLED)
    expected = {
        key: (change, True)
        for key, change in changes(figures(first), figures(every)).items()
        if known <= key[2] < SETTLED
    }
    found = told(stage, LATE, [arrives(stage, late)], figures(first), "seats")
    assert {key: said for key, said in found.items() if key[2] < SETTLED} == expected
    gone, stay = some_of(data, every)
    lost = stage.retract(gone).moved
    found = told(stage, Cause("deletion", 1), lost, figures(every), "seats")
    assert {key: change for key, (change, _) in found.items()} == changes(figures(every), figures(stay))
    known = min((day for _, day in standing(every)), default=SETTLED)
    assert all(complete == (known <= key[2] < SETTLED) for key, (_, complete) in found.items())


def test_what_is_corrected_is_told_by_what_remains_of_the_difference(stage: Stage) -> None:
    was = Ev("seats.counted", AROUND, "a", "acme", "ann", {"seats": "5"})
    arrives(stage, [was, Ev("seats.counted", AROUND + timedelta(days=3), "b", "acme", "ann", {"seats": "9"})])
    first = CALENDAR.day_of(AROUND)
    for number, corrected in enumerate(("5", "7")):
        moving = [*stage.retract([was]).moved]
        was = Ev("seats.counted", AROUND, "a", "acme", "ann", {"seats": corrected})
        moving += stage.write([was]).moved
        found = told(stage, Cause("amendment", 1), moving, figures([Ev("seats.counted", AROUND, "a", "acme", None, {"seats": "5"})]), "seats")  # fmt: skip
        days = [first + timedelta(days=n) for n in range(3)]
        assert found == {("seats", "", day): (Decimal(2), True) for day in days if number}


@pytest.mark.parametrize("statement", [_AROUND, _FIRST_UNTOUCHED, _SUMS])
def test_neighbours_are_found_by_the_index(stage: Stage, statement: str) -> None:
    """Also where nobody has looked yet at how many values there are."""
    stage.conn.execute(
        """insert into engine.last_value (tenant_id, measure_id, account_id, day, event_at, source, event_id, value)
           select %s, 1, n %% 100, date '2020-01-01' + n / 100, now(), 's', n::text, n from generate_series(1, 50000) n""",
        (stage.tenant_id,),
    )
    day = AROUND.date()
    asked = {
        "measure": 1, "accounts": [1, 2], "days": [day, day], "first": day, "last": day + timedelta(days=9),
        "edges": [day],
    }  # fmt: skip
    plan = "\n".join(row for (row,) in stage.conn.execute("explain " + statement, asked))
    assert "last_value_pkey" in plan
    assert "Seq Scan" not in plan
