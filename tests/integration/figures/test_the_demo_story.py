"""The demo's customers, told through the engine: every figure of their lifecycles, use and contracts equals plain code over the raw events."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.integration.figures import test_adoption as adoption
from tests.integration.figures import test_economics as economics
from tests.integration.figures import test_lifecycles as lifecycles
from tests.integration.figures.stories import NOW as STORY_NOW
from tests.integration.figures.stories import as_events
from tests.integration.kpi_engine.figures_stage import Ev, Stage
from tests.reference.adoption import Adoption
from tests.reference.calendar import Calendar
from tests.reference.economics import Economics
from tests.reference.lifecycles import Lifecycles

from bellwether.story import world as worlds
from bellwether.story.history import history
from common.catalogue import load
from common.clock import FixedClock
from common.figures import Figure, Query, query

SEED, EVERY, BATCH = 7, 50, 4_000
BERLIN = lifecycles.BERLIN
# Risk and health are kept by the engine's account states, which have no part here.
CONTRACTS = tuple(
    name for name in economics.SLICED if name not in ("renewal_mrr_at_risk", "risk_resolution_rate")
)


def told(now: datetime) -> list[Ev]:
    """The year before `now` of every fiftieth customer, the cast among them."""
    world = worlds.build(SEED, now.date())
    some = tuple(
        account
        for n, account in enumerate(world.accounts)
        if n % EVERY == 0 or account.role is not worlds.Role.BACKGROUND
    )
    bodies = (json.loads(event.body()) for event in history(replace(world, accounts=some), now))
    return [_event(body) for body in bodies]


def _event(body: dict[str, Any]) -> Ev:
    data = dict(body["data"])
    user = data.pop("user", None)
    at = datetime.fromisoformat(body["time"])
    return Ev(body["type"], at, body["id"], body["subject"], user, data, body["source"])


@pytest.fixture
def stage(postgres_url: str, now: datetime) -> Iterator[Stage]:
    base = load(Path(__file__).parents[3] / "catalogue")
    local = base.settings.model_copy(update={"timezone": "Europe/Berlin"})
    made = Stage(postgres_url, base.model_copy(update={"settings": local}), FixedClock(now))
    yield made
    made.close()


def arrive(stage: Stage, happened: list[Ev]) -> None:
    for start in range(0, len(happened), BATCH):
        assert not stage.write(happened[start : start + BATCH]).rejected


def ask(stage: Stage, now: datetime, metrics: tuple[str, ...], start: date, **parts: Any) -> list[Figure]:
    made = Query(metrics, start, now.date(), **{"limit": 10_000, **parts})
    return list(query(stage.conn, stage.tenant_id, stage.catalogue, made, now).figures)


def ends(figure: Figure) -> tuple[datetime, datetime]:
    start, end = (datetime.fromisoformat(at).astimezone(UTC) for at in (figure.start, figure.end))
    return start, end


@pytest.mark.parametrize("now", [STORY_NOW])
def test_lifecycles_of_the_story_are_what_was_told(stage: Stage, now: datetime) -> None:
    happened = told(now)
    arrive(stage, happened)
    plain = Lifecycles(as_events(happened), Calendar(BERLIN), now, lifecycles.HOURS)
    metrics, values = (*lifecycles.WITH_PARTS, *lifecycles.COUNTS), set()
    for by in (None, "segment"):
        for figure in ask(
            stage, now, metrics, date(now.year - 1, 9, 1), grain="quarter", group_by=(by,) if by else ()
        ):
            start, end = ends(figure)
            group = figure.group.get(by) if by else None
            lifecycles.compare(figure, lifecycles.Expected(plain, by, group, start, end), begun=start <= now)
            values |= {figure.metric} if figure.value else set()
    assert values >= {"tickets_opened", "first_response_time", "complaint_resolution_time"}


@pytest.mark.parametrize("now", [adoption.NOW])
def test_the_storys_use_is_what_was_told(stage: Stage, now: datetime) -> None:
    happened = told(now)
    arrive(stage, happened)
    calendar = Calendar(BERLIN)
    traits = Lifecycles(as_events(happened), calendar, now + adoption.DAY)
    plain, values = Adoption(as_events(happened), calendar, traits), set()
    for by in (None, "segment"):
        for figure in ask(
            stage,
            now,
            adoption.METRICS,
            date(now.year - 1, 12, 1),
            grain="month",
            group_by=(by,) if by else (),
        ):
            day = calendar.day_of(ends(figure)[1] - adoption.INSTANT)
            wanted = adoption.expected(plain, figure.metric, day, by, figure.group.get(by or ""))
            assert adoption.shown(figure) == wanted, figure
            values |= {figure.metric} if figure.value else set()
    assert values == set(adoption.METRICS)


@pytest.mark.parametrize("now", [economics.NOW])
def test_the_storys_contracts_are_worth_what_was_told(stage: Stage, now: datetime) -> None:
    happened = told(now)
    arrive(stage, happened)
    plain, values = Economics(as_events(happened), Calendar(BERLIN), now), set()
    for by in (None, "segment"):
        for figure in ask(
            stage, now, CONTRACTS, date(now.year, 1, 1), grain="month", group_by=(by,) if by else ()
        ):
            start, end = ends(figure)
            group = figure.group.get(by) if by else None
            economics.Expected(plain, {}, by, group, start, end, {}).compare(figure)
            values |= {figure.metric} if figure.value else set()
    assert values >= {"seats_used", "ltv"}
