"""Figures after something was taken out, of the whole and of slices, are those of a history in which it never came: also what they are made of."""

import random
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.figures.companies import NOW, companies
from tests.integration.figures.conftest import Stages
from tests.integration.kpi_engine.figures_stage import Ev, Stage

from common.catalogue import Catalogue
from common.catalogue.models import Measure, Metric
from common.figures import Figure, Query, query

PARTS = [("total", ()), ("day", ()), ("total", ("segment",)), ("month", ("account",))]


@pytest.fixture
def stage(stages: Stages, base_pack: Catalogue) -> Stage:
    return stages(base_pack, NOW)


def told(stage: Stage, grain: Any, group_by: tuple[str, ...]) -> dict[Any, Any]:
    asked = Query(
        tuple(stage.catalogue.metrics), date(2026, 5, 1), date(2026, 7, 1), grain, group_by, limit=10_000
    )
    figures = query(stage.conn, stage.tenant_id, stage.catalogue, asked, NOW).figures
    return {(its.metric, tuple(its.group.values()), its.bucket): said(its) for its in figures}


def said(figure: Figure) -> tuple[Any, ...]:
    return figure.value, figure.numerator, figure.denominator, figure.n, figure.accounts, figure.censored


@given(
    happened=companies(),
    seed=st.integers(0, 2**32),
    part=st.sampled_from(PARTS),
)
@settings(
    max_examples=20,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_metric_of_the_pack(
    stage: Stage, happened: list[Ev], seed: int, part: tuple[Any, tuple[str, ...]]
) -> None:
    rng = random.Random(seed)
    gone = [event for event in happened if rng.random() < 0.3]
    stay = [event for event in happened if event not in gone]
    stage.reset()
    stage.write(stay)
    expected = told(stage, *part)
    stage.reset()
    rng.shuffle(happened)
    stage.write(happened)
    stage.retract(gone)
    found = told(stage, *part)
    # An account of which nothing is left is still a row here; the engine removes it.
    assert {key: its for key, its in expected.items() if its != found.get(key)} == {}


def test_what_adds_up_to_nothing_is_nothing_however_it_came(stages: Stages, base_pack: Catalogue) -> None:
    made = {"name": "spent", "agg": "sum", "event_types": ["x.spent"], "field": "data.amount"}
    body = base_pack.metrics["events"].model_dump(mode="json")
    spent = {**body, "name": "spent", "formula": {"type": "simple", "measure": "spent"}}
    catalogue = base_pack.model_copy(
        update={
            "measures": {**base_pack.measures, "spent": Measure.model_validate(made)},
            "metrics": {"spent": Metric.model_validate(spent)},
        }
    )
    stage = stages(catalogue, NOW)
    at = NOW - timedelta(days=3)
    first, second = (
        Ev("x.spent", at, str(n), "acme", data={"amount": amount}) for n, amount in enumerate((5, -5))
    )
    said_of = {}
    for name, batches in {"at once": [[first, second]], "one by one": [[first], [second]]}.items():
        stage.reset()
        for batch in batches:
            stage.write(batch)
        said_of[name] = told(stage, "total", ("account",))
    assert said_of["at once"] == said_of["one by one"]
