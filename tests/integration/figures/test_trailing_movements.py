"""Movements over months up to each bucket's end, in every kind, equal plain code over the raw events; to the cent."""

import random
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.figures.test_currencies import (
    BERLIN,
    METRICS,
    NOW,
    asked,
    exact,
    give_rates,
    in_currencies,
    some_rates,
)
from tests.integration.figures.test_revenue_histories import ev, lives
from tests.integration.kpi_engine.figures_stage import Stage
from tests.reference.calendar import Calendar
from tests.reference.currencies import Currencies
from tests.reference.events import events_of
from tests.reference.lifecycles import Lifecycles

from common.catalogue import Catalogue, apply, load
from common.catalogue.models import Movement
from common.clock import FixedClock

MONTHS = 3
KINDS = tuple(name for name in METRICS if name != "mrr")


def over_months(pack: Catalogue) -> Catalogue:
    """The same, but every movement is over three months."""
    metrics = dict(pack.metrics)
    for name in KINDS:
        formula = metrics[name].formula
        assert isinstance(formula, Movement)
        longer = formula.model_copy(update={"months": MONTHS})
        metrics[name] = metrics[name].model_copy(update={"formula": longer})
    zone = pack.settings.model_copy(update={"timezone": "Europe/Berlin"})
    return pack.model_copy(update={"metrics": metrics, "settings": zone})


@pytest.fixture
def stage(postgres_url: str) -> Iterator[Stage]:
    pack = over_months(load(Path(__file__).parents[3] / "catalogue"))
    made = Stage(postgres_url, pack, FixedClock(NOW))
    apply(made.conn, "t", pack)
    yield made
    made.close()


@given(seed=st.integers(0, 2**32), by=st.sampled_from([None, "segment", "account"]), foreign=st.booleans())
@settings(
    max_examples=8, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # fmt: skip
def test_every_movement_over_months_equals_the_reference(
    stage: Stage, seed: int, by: str | None, foreign: bool
) -> None:
    rng = random.Random(seed)
    bodies, rates = lives(seed), some_rates(rng)
    bodies = in_currencies(bodies, rng) if foreign else bodies
    stage.reset()
    give_rates(stage, rates)
    stage.write([ev(body) for body in bodies])
    events, calendar = events_of(bodies), Calendar(BERLIN)
    plain, traits = Currencies(events, NOW, calendar, "EUR", rates), Lifecycles(events, calendar, NOW)

    def place(account: str, at: datetime) -> Any:
        return account if by == "account" else traits.trait(account, by, at) if by == "segment" else None

    span: dict[str, Any] = {"start": date(2025, 11, 1), "end": date(2026, 6, 1), "grain": "month"}
    for figure in asked(stage, *KINDS, group_by=(by,) if by else (), **span):
        end = min(datetime.fromisoformat(figure.end), NOW)
        group = figure.group.get(by) if by else None
        wanted = plain.period(months_before(end), end, group, place)
        assert exact(figure.value) == exact(wanted[figure.metric]), figure


def months_before(at: datetime, zone: ZoneInfo = BERLIN) -> datetime:
    local = at.astimezone(zone)
    month = local.year * 12 + local.month - 1 - MONTHS
    return local.replace(year=month // 12, month=month % 12 + 1).astimezone(NOW.tzinfo)
