"""Answers that come late, are taken out or turn out to be our own people's: revisions say what plain code says of every complete day."""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
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
from kpi_engine.adapters.answer_revisions import _MORE_THAN, _ON_DAYS
from kpi_engine.domain.revisions import LATE, Cause

METRICS = [
    metric({"type": "answers", "survey_kind": "csat", "value": "share", "lowest": 1, "highest": 5, "at_least": 4}),
    metric({"type": "answers", "survey_kind": "ces", "value": "mean", "lowest": 1, "highest": 7}),
]  # fmt: skip
WITH_METRICS = CATALOGUE.model_copy(update={"metrics": {metric.name: metric for metric in METRICS}})
instants = st.one_of(
    st.integers(0, 6).map(lambda days: AROUND + timedelta(days=3 * days)),
    st.integers(0, 5).map(lambda halves: INGESTED_AT - timedelta(days=1) * halves),
)
accounts, people = st.sampled_from(["acme", "bolt"]), st.sampled_from(["ann", "staff"])
answers = st.builds(
    lambda at, account, user, survey, kind, score: (
        "survey.responded", at, account, user, {"survey": survey, "kind": kind, "score": score}
    ),
    instants, accounts, people, st.sampled_from(["q", "of 5"]), st.sampled_from(["csat", "ces", "pulse"]),
    st.sampled_from([4, "4.0", "4.50", "0", 10]),
)  # fmt: skip
marks = st.builds(
    lambda at, account, user, mark: ("user.updated", at, account, user, {"traits": {"is_internal": mark}}),
    instants, accounts, people, st.booleans(),
)  # fmt: skip


@pytest.fixture
def stage(postgres_url: str) -> Iterator[Stage]:
    made = Stage(postgres_url, WITH_METRICS, FixedClock(NOW))
    yield made
    made.close()


def figures(events: Iterable[Ev]) -> Days:
    """Answers of each day by kind, survey and score, of people who are not internal, by plain code."""
    found: Days = defaultdict(Decimal)
    for event in without_internal([event_of(event.json) for event in events]):
        if event.type == "survey.responded" and event.data["kind"] in ("csat", "ces"):
            score = {"4.0": "4", "4.50": "4.5"}.get(event.data["score"], event.data["score"])
            part = f"{score} {event.data['survey']}"
            found[f"answers.{event.data['kind']}", part, CALENDAR.day_of(event.at)] += 1
    return found


@given(
    drawn=st.lists(st.one_of(answers, answers, answers, marks), min_size=2, max_size=14),
    seed=st.integers(0, 999),
    cut=st.integers(1, 9),
    data=st.data(),
)
@thorough(30)
def test_days_that_were_complete_are_told_with_what_they_were(
    stage: Stage, drawn: list[Any], seed: int, cut: int, data: st.DataObject
) -> None:
    stage.reset()
    every = random.Random(seed).sample(numbered(drawn), len(drawn))
    first, late = every[:cut], every[cut:]
    arrives(stage, first)
    if not late:
        return
    known = {row_of(event) for event in first}
    known |= {row_of(event) for event in late if CALENDAR.day_of(event.at) == TODAY}
    expected = {
        key: (change, True)
        for key, change in changes(figures(first), figures(every)).items()
        if key[2] < SETTLED and key[0] in known
    }
    assert told(stage, LATE, [arrives(stage, late)], figures(first)) == expected
    gone, stay = some_of(data, every)
    lost = stage.retract(gone).moved
    found = told(stage, Cause("deletion", 1), lost, figures(every))
    assert {key: change for key, (change, _) in found.items()} == changes(figures(every), figures(stay))
    assert all(complete == (key[2] < SETTLED) for key, (_, complete) in found.items())


def row_of(event: Ev) -> str:
    return f"answers.{event.data.get('kind')}"


def test_an_amended_answer_is_told_by_what_remains_of_the_difference(stage: Stage) -> None:
    def answer(score: int, name: str) -> Ev:
        return Ev("survey.responded", AROUND, name, "acme", "ann", {"survey": "q", "kind": "csat", "score": score})  # fmt: skip

    was, other = answer(2, "a"), answer(5, "b")
    arrives(stage, [was, other])
    before = figures([was, other])
    for score in (2, 5):
        corrected = answer(score, "a")
        moving = [*stage.retract([was]).moved, *stage.write([corrected]).moved]
        found = told(stage, Cause("amendment", 1), moving, before)
        assert {key[1]: change for key, (change, _) in found.items()} == (
            {} if score == 2 else {"2 q": -1, "5 q": 1}
        )


@pytest.mark.parametrize("statement", [_ON_DAYS, _MORE_THAN])
def test_answers_are_read_by_their_index(stage: Stage, statement: str) -> None:
    """Also where nobody has looked yet at how many there are."""
    stage.conn.execute(
        """insert into engine.answer (tenant_id, account_id, person_id, answered_at, source, event_id, survey, kind, transactional, score)
           select %s, n %% 50, n, timestamptz '2026-01-01Z' + n * interval '1 hour', 's', n::text, 'q', 'csat', false, 4
           from generate_series(1, 20000) n""",
        (stage.tenant_id,),
    )
    day = date(2026, 5, 1)
    asked = {
        "tenant_id": stage.tenant_id,
        "kind": "ces",
        "added": 1,
        "kinds": ["csat"],
        "firsts": [CALENDAR.start_of(day)],
        "lasts": [CALENDAR.start_of(day + timedelta(days=1))],
    }
    plan = "\n".join(row for (row,) in stage.conn.execute("explain " + statement, asked))
    assert "answer_of_kind" in plan
    assert "Seq Scan" not in plan
