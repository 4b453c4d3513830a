"""Steps that come late, say when they happen, are taken out or turn out to be our own people's: revisions say what plain code says."""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
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
from tests.reference.events import Event, event_of, instant, without_internal

from common.catalogue.models import EventType, Measure
from common.clock import FixedClock
from kpi_engine.adapters import first_step_revisions, step_revisions
from kpi_engine.adapters.arrays import Instants, Int8s, Words
from kpi_engine.domain.revisions import LATE, Cause

OUR_DOING = EventType(name="ticket.resolved", activity=False)
MEASURES = [
    {"name": "tickets", "entity": ["data.ticket"], "steps": [
        {"name": "opened", "event_types": ["ticket.opened"]}, {"name": "resolved", "event_types": [OUR_DOING.name]},
    ]},
    {"name": "trials", "steps": [{"name": "ends", "event_types": ["trial.told"], "instant": "data.ends"}]},
    {"name": "uses", "steps": [{"name": "used", "event_types": ["report.read"], "keep": "earliest"}]},
]  # fmt: skip
METRICS = [
    metric({"type": "entered", "measure": "tickets", "step": "opened"}),
    metric({"type": "entered", "measure": "trials", "step": "ends"}),
    metric({"type": "entered", "measure": "uses", "step": "used"}),
]
WITH_METRICS = CATALOGUE.model_copy(
    update={
        "event_types": {**CATALOGUE.event_types, OUR_DOING.name: OUR_DOING},
        "measures": {
            **CATALOGUE.measures,
            **{made["name"]: Measure.model_validate({"agg": "steps", **made}) for made in MEASURES},
        },
        "metrics": {metric.name: metric for metric in METRICS},
    }
)
instants = st.one_of(
    st.integers(0, 6).map(lambda days: AROUND + timedelta(days=3 * days)),
    st.integers(0, 5).map(lambda halves: INGESTED_AT - timedelta(days=1) * halves),
)
accounts, people = st.sampled_from(["acme", "bolt"]), st.none() | st.sampled_from(["ann", "staff"])
tickets = st.builds(
    lambda at, step, account, user, ticket: (f"ticket.{step}", at, account, user, {"ticket": ticket}),
    instants, st.sampled_from(["opened", "opened", "resolved"]), accounts, people, st.sampled_from(["a", "b"]),
)  # fmt: skip
trials = st.builds(
    lambda at, account, user, ends: (
        "trial.told", at, account, user, {} if ends == "unsaid" else {"ends": ends and ends.isoformat()}
    ),
    instants, accounts, people, st.none() | st.just("unsaid") | instants | instants,
)  # fmt: skip
reads: st.SearchStrategy[Any] = st.builds(
    lambda at, account, user: ("report.read", at, account, user, {}), instants, accounts, people
)
marks = st.builds(
    lambda at, account, user, mark: ("user.updated", at, account, user, {"traits": {"is_internal": mark}}),
    instants, accounts, st.sampled_from(["ann", "staff"]), st.booleans(),
)  # fmt: skip


@pytest.fixture
def stage(postgres_url: str) -> Iterator[Stage]:
    made = Stage(postgres_url, WITH_METRICS, FixedClock(NOW))
    yield made
    made.close()


def figures(events: Iterable[Ev]) -> Days:
    """Cases that took each step on each day, by plain code: what customers did by nobody of ours."""
    every = [event_of(event.json) for event in events]
    theirs = sorted(without_internal(every), key=lambda event: event.order)
    found: Days = defaultdict(Decimal)
    for day in ends(theirs):
        found["trials_steps", "ends", day] += 1
    used: dict[str, date] = {}
    for event in theirs:
        if event.type == "report.read":
            used.setdefault(event.account, CALENDAR.day_of(event.at))
    for day in used.values():
        found["uses_steps", "used", day] += 1
    for step, of in (("opened", theirs), ("resolved", sorted(every, key=lambda event: event.order))):
        first: dict[tuple[str, str], date] = {}
        for event in of:
            if event.type == f"ticket.{step}":
                first.setdefault((event.account, event.data["ticket"]), CALENDAR.day_of(event.at))
        for day in first.values():
            found["tickets_steps", step, day] += 1
    return found


def ends(events: Iterable[Event]) -> Iterator[date]:
    """As said last of each account, unless that took it back."""
    said = {
        event.account: event.data["ends"]
        for event in events
        if event.type == "trial.told" and "ends" in event.data
    }
    return (CALENDAR.day_of(instant(at)) for at in said.values() if at is not None)


