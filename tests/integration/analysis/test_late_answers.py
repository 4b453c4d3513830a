"""What a share or a mean of answers was when its period was complete: worked out in plain Python from every answer's coming and going."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.conftest import PostgresServer
from tests.integration.analysis.correcting import arrive, decide
from tests.integration.analysis.stage import History, Told, telling
from tests.integration.analysis.test_explaining import definitions, parts
from tests.integration.kpi_engine.figures_stage import Ev

START = datetime(2026, 6, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SETTLES = 7 * DAY
worlds = count()


@pytest.fixture(scope="module")
def told(postgres_server: PostgresServer, migrated_template: str) -> Iterator[Told]:
    name = f"late_answers_{uuid.uuid4().hex}"
    postgres_server.execute("create database {} template {} strategy file_copy", name, migrated_template)
    with telling(postgres_server.database_url(name), definitions()) as made:
        made.history.tell(answer(START + 30 * DAY, kind, kind, "q", 3) for kind in ("csat", "ces"))
        made.history.applied(datetime(2026, 11, 20, tzinfo=UTC))
        yield made
    postgres_server.drop(name)


def answer(at: datetime, name: str, kind: str, survey: str, score: int) -> Ev:
    return Ev("survey.responded", at, name, "acme", "ann", {"survey": survey, "kind": kind, "score": score})


@dataclass(frozen=True)
class Fate:
    """Of an answer: how many hours after the period's begin it was given, how long after that it came; how long after that it
    was decided that it goes, or that its score was another one."""

    hour: int
    survey: str
    score: int
    came: timedelta
    decided: timedelta | None
    corrected: int | None


soon, after = st.integers(0, 10).map(lambda n: n * HOUR), st.sampled_from([14 * DAY, 20 * DAY])
scores = st.integers(0, 8)
fates = st.builds(
    Fate, st.integers(0, 47), st.sampled_from(["q", "onboarding"]), scores, soon | after, st.none() | soon | after,
    st.none() | scores,
)  # fmt: skip
Said = tuple[str, int, datetime, datetime | None]
"""(survey, score, from when on, until when)"""


def live(history: History, begin: datetime, kind: str, world: int, histories: list[Fate]) -> list[Said]:
    """Write them as the engine would; returns what was said of every answer."""
    said: list[Said] = []
    for number, fate in enumerate(histories):
        at = begin + fate.hour * HOUR
        event = answer(at, f"{world}-{number}", kind, fate.survey, fate.score)
        came = at + fate.came
        arrive(history, [event], came)
        decided = None if fate.decided is None else came + fate.decided + timedelta(seconds=1)
        said.append((fate.survey, fate.score, came, decided))
        if decided is None:
            continue
        corrected = None
        if fate.corrected is not None:
            corrected = replace(event, data={**event.data, "score": fate.corrected})
            said.append((fate.survey, fate.corrected, decided, None))
        decide(history, event, corrected, decided, came)
    return said


def figure(metric: str, answers: Sequence[tuple[str, int]]) -> Fraction | None:
    highest = 7 if metric == "ces" else 5
    counted = [
        score
        for survey, score in answers
        if 1 <= score <= highest and (metric != "onboarding_csat" or survey == "onboarding")
    ]
    if not counted:
        return None
    return Fraction(sum(counted if metric == "ces" else [score >= 4 for score in counted]), len(counted))


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.generate],
)
@given(st.sampled_from(["csat", "onboarding_csat", "ces"]), st.lists(fates, max_size=6))
def test_answers_are_told_as_of_what_had_arrived(told: Told, metric: str, histories: list[Fate]) -> None:
    world = next(worlds)
    begin = START - 10 * world * DAY  # nothing that another world told happened before
    end, kind = begin + 2 * DAY, metric.removeprefix("onboarding_")
    histories = [Fate(1, "onboarding", 4, HOUR, None, None), *histories]
    said = live(told.history, begin, kind, world, histories)
    told.history.tell([answer(end, f"{world}-later", kind, "onboarding", 5)])
    then = end + SETTLES
    known = figure(metric, [one[:2] for one in said if one[2] <= then and (one[3] is None or one[3] > then)])
    now = figure(metric, [one[:2] for one in said if one[3] is None])
    found = told.post(
        "/v1/explain-change",
        {
            "metric": metric,
            "earlier": {"from": begin.date().isoformat(), "to": end.date().isoformat()},
            "later": {"from": end.date().isoformat(), "to": (end + 2 * DAY).date().isoformat()},
        },
    )
    late = parts(found)["late_data"]
    assert known is not None
    assert now is not None
    assert late["known"]
    assert abs(Fraction(found["earlier"]["as_known_when_complete"]) - known) < Fraction(1, 10**12)
    assert abs(Fraction(late["amount"]) - (now - known)) < Fraction(1, 10**12)
