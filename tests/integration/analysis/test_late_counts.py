"""What a count was when its period was complete: worked out in plain Python from every event's coming and going."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import PostgresServer
from tests.integration.analysis.correcting import amend, delete
from tests.integration.analysis.stage import History, Told, telling
from tests.integration.analysis.test_explaining import definitions, parts
from tests.integration.kpi_engine.figures_stage import Ev

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SETTLES = DAY
END = START + 2 * DAY
THEN = END + SETTLES
worlds = count()


@pytest.fixture(scope="module")
def told(postgres_server: PostgresServer, migrated_template: str) -> Iterator[Told]:
    name = f"late_counts_{uuid.uuid4().hex}"
    postgres_server.execute("create database {} template {} strategy file_copy", name, migrated_template)
    with telling(postgres_server.database_url(name), definitions()) as made:
        made.history.tell([Ev("complaint.filed", START, "c", "other", None, {"complaint": "c"})])
        made.history.applied(datetime(2026, 11, 20, tzinfo=UTC))
        yield made
    postgres_server.drop(name)


@dataclass(frozen=True)
class Fate:
    """Of a log-in: how many hours after the period's begin it happened, how long after it happened it came (live, or with a backfill that was closed
    then), and what was decided of it how long after that: nothing, that it goes, or that it was so many hours later."""

    hour: int
    came: timedelta
    decided: timedelta | None
    moved: int | None
    """Hours; None: it goes."""


soon, after = st.integers(0, 10).map(lambda n: n * HOUR), st.sampled_from([4 * DAY, 9 * DAY])
fates = st.builds(
    Fate, st.integers(0, 47), soon | after, st.none() | soon | after, st.none() | st.integers(0, 60)
)


def live(history: History, world: int, histories: list[Fate]) -> list[tuple[Any, ...]]:
    """Write it as it would have come about; returns (happened, from, until) of every event as it was said."""
    said: list[tuple[Any, ...]] = []
    for number, fate in enumerate(histories):
        at = START + fate.hour * HOUR
        event = Ev("user.logged_in", at, f"{world}-{number}", f"w{world}", "ann")
        came = at + fate.came
        history.tell([event], came)
        if fate.decided is None:
            said.append((at, came, None))
            continue
        decided = came + fate.decided + timedelta(seconds=1)
        said.append((at, came, decided))
        if fate.moved is None:
            delete(history, event, decided, came)
        else:
            corrected = replace(event, at=at + fate.moved * HOUR)
            amend(history, event, corrected, decided, came)
            said.append((corrected.at, decided, None))
    return said


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(fates, max_size=6))
def test_a_count_is_told_as_of_what_had_arrived(told: Told, histories: list[Fate]) -> None:
    world = next(worlds)
    said = live(told.history, world, histories)
    in_period = [one for one in said if START <= one[0] < END]
    known = sum(came <= THEN and (left is None or left > THEN) for _, came, left in in_period)
    now = sum(left is None for _, _, left in in_period)
    answer = told.post(
        "/v1/explain-change",
        {
            "metric": "portal_logins",
            "earlier": {"from": START.isoformat(), "to": END.isoformat()},
            "later": {"from": END.isoformat(), "to": (END + 2 * DAY).isoformat()},
            "accounts": [f"w{world}"],
        },
    )
    late = parts(answer)["late_data"]
    assert (answer["earlier"]["as_known_when_complete"], answer["earlier"]["value"]) == (str(known), str(now))
    assert (late["amount"], late["known"]) == (str(now - known), True)