def in_time(events: Iterable[Ev]) -> Iterator[Ev]:
    """What is known apart from what is late: not what says when, and of who read reports nothing but the first is known."""
    read: set[tuple[str, str | None]] = set()
    for event in sorted(events, key=lambda event: event.order):
        reader = (event.account, event.user)
        repeated = kind_of(event) == "used" and reader in read
        if CALENDAR.day_of(event.at) == TODAY and kind_of(event) != "ends" and not repeated:
            yield event
        if kind_of(event) == "used":
            read.add(reader)


def kind_of(event: Ev) -> str:
    of_type = event.type.replace("report.read", "used").removeprefix("ticket.")
    return "ends" if "ends" in event.data else of_type


@given(
    drawn=st.lists(st.one_of(tickets, trials, reads, tickets, trials, reads, marks), min_size=2, max_size=14),
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
    known = {kind_of(event) for event in first}
    known |= {kind_of(event) for event in in_time(late)}
    expected = {
        key: (change, True)
        for key, change in changes(figures(first), figures(every)).items()
        if key[2] < SETTLED and key[1] in known
    }
    assert told(stage, LATE, [arrives(stage, late)], figures(first)) == expected
    gone, stay = some_of(data, every)
    lost = stage.retract(gone).moved
    found = told(stage, Cause("deletion", 1), lost, figures(every))
    assert {key: change for key, (change, _) in found.items()} == changes(figures(every), figures(stay))


@pytest.mark.parametrize(
    "statement", ["_FIRSTS", "_LAST_SAID", "_FIRST_BETWEEN", "_SAID_BETWEEN", "_MORE_THAN"]
)
def test_steps_are_found_by_their_indexes(stage: Stage, statement: str) -> None:
    """Also where nobody has looked yet at how many there are."""
    stage.conn.execute(
        """insert into engine.step (tenant_id, measure_id, account_id, entity, step, at, source, event_id, person_id, acts_at)
           select %s, 1 + mod(n, 3), mod(n, 500), n::text, 'ends', timestamptz '2026-01-01Z' + n * interval '1 hour', 's', n::text,
             mod(n, 90), timestamptz '2026-01-01Z' + n * interval '1 hour' from generate_series(1, 30000) n""",
        (stage.tenant_id,),
    )
    stage.conn.execute(
        "insert into engine.person (tenant_id, account_id, name) select %s, 1, n::text from generate_series(1, 9000) n",
        (stage.tenant_id,),
    )
    day = AROUND.date()
    asked = {
        "measure": 1, "step": "ends", "anew": False, "with_internal": False,
        "added": 1 if statement == "_MORE_THAN" else [True],
        "accounts": Int8s(np.array([1], np.int64)), "entities": Words(["1"]), "sources": Words(["s"]), "ids": Words(["i"]),
        "at": Instants(np.array([0], np.int64)), "acts_at": [None],
        "firsts": [CALENDAR.start_of(day)], "lasts": [CALENDAR.start_of(day + timedelta(days=1))],
    }  # fmt: skip
    rows = stage.conn.execute("explain " + getattr(step_revisions, statement), asked)
    plan = "\n".join(row for (row,) in rows)
    assert "Index" in plan
    assert "Seq Scan" not in plan, plan


@pytest.mark.parametrize("statement", ["_OTHERS", "_NOW", "_FIRST_BETWEEN", "_MORE_THAN"])
def test_firsts_are_found_by_their_indexes(stage: Stage, statement: str) -> None:
    stage.conn.execute(
        """insert into engine.first_step (tenant_id, measure_id, account_id, person_id, step, at)
           select %s, 1 + mod(n, 3), mod(n, 500), n, 'used', timestamptz '2026-01-01Z' + n * interval '1 hour'
           from generate_series(1, 30000) n""",
        (stage.tenant_id,),
    )
    day = AROUND.date()
    ones = Int8s(np.array([1], np.int64))
    asked = {
        "measure": 1, "step": "used", "with_internal": False, "added": 1, "accounts": ones, "persons": ones,
        "firsts": [CALENDAR.start_of(day)], "lasts": [CALENDAR.start_of(day + timedelta(days=1))],
    }  # fmt: skip
    rows = stage.conn.execute("explain " + getattr(first_step_revisions, statement), asked)
    plan = "\n".join(row for (row,) in rows)
    assert "Index" in plan
    assert "Seq Scan" not in plan, plan
