"""What must hold of metrics about what customers are worth, cost and get."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from common.catalogue.economics import (
    AtRisk,
    Attained,
    Benefit,
    Lifetime,
    NpsChange,
    NpsWave,
    Recorded,
    RelativeTrend,
    Repeated,
    RiskResolved,
    Unaided,
)
from common.catalogue.findings import Finding
from common.catalogue.lifecycle_checks import check_step_names
from common.catalogue.lifecycles import Coverage
from common.catalogue.models import Catalogue, Measure, Metric
from common.catalogue.source import Entry, Path_

Economics = (
    Recorded
    | Unaided
    | Repeated
    | Attained
    | Benefit
    | Lifetime
    | AtRisk
    | RiskResolved
    | RelativeTrend
    | NpsChange
    | NpsWave
)
ECONOMICS = (
    Recorded, Unaided, Repeated, Attained, Benefit, Lifetime, AtRisk, RiskResolved, RelativeTrend, NpsChange,
    NpsWave,
)  # fmt: skip
KINDS: Mapping[str, set[str]] = {
    "recorded": {"simple"},
    "unaided": {"ratio"},
    "repeated": {"ratio"},
    "attained": {"ratio"},
    "benefit": {"ratio", "derived"},
    "lifetime": {"derived"},
    "at_risk": {"derived"},
    "risk_resolved": {"conversion"},
    "relative_trend": {"derived"},
    "nps_change": {"derived"},
    "nps_wave": {"derived"},
}
ROLLUPS: Mapping[str, set[str]] = {
    "recorded": {"sum"},
    "unaided": {"ratio"},
    "repeated": {"cohort_recompute"},
    "attained": {"ratio"},
    "benefit": {"ratio"},
    "lifetime": {"cohort_recompute"},
    "at_risk": {"sum"},
    "risk_resolved": {"cohort_recompute"},
    "relative_trend": {"ratio"},
    "nps_change": {"distribution_recompute"},
    "nps_wave": {"distribution_recompute"},
}
_MEASURES: Mapping[str, set[str]] = {
    "lifetime": {"mrr"},
    "at_risk": {"mrr"},
    "risk_resolved": {"mrr"},
    "relative_trend": {"count", "sum", "distinct", "active_accounts"},
    "nps_change": {"nps"},
    "nps_wave": {"nps"},
}
_UNITS: Mapping[str, set[str]] = {
    "lifetime": {"money"},
    "at_risk": {"money"},
    "nps_change": {"points"},
    "nps_wave": {"points"},
}


def check_economics(metric: Metric, catalogue: Catalogue, entry: Entry) -> Iterator[Finding]:
    """Of a metric with such a formula whose names are known."""
    formula, measures = metric.formula, catalogue.measures
    assert isinstance(formula, ECONOMICS)
    measure = measures[formula.measure]
    yield from _reads(
        formula.type, measure, _MEASURES.get(formula.type, {"steps"}), ("formula", "measure"), entry
    )
    if isinstance(formula, Benefit):
        yield from _reads(formula.type, measures[formula.mrr], {"mrr"}, ("formula", "mrr"), entry)
    if measure.agg == "steps":
        yield from check_step_names(_steps_of(formula), measure, catalogue, entry)
    if isinstance(formula, Recorded):
        yield from _recorded(metric, formula, measure, entry)
        return
    units = _UNITS.get(formula.type, {"ratio"})
    if metric.unit not in units:
        advice = f"Use unit: {' or '.join(sorted(units))}"
        yield entry.finding(("unit",), f"{metric.unit} doesn't fit a formula of type {formula.type}", advice)


def check_plans(formula: Coverage, measures: Mapping[str, Measure], entry: Entry) -> Iterator[Finding]:
    """Of the success plans that a contact must come with."""
    if formula.plans is not None:
        yield from _reads(formula.type, measures[formula.plans], {"steps"}, ("formula", "plans"), entry)


def _reads(type_: str, measure: Measure, wanted: set[str], path: Path_, entry: Entry) -> Iterator[Finding]:
    if measure.agg not in wanted:
        message = f"a {type_} formula can't read {measure.name!r}, whose agg is {measure.agg}"
        yield entry.finding(path, message, f"Name a measure of agg {', '.join(sorted(wanted))}")


def _steps_of(formula: Economics) -> Iterator[tuple[str, str]]:
    for field in ("step", "without", "set_step"):
        value = getattr(formula, field, None) or ()
        yield from ((field, name) for name in ((value,) if isinstance(value, str) else value))


def _recorded(metric: Metric, formula: Recorded, measure: Measure, entry: Entry) -> Iterator[Finding]:
    if formula.sum == "amount" and measure.amount is None:
        advice = f"Add amount: data.<name> to measure {measure.name!r}"
        yield entry.finding(("formula", "sum"), "no amount is kept", advice)
    if formula.sum == "events" and (formula.period is not None or metric.unit == "money"):
        path: Path_ = ("formula", "period") if formula.period is not None else ("unit",)
        yield entry.finding(path, "belongs to sums of amounts", "Remove it, or use sum: amount")
    for field in ("period", "labelled"):
        label = getattr(formula, field)
        if label is not None and label not in measure.labels:
            advice = f"Add it to the labels of {measure.name!r}"
            yield entry.finding(("formula", field), f"label {label!r} is not kept", advice)
