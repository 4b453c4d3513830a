"""What a last value was when its period was complete: worked out in plain Python from every event's coming and going."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.conftest import PostgresServer
from tests.integration.analysis.correcting import arrive, decide
from tests.integration.analysis.stage import History, Told, telling
from tests.integration.analysis.test_explaining import definitions, parts
from tests.integration.kpi_engine.figures_stage import Ev

METRIC = "employee_nps"
START = datetime(2026, 6, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
worlds = count()


@pytest.fixture(scope="module")
def told(postgres_server: PostgresServer, migrated_template: str) -> Iterator[Told]:
    name = f"late_last_{uuid.uuid4().hex}"
    postgres_server.execute("create database {} template {} strategy file_copy", name, migrated_template)
    with telling(postgres_server.database_url(name), definitions()) as made:
        made.history.tell([Ev("user.logged_in", START - 500 * DAY, "first", "acme", "ann")])
        made.history.applied(datetime(2026, 11, 20, tzinfo=UTC))
        yield made
    postgres_server.drop(name)


def reported(at: datetime, name: str, value: int) -> Ev:
    return Ev("metric.reported", at, name, "", None, {"metric": METRIC, "value": value})


@dataclass(frozen=True)
class Fate:
    """Of a report: how many hours after the period's begin it is of, how long after that it came; how long after that it was
    decided that it goes, or that it says another value."""

    hour: int
    value: int
    came: timedelta
    decided: timedelta | None
    corrected: int | None


soon, after = st.integers(0, 10).map(lambda n: n * HOUR), st.sampled_from([40 * DAY, 50 * DAY])
scores = st.integers(-50, 50)
fates = st.builds(
    Fate, st.integers(0, 95), scores, soon | after, st.none() | soon | after, st.none() | scores
)
Said = tuple[tuple[datetime, str], int, datetime, datetime | None]
"""(order, value, from when on, until when)"""


def live(history: History, begin: datetime, world: int, histories: list[Fate]) -> list[Said]:
    """Let it come about in its order; returns what was said of every report."""
    said: list[Said] = []
    happens: list[tuple[datetime, Callable[[], None]]] = []
    for number, fate in enumerate(histories):
        event = reported(begin + fate.hour * HOUR, f"{world}-{number}", fate.value)
        order, came = (event.at, event.id), event.at + fate.came
        happens.append((came, partial(arrive, history, [event], came)))
        decided = None if fate.decided is None else came + fate.decided + timedelta(seconds=1)
        said.append((order, fate.value, came, decided))
        if decided is None:
            continue
        corrected = None
        if fate.corrected is not None:
            corrected = replace(event, data={**event.data, "value": fate.corrected})
            said.append((order, fate.corrected, decided, None))
        happens.append((decided, partial(decide, history, event, corrected, decided, came)))
    for _, happening in sorted(happens, key=lambda one: one[0]):
        happening()
    return said


def standing(said: list[Said], end: datetime, at: datetime | None) -> int | None:
    """The last value before the period's end, of those that stood at an instant, or now."""
    stood = [
        (order, value)
        for order, value, since, until in said
        if order[0] < end and (until is None if at is None else since <= at and (until is None or until > at))
    ]
    return max(stood)[1] if stood else None


def explained(told: Told, begin: datetime, end: datetime) -> dict[str, Any]:
    periods = {"earlier": (begin, end), "later": (end, end + 4 * DAY)}
    asked = {
        name: {"from": since.date().isoformat(), "to": until.date().isoformat()}
        for name, (since, until) in periods.items()
    }
    return told.post("/v1/explain-change", {"metric": METRIC, **asked})


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.generate],
)
@given(st.lists(fates, max_size=4))
def test_what_is_said_to_be_known_is_what_it_was(told: Told, histories: list[Fate]) -> None:
    world, history = next(worlds), told.history
    begin = START - 10 * world * DAY  # nothing that another world told happened before
    end = begin + 4 * DAY
    histories = [Fate(0, 7, HOUR, None, None), *histories]
    said = live(history, begin, world, histories)
    settles = definitions().metrics[METRIC].settles
    was, now = standing(said, end, end + settles), standing(said, end, None)
    assert was is not None
    assert now is not None
    found = explained(told, begin, end)
    late = parts(found)["late_data"]
    assert found["earlier"]["value"] == str(now)
    if late["known"]:
        assert (found["earlier"]["as_known_when_complete"], late["amount"]) == (str(was), str(now - was))
    else:  # something came that changed nothing, which leaves no revision
        assert now == was or any(fate.came > DAY for fate in histories)


def test_a_value_that_came_late_is_known_to_have(told: Told) -> None:
    begin = START - 10 * next(worlds) * DAY
    on_time, late = reported(begin, "on time", 7), reported(begin + 2 * DAY, "late", 9)
    arrive(told.history, [on_time], begin + HOUR)
    arrive(told.history, [late], begin + 60 * DAY)
    found = explained(told, begin, begin + 4 * DAY)
    assert (found["earlier"]["as_known_when_complete"], parts(found)["late_data"]["amount"]) == ("7", "2")
    decide(told.history, on_time, None, begin + 61 * DAY, begin + HOUR)
    decide(told.history, late, reported(late.at, "late", 12), begin + 62 * DAY, begin + 60 * DAY)
    found = explained(told, begin, begin + 4 * DAY)
    assert (found["earlier"]["as_known_when_complete"], parts(found)["late_data"]["amount"]) == ("7", "5")
