"""Every metric, at every grain, in every slice: SQL over stored measures equals plain code over the raw history."""

import itertools
import json
import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.figures.oracle import Oracle, Span, hour_spans
from tests.integration.figures.worlds import DAY, Connection, World, random_world, store
from tests.reference.calendar import Calendar

from common.catalogue import Catalogue, load
from common.figures import Figure, Query, query
from common.figures.model import MAX_PAGE_ROWS

OWN_PACK = """
measures:
- {name: spent, agg: sum, activity: true, field: data.amount, scale: 2}
- {name: level, agg: last, activity: true, field: data.level}
metrics:
- {name: spent, unit: money, kind: simple, rollup: sum, formula: {type: simple, measure: spent}}
- {name: spent_7d, unit: money, kind: rolling, rollup: last, formula: {type: rolling, measure: spent, window_days: 7}}
- {name: level, unit: count, kind: semi_additive, rollup: last, formula: {type: semi_additive, measure: level}}
"""
BASE_PACK = Path(__file__).parents[3] / "catalogue"
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu")
HOURLY = ("events", "portal_logins", "complaints", "mrr", "nrr", "mrr_expansion")
SLICES: tuple[tuple[str, ...], ...] = ((), ("segment",), ("plan", "segment"), ("account",))
TENANTS = itertools.count(1)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """The base pack with what it has no example of: a sum with a scale, by day, and a last value."""
    return with_own_pack(tmp_path_factory.mktemp("overlay"))


def with_own_pack(overlay: Path) -> Catalogue:
    own = yaml.safe_load(OWN_PACK)
    like = yaml.safe_load((BASE_PACK / "metrics" / "adopt.yaml").read_text(encoding="utf-8"))[0]
    own["metrics"] = [{**like, **metric} for metric in own["metrics"]]
    for kind, definitions in own.items():
        (overlay / kind).mkdir()
        (overlay / kind / "own.yaml").write_text(json.dumps(definitions, default=str), encoding="utf-8")
    return load(BASE_PACK, [overlay])


@pytest.fixture
def conn(postgres_url: str) -> Iterator[Connection]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


def settled(base: Catalogue, calendar: Calendar) -> Catalogue:
    weekday = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")[
        calendar.week_start
    ]
    changed = {
        "timezone": calendar.zone.key,
        "week_start": weekday,
        "fiscal_start_month": calendar.fiscal_start_month,
    }
    return base.model_copy(update={"settings": base.settings.model_copy(update=changed)})


def spans(world: World, first: date, end: date, grain: str) -> list[tuple[datetime, Span]]:
    """With the local start of the whole bucket."""
    start_of = world.calendar.start_of
    if grain == "hour":
        return [(span.start, span) for span in hour_spans(world, start_of(first), start_of(end))]
    return [
        (start_of(bucket), Span(a, b, start_of(a), start_of(b)))
        for bucket, (a, b) in world.calendar.buckets(first, end, grain).items()
    ]


def everything(
    conn: Connection, tenant: int, catalogue: Catalogue, asked: Query, now: datetime
) -> list[Figure]:
    """All pages."""
    figures: list[Figure] = []
    cursor: str | None = None
    while True:
        page = Query(**{**{name: getattr(asked, name) for name in asked.__slots__}, "cursor": cursor})
        answer = query(conn, tenant, catalogue, page, now)
        figures.extend(answer.figures)
        cursor = answer.next_cursor
        if cursor is None:
            return figures


def of_measures(catalogue: Catalogue) -> list[str]:
    """Metrics that are made of stored measures alone; those of events' steps have references of their own."""
    formulas = ("simple", "rolling", "ratio", "nps", "semi_additive", "movement")
    return [
        name
        for name, metric in catalogue.metrics.items()
        if metric.formula.type in formulas and getattr(metric.formula, "months", None) is None
    ]


