"""When figures are complete: none before the slowest of what it is made of."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.catalogue import load
from common.catalogue.derived import Derived
from common.catalogue.models import Catalogue, Metric
from common.figures.buckets import Bucket
from common.figures.calendar import Calendar
from common.figures.dress import Dresser
from common.figures.model import Query, Value
from common.figures.parts import measures_read, settles

PACK = load(Path(__file__).parents[3] / "catalogue")
EVENTS = PACK.metrics["events"]
HOUR = timedelta(hours=1)
# Metric `m4` may be made of m0 to m3, and so on: hours of its own, and what it is made of.
HOURS = st.integers(1, 2_000)
MADE = st.lists(
    st.tuples(HOURS, st.lists(st.integers(0, 9), max_size=3, unique=True)), min_size=1, max_size=9
)


def made(parts: list[tuple[int, list[int]]]) -> Catalogue:
    metrics: dict[str, Metric] = {}
    for number, (hours, others) in enumerate(parts):
        names = [f"m{other}" for other in others if other < number]
        formula = Derived(type="derived", cel=" + ".join(names)) if names else EVENTS.formula
        said = {"name": f"m{number}", "formula": formula, "settles_after": f"{hours} hours"}
        metrics[f"m{number}"] = EVENTS.model_copy(update=said)
    return PACK.model_copy(update={"metrics": metrics})


def reached(parts: list[tuple[int, list[int]]], number: int) -> Iterator[int]:
    """Hours of it and of everything below it, plainly."""
    yield parts[number][0]
    for other in parts[number][1]:
        if other < number:
            yield from reached(parts, other)


@given(MADE)
def test_what_is_derived_settles_with_the_slowest_of_its_parts(parts: list[tuple[int, list[int]]]) -> None:
    catalogue = made(parts)
    for number in range(len(parts)):
        expected = max(reached(parts, number))
        assert settles(catalogue.metrics[f"m{number}"], catalogue) == expected * HOUR


@pytest.mark.parametrize("name", sorted(PACK.metrics))
def test_no_metric_of_the_pack_settles_before_a_measure_that_it_reads(name: str) -> None:
    """A measure settles as its own metrics do: those that read nothing else."""
    alone: dict[str, timedelta] = {}
    for metric in PACK.metrics.values():
        read = set(measures_read(metric, PACK))
        if len(read) == 1 and not isinstance(metric.formula, Derived):
            measure = read.pop()
            alone[measure] = min(alone.get(measure, metric.settles), metric.settles)
    metric = PACK.metrics[name]
    for measure in measures_read(metric, PACK):
        assert metric.settles >= alone.get(measure, timedelta()), (name, measure)


@given(st.integers(-3, 3))
def test_a_figure_is_complete_from_that_moment_on(hours: int) -> None:
    catalogue = made([(24, []), (45 * 24, []), (7 * 24, [0, 1])])
    metric, end = catalogue.metrics["m2"], datetime(2026, 2, 1, tzinfo=UTC)
    bucket = Bucket("2026-01", datetime(2026, 1, 1, tzinfo=UTC), end)
    asked = Query(("m2",), bucket.start, bucket.end, "month")
    dresser = Dresser(
        asked, metric, "EUR", Calendar(ZoneInfo("UTC")), end + timedelta(days=45) + hours * HOUR, [bucket],
        settles(metric, catalogue),
    )  # fmt: skip
    (figure,) = dresser.figures((), [(0, Value(1), None)])
    assert figure.complete == (hours >= 0)
