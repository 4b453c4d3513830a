"""What must hold of the scorecard, the north star, benchmarks and engagement models."""

from __future__ import annotations

import math
from collections.abc import Iterator

from common.catalogue.derived import Derived
from common.catalogue.derived_checks import metrics_read
from common.catalogue.findings import Finding
from common.catalogue.lifecycles import Coverage
from common.catalogue.models import Catalogue, Metric
from common.catalogue.places import Places, check_name, defined, gone, latest, said
from common.catalogue.scorecard import Benchmark, Scorecard
from common.catalogue.source import Entry, Path_
from common.catalogue.tree_checks import STAGES, in_tree

FILE = "scorecard.yaml"
_WHOLE = ("count", "events", "users", "accounts", "logins")
_SHARES = ("conversion", "share", "coverage", "moved_on", "renewal", "churn", "silence", "unaided", "repeated", "attained")  # fmt: skip
_SHARE_MOVEMENTS = ("grr", "logo_churn", "logo_retention", "mrr_churn")
_MOST_RATIO = 10  # of ratios that may exceed 1, such as lifetime value over acquisition cost


def check_scorecard(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    card = catalogue.scorecard
    if card is None:
        return
    for number, name in enumerate(card.kpis):
        path: Path_ = ("kpis", number)
        entry = said(places, FILE, path)
        if not gone(places, name, entry):
            yield from check_name(places, "metrics", name, entry, path)
        if name in catalogue.metrics and not in_tree(catalogue, name):
            yield entry.warning(path, f"KPI {name!r} stands in no goal of the tree", "Add it to a goal")
        if name in catalogue.metrics and not catalogue.benchmarks_of(name):
            advice = "Add to benchmarks/ its own past, a target or the range of an industry"
            yield entry.warning(path, f"KPI {name!r} is held against nothing", advice)
        if name in card.kpis[:number]:
            yield entry.finding(path, f"KPI {name!r} is there twice", "Keep one of the two")
    stages = {catalogue.metrics[name].stage for name in card.kpis if name in catalogue.metrics}
    for stage in STAGES:
        if stage not in stages:
            message = f"nothing on the scorecard is about stage {stage}"
            yield said(places, FILE, ("kpis",)).warning(("kpis",), message, "Add a KPI of it")
    yield from _north_star(card, catalogue, places)


def _north_star(card: Scorecard, catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    for role, category in (("volume", "quantity"), ("efficiency", "efficiency")):
        path: Path_ = ("north_star", role)
        entry, name = said(places, FILE, path), getattr(card.north_star, role)
        yield from check_name(places, "metrics", name, entry, path)
        metric = catalogue.metrics.get(name)
        if metric is None:
            continue
        if metric.category != category:
            message = f"{name!r} is of category {metric.category}, not {category}"
            yield entry.finding(path, message, f"Name a metric of {category}")
        elif role == "efficiency" and not about_money_or_kept(metric, catalogue):
            message = f"{name!r} is neither about money nor about kept customers"
            yield entry.finding(path, message, "Name one that is, such as grr_12m or ltv_to_cac")
        if not in_tree(catalogue, name):
            yield entry.warning(path, f"{name!r} stands in no goal of the tree", "Add it to a goal")


def about_money_or_kept(metric: Metric, catalogue: Catalogue, seen: frozenset[str] = frozenset()) -> bool:
    """Whether it is money, is made of money, or counts customers that stay: those who pay, or those who come back."""
    if metric.name in seen:
        return False
    formula = metric.formula
    read = [
        catalogue.measures[name]
        for name in (getattr(formula, "measure", None), getattr(formula, "mrr", None))
        if name in catalogue.measures
    ]
    parts = (catalogue.metrics[name] for name in metrics_read(metric) if name in catalogue.metrics)
    return (
        metric.is_money
        or formula.type == "silence"
        or any(measure.agg == "mrr" for measure in read)
        or any(about_money_or_kept(part, catalogue, seen | {metric.name}) for part in parts)
    )


def check_benchmarks(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    dated: dict[tuple[object, ...], str] = {}
    for name, made in catalogue.benchmarks.items():
        entry = places["benchmarks"][name]
        if not gone(places, made.metric, entry):
            yield from check_name(places, "metrics", made.metric, entry, ("metric",))
        yield from _benchmark(made, catalogue.metrics.get(made.metric), places, entry, ())
        twin = dated.setdefault((made.kind, made.metric, made.segment, made.by, made.source), name)
        if twin != name:
            yield entry.finding((), f"says of {made.metric!r} what {twin!r} says", "Keep one of the two")
    for metric in catalogue.metrics.values():
        for number, inline in enumerate(metric.benchmarks):
            path: Path_ = ("benchmarks", number)
            yield from _benchmark(inline, metric, places, places["metrics"][metric.name], path)


def _benchmark(
    made: Benchmark, metric: Metric | None, places: Places, entry: Entry, path: Path_
) -> Iterator[Finding]:
    yield from _fields(made, entry, path)
    if made.segment is not None:
        yield from check_name(places, "segments", made.segment, entry, (*path, "segment"))
    if made.low is not None and made.high is not None and made.low > made.high:
        yield entry.finding((*path, "low"), "lies above high", "Swap them")
    if metric is None or made.kind == "own_history":
        return
    if made.unit is not None and made.unit != metric.unit:
        message = f"{made.unit} isn't the unit of {metric.name!r}, which is {metric.unit}"
        yield entry.finding((*path, "unit"), message, f"Give the values in {metric.unit}")
        return
    for field in ("value", "low", "high"):
        number = getattr(made, field)
        if number is not None:
            yield from _number(number, metric, entry, (*path, field))


_NEEDS = {
    "own_history": (
        ("months",),
        ("value", "low", "high", "unit", "by", "set_by", "why", "source"),
    ),
    "target": (("unit", "by", "set_by", "why"), ("months", "source")),
    "industry": (("unit", "source"), ("months", "by", "set_by")),
}


def _fields(made: Benchmark, entry: Entry, path: Path_) -> Iterator[Finding]:
    needed, foreign = _NEEDS[made.kind]
    for field in needed:
        if not getattr(made, field):
            yield entry.finding(path, f"{made.kind} needs {field}", f"Add {field}")
    for field in foreign:
        if getattr(made, field) is not None:
            yield entry.finding((*path, field), f"{made.kind} has no {field}", "Remove it")
    ranged = made.low is not None or made.high is not None
    if made.kind != "own_history" and (made.value is not None) == ranged:
        yield entry.finding(path, f"{made.kind} needs a value, or low and high", "Give one of the two")


def _number(number: float, metric: Metric, entry: Entry, path: Path_) -> Iterator[Finding]:
    if found := unfit(number, metric):
        yield entry.finding(path, *found)


def unfit(number: float, metric: Metric) -> tuple[str, str] | None:
    """Why a metric can't have this value, and what to do; None when it can. The number is in the metric's unit."""
    bounds, advice = _bounds(metric)
    if not math.isfinite(number) or not bounds[0] <= number <= bounds[1]:
        return f"{number:g} is no value of {metric.name!r}, whose unit is {metric.unit}", advice
    if metric.unit in _WHOLE and number != int(number):
        return f"{number:g} is no whole number of {metric.unit}", "Round it"
    return None


def _bounds(metric: Metric) -> tuple[tuple[float, float], str]:
    formula = metric.formula
    if metric.unit == "ratio":
        share = formula.type in _SHARES or getattr(formula, "movement", None) in _SHARE_MOVEMENTS
        return ((0, 1) if share else (-_MOST_RATIO, _MOST_RATIO)), "Write 0.95 for 95 %"
    if metric.unit == "points":
        return (-200, 200) if formula.type == "nps_change" else (-100, 100), "Points lie from -100 to 100"
    if metric.is_money:
        return (-math.inf, math.inf), "Write a number"
    if isinstance(formula, Derived) and "-" in formula.cel:
        return (-math.inf, math.inf), "Write a number"
    return (0, math.inf), f"A number of {metric.unit} isn't negative"


def check_engagement(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    models = catalogue.engagement_models
    defaults = [name for name, made in models.items() if made.default]
    defaults.sort(key=lambda name: places["engagement-models"][name].document.layer)
    for name in defaults[1:]:
        message = f"{defaults[0]!r} is the default already"
        yield places["engagement-models"][name].finding(("default",), message, "Keep one default")
    if models and not defaults and set(models) == defined(places, "engagement-models"):
        last = latest(places, "engagement-models", models)
        advice = "Say default: true of the one for accounts whose trait names none"
        yield places["engagement-models"][last].finding((), "no engagement model is the default", advice)
    by_value: dict[str, str] = {}
    for name, made in sorted(
        models.items(), key=lambda one: places["engagement-models"][one[0]].document.layer
    ):
        twin = by_value.setdefault(made.trait_value, name)
        if twin != name:
            message = f"the trait's value {made.trait_value!r} stands for {twin!r}"
            advice = "Give each model a value of its own"
            yield places["engagement-models"][name].finding(("value",), message, advice)
    for name, metric in catalogue.metrics.items():
        if isinstance(metric.formula, Coverage) and not defined(places, "engagement-models"):
            advice = "Define them under engagement-models/: their contact intervals are what it counts by"
            yield places["metrics"][name].finding(("formula",), "there are no engagement models", advice)