def same(value: Any, expected: Any) -> bool:
    if isinstance(expected, Fraction):
        return value is not None and float(value) == float(expected)
    if isinstance(expected, int) and not isinstance(value, int):
        return False
    return bool(value == expected)


calendars = st.builds(
    Calendar,
    st.sampled_from(ZONES).map(ZoneInfo),
    st.integers(0, 6),
    st.integers(1, 12),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    calendar=calendars,
    seed=st.integers(0, 2**32),
    grain=st.sampled_from(("hour", "day", "week", "month", "quarter", "year", "total")),
    group_by=st.sampled_from(SLICES),
)
def test_every_figure_equals_the_oracle(
    conn: Connection, base: Catalogue, calendar: Calendar, seed: int, grain: Any, group_by: tuple[str, ...]
) -> None:
    rng = random.Random(seed)
    world = random_world(seed, calendar)
    tenant = next(TENANTS)
    store(conn, tenant, world)
    first = world.first + DAY * rng.randrange(-5, world.days)
    end = first + DAY * (rng.randrange(1, 4) if grain == "hour" else rng.randrange(1, 70))
    now = calendar.start_of(first) + timedelta(hours=rng.choice((0, 13, 24, 400, 3_000, 3_000, 3_000)))
    catalogue = settled(base, calendar)
    metrics = HOURLY if grain == "hour" else tuple(of_measures(catalogue))
    asked = Query(metrics, first, end, grain, group_by, limit=MAX_PAGE_ROWS)
    figures = everything(conn, tenant, catalogue, asked, now)
    oracle = Oracle(world, group_by, now)
    planned = dict(spans(world, first, end, grain))
    assert len({(f.metric, f.bucket, tuple(f.group.values())) for f in figures}) == len(figures)
    for figure in figures:
        span = planned[datetime.fromisoformat(figure.bucket)]
        expected = oracle.value(figure.metric, tuple(figure.group[name] for name in group_by), span)
        assert same(figure.value, expected), (figure, expected)
        accounts = oracle.accounts(figure.metric, tuple(figure.group[name] for name in group_by), span)
        assert accounts in (None, figure.accounts), (figure, accounts)
    _nothing_is_missing(figures, planned, metrics, group_by, oracle)
    _movements_add_up(figures, planned, oracle)


def _nothing_is_missing(
    figures: list[Figure],
    planned: dict[datetime, Span],
    metrics: tuple[str, ...],
    group_by: tuple[str, ...],
    oracle: Oracle,
) -> None:
    """Each bucket of each group is there once for each metric, and every group that an account was in has come."""
    groups = {tuple(f.group[name] for name in group_by) for f in figures}
    assert len(figures) == len(metrics) * len(planned) * len(groups)
    days = {day for span in planned.values() for day in oracle.world.calendar.days(span.first, span.end_day)}
    assert groups >= {oracle.group_on(a, day) for a in oracle.world.accounts for day in days}


def _movements_add_up(figures: list[Figure], planned: dict[datetime, Span], oracle: Oracle) -> None:
    """start + new + reactivation + expansion - contraction - churned + transfers = end, to the cent, in every slice."""
    by_cell: dict[tuple[str, tuple[Any, ...]], dict[str, Any]] = {}
    for figure in figures:
        by_cell.setdefault((figure.bucket, tuple(figure.group.values())), {})[figure.metric] = figure.value
    for (bucket, group), cell in by_cell.items():
        if cell.get("mrr_new") is None:
            continue
        start: Decimal = oracle._total(group, planned[datetime.fromisoformat(bucket)].start)
        gained = cell["mrr_new"] + cell["mrr_reactivation"] + cell["mrr_expansion"] + cell["mrr_transfer_in"]
        lost = cell["mrr_contraction"] + cell["mrr_churned"] + cell["mrr_transfer_out"]
        assert start + gained - lost == cell["mrr"]
        assert cell["net_new_mrr"] == gained - lost
