"""What must hold of a metric: its measures exist, and its formula, kind, unit and roll-up speak of the same thing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from common.catalogue.derived import Derived
from common.catalogue.derived_checks import check_derived, metrics_read
from common.catalogue.economics_checks import ECONOMICS, KINDS, ROLLUPS, check_economics, check_plans
from common.catalogue.findings import Finding
from common.catalogue.formula_checks import check_named
from common.catalogue.graphs import circles
from common.catalogue.lifecycle_checks import OF_STEPS, check_formula
from common.catalogue.lifecycles import (
    Answers,
    Churn,
    Committed,
    Condition,
    Coverage,
    Entered,
    Qualified,
    Renewal,
    Seats,
    Silence,
)
from common.catalogue.models import (
    Catalogue,
    Measure,
    Metric,
    Movement,
    Nps,
    Ratio,
    Rolling,
    SemiAdditive,
    Simple,
    Term,
)
from common.catalogue.places import Places, check_name, latest
from common.catalogue.segment_checks import known_traits
from common.catalogue.source import Entry, Path_
from common.catalogue.unit_checks import check_units

_KINDS = {
    "simple": {"simple"},
    "rolling": {"rolling"},
    "ratio": {"ratio", "derived"},
    "nps": {"derived"},
    "semi_additive": {"semi_additive"},
    "movement": {"movement"},
    "entered": {"simple"},
    "duration": {"duration"},
    "conversion": {"conversion"},
    "open": {"semi_additive"},
    "share": {"ratio"},
    "answers": {"ratio", "derived"},
    "derived": {"ratio", "derived"},
    "committed": {"semi_additive"},
    "renewal": {"conversion"},
    "churn": {"movement"},
    "qualified": {"derived"},
    "seats": {"ratio", "derived"},
    "silence": {"conversion"},
    "coverage": {"ratio"},
    "moved_on": {"conversion"},
    **KINDS,
}
_ROLLUPS = {
    "simple": {"sum"},
    "rolling": {"last"},
    "ratio": {"ratio"},
    "nps": {"distribution_recompute"},
    "semi_additive": {"last"},
    "movement": {"cohort_recompute"},
    "entered": {"sum", "ratio"},
    "duration": {"distribution_recompute"},
    "conversion": {"cohort_recompute"},
    "open": {"last"},
    "share": {"ratio"},
    "answers": {"ratio", "distribution_recompute"},
    "derived": {"sum", "ratio", "cohort_recompute", "distribution_recompute", "last"},
    "committed": {"last"},
    "renewal": {"cohort_recompute"},
    "churn": {"cohort_recompute"},
    "qualified": {"last"},
    "seats": {"last", "ratio"},
    "silence": {"cohort_recompute"},
    "coverage": {"ratio"},
    "moved_on": {"cohort_recompute"},
    **ROLLUPS,
}
# Ten years, as of every other span that a definition names.
_MOST_DAYS = 3660
RATIO_MOVEMENTS = {"nrr", "grr", "logo_churn", "logo_retention", "mrr_churn"}


def check_metric(metric: Metric, catalogue: Catalogue, entry: Entry) -> Iterator[Finding]:
    formula = metric.formula
    if metric.kind not in _KINDS[formula.type]:
        advice = f"Use kind: {' or '.join(sorted(_KINDS[formula.type]))}"
        yield entry.finding(("kind",), f"{metric.kind} doesn't fit a formula of type {formula.type}", advice)
    rollups = _ROLLUPS[formula.type]
    if isinstance(formula, Entered):
        rollups = {"ratio" if formula.sum == "mean_amount" else "sum"}
    if metric.rollup not in rollups:
        advice = f"Use rollup: {' or '.join(sorted(rollups))}"
        yield entry.finding(
            ("rollup",), f"{metric.rollup} doesn't fit a formula of type {formula.type}", advice
        )
    yield from _settling(metric, catalogue, entry)
    yield from _unit(metric, entry)
    yield from _only(metric, catalogue, entry)
    yield from check_units(metric, catalogue, entry)
    yield from check_named(metric, catalogue, entry)
    if isinstance(metric.formula, (*OF_STEPS, Answers)):
        yield from check_formula(metric, catalogue, entry)
        if isinstance(metric.formula, Coverage):
            yield from check_plans(metric.formula, catalogue.measures, entry)
    elif isinstance(formula, Derived):
        yield from check_derived(metric, formula, catalogue, entry)
    elif isinstance(metric.formula, ECONOMICS):
        yield from check_economics(metric, catalogue, entry)
    else:
        yield from _formula(metric, catalogue.measures, entry)


def check_names(metric: Metric, places: Places) -> Iterator[Finding]:
    """That the measures and metrics which the metric reads or stands for are defined."""
    entry = places["metrics"][metric.name]
    for kind, path, name in names_read(metric):
        yield from check_name(places, kind, name, entry, path)
    if metric.proxy_of is not None:
        yield from check_name(places, "metrics", metric.proxy_of, entry, ("feasibility",))


def names_read(metric: Metric) -> Iterator[tuple[str, Path_, str]]:
    """(kind, field, name) of everything that the formula is made of."""
    yield from (("measures", path, name) for path, name in _measure_names(metric))
    yield from (("metrics", ("formula", "cel"), name) for name in metrics_read(metric))


def check_circles(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    metrics = catalogue.metrics
    for way in circles(metrics, lambda name: metrics_read(metrics.get(name))):
        yield _circle(way, ("formula",), places)
    stands_for = {metric.name: metric.proxy_of for metric in metrics.values() if metric.proxy_of}
    for way in circles(stands_for, lambda name: [stands_for[name]] if name in stands_for else []):
        yield _circle(way, ("feasibility",), places)


def _circle(way: Sequence[str], path: Path_, places: Places) -> Finding:
    message = f"goes round in a circle: {' -> '.join(way)}"
    return places["metrics"][latest(places, "metrics", way)].finding(path, message, "Break it")


def _settling(metric: Metric, catalogue: Catalogue, entry: Entry) -> Iterator[Finding]:
    _, unit = metric.settles_after.split()
    if _settles_in_ages(metric):
        most = _most_of(unit)
        message = f"{metric.settles_after[:40]} is longer than {most} {unit}, the longest that a figure may take to settle"
        yield entry.finding(("settles_after",), message, f"Write at most {most} {unit}")
        return
    parts = [catalogue.metrics[name] for name in metrics_read(metric)]
    slower = [part for part in parts if not _settles_in_ages(part) and part.settles > metric.settles]
    if slower:
        last = max(slower, key=lambda part: part.settles)
        message = f"{metric.settles_after} is shorter than {last.name} takes ({last.settles_after}), before which this isn't complete"
        yield entry.warning(("settles_after",), message, f"Write {last.settles_after}")


def _settles_in_ages(metric: Metric) -> bool:
    amount, unit = metric.settles_after.split()
    # A number of more digits than the bound has is above it, however long it takes to read.
    return int(amount.lstrip("0")[:9] or "0") > _most_of(unit)


def _most_of(unit: str) -> int:
    return _MOST_DAYS * (24 if unit == "hours" else 1)


def _only(metric: Metric, catalogue: Catalogue, entry: Entry) -> Iterator[Finding]:
    """By a trait of the account, or by what the cases of its measures say themselves."""
    read = [catalogue.measures[name] for kind, _, name in names_read(metric) if kind == "measures"]
    own = {name for measure in read for name in (*measure.labels, *measure.slices)}
    for name, values in metric.only.items():
        if not values:
            advice = "List at least one, or remove it"
            yield entry.finding(("only", name), f"trait {name!r} may have no value at all", advice)
        if name not in known_traits(catalogue) | own:
            advice = "Correct its name, or add it to dimensions in settings.yaml"
            yield entry.warning(("only", name), f"no account is known to have a trait {name!r}", advice)


def _unit(metric: Metric, entry: Entry) -> Iterator[Finding]:
    formula = metric.formula
    expected: set[str] | None = None
    if isinstance(formula, Nps):
        expected = {"points"}
    elif isinstance(formula, Ratio):
        expected = {"ratio"}
    elif isinstance(formula, Movement):
        expected = {"accounts"} if formula.movement == "new_accounts" else {"money"}
        expected = {"ratio"} if formula.movement in RATIO_MOVEMENTS else expected
    elif isinstance(formula, Qualified) or (isinstance(formula, Seats) and formula.of == "adopted"):
        expected = {"accounts"}
    elif isinstance(formula, Seats) and formula.of == "used":
        expected = {"users"}
    elif isinstance(formula, Renewal | Churn | Seats | Silence):
        expected = {"ratio"}
    elif isinstance(formula, Committed):
        expected = {"money"}
    elif isinstance(formula, SemiAdditive) and formula.sum == "accounts":
        expected = {"accounts"}
    elif isinstance(formula, Simple | Rolling) and metric.unit in ("ratio", "points"):
        yield entry.finding(
            ("unit",), f"{metric.unit} doesn't fit a formula of type {formula.type}", "Name what is counted"
        )
    if expected is not None and metric.unit not in expected:
        yield entry.finding(
            ("unit",), f"{metric.unit} doesn't fit this formula", f"Use unit: {' or '.join(expected)}"
        )


def _measure_names(metric: Metric) -> Iterator[tuple[tuple[str | int, ...], str]]:
    formula = metric.formula
    if isinstance(formula, Ratio):
        yield ("formula", "numerator", "measure"), formula.numerator.measure
        yield ("formula", "denominator", "measure"), formula.denominator.measure
    elif isinstance(formula, Qualified):
        for position, condition in enumerate(formula.conditions):
            yield ("formula", "conditions", position, "measure"), condition.measure
    elif not isinstance(formula, Answers | Derived):
        yield ("formula", "measure"), formula.measure
        for field in ("plans", "mrr", "invoices"):
            if (name := getattr(formula, field, None)) is not None:
                yield ("formula", field), name


def _formula(metric: Metric, measures: Mapping[str, Measure], entry: Entry) -> Iterator[Finding]:
    formula = metric.formula
    if isinstance(formula, Ratio):
        for side, term in (("numerator", formula.numerator), ("denominator", formula.denominator)):
            yield from _term(term, measures[term.measure], entry, ("formula", side))
        return
    if isinstance(formula, Qualified):
        for position, condition in enumerate(formula.conditions):
            path = ("formula", "conditions", position)
            yield from _term(condition, measures[condition.measure], entry, path)
        return
    assert not isinstance(formula, (*OF_STEPS, *ECONOMICS, Answers, Derived))
    measure = measures[formula.measure]
    wanted: set[str]
    if isinstance(formula, Nps):
        wanted = {"nps"}
    elif isinstance(formula, Movement | Committed | Renewal | Churn):
        wanted = {"mrr"}
    elif isinstance(formula, Seats):
        wanted = {"distinct"}
    elif isinstance(formula, Silence):
        wanted = {"active_accounts"}
    elif isinstance(formula, SemiAdditive):
        wanted = {"mrr", "last"}
    elif isinstance(formula, Simple):
        wanted = {"count", "sum"}
    else:
        wanted = {"count", "sum", "distinct", "active_accounts"}
    if measure.agg not in wanted:
        message = f"a {formula.type} formula can't read {measure.name!r}, whose agg is {measure.agg}"
        yield entry.finding(
            ("formula", "measure"), message, f"Name a measure of agg {', '.join(sorted(wanted))}"
        )
    elif isinstance(formula, Rolling | Seats):
        yield from _window(formula.window_days, measure, entry, ("formula", "window_days"))


def _term(
    term: Term | Condition, measure: Measure, entry: Entry, path: tuple[str | int, ...]
) -> Iterator[Finding]:
    if measure.agg not in ("count", "sum", "distinct", "active_accounts"):
        message = f"a term can't read {measure.name!r}, whose agg is {measure.agg}"
        yield entry.finding(
            (*path, "measure"), message, "Name a measure of agg count, sum, distinct or active_accounts"
        )
    elif term.agg == "value":
        yield from _window(term.window_days, measure, entry, (*path, "window_days"))


def _window(days: int, measure: Measure, entry: Entry, path: tuple[str | int, ...]) -> Iterator[Finding]:
    if measure.is_distinct and days != 1 and days not in measure.windows:
        message = f"measure {measure.name!r} keeps no window of {days} days"
        yield entry.finding(
            path, message, f"Add {days} to its windows, or use 1 or one of {list(measure.windows)}"
        )
