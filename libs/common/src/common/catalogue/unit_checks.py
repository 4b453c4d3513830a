"""Units that follow from what a formula divides and multiplies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from common.catalogue.findings import Finding
from common.catalogue.lifecycles import Combined
from common.catalogue.models import Catalogue, Measure, Metric, Ratio
from common.catalogue.source import Entry

# What is counted has no dimension; recurring money is money by the month, so that months come out of money over money.
_DIMENSIONS: dict[str, dict[str, int]] = {
    "money": {"money": 1},
    "money_per_day": {"money": 1, "days": -1},
    "days": {"days": 1},
    "hours": {"hours": 1},
    "logins_per_day": {"days": -1},
}


def check_units(metric: Metric, catalogue: Catalogue, entry: Entry) -> Iterator[Finding]:
    """Of a metric whose names are known."""
    if isinstance(metric.formula, Ratio):
        yield from _ratio(metric.formula, catalogue, entry)
    elif isinstance(metric.formula, Combined):
        yield from _combined(metric, metric.formula, catalogue, entry)


def counted(measure: Measure, catalogue: Catalogue) -> str | None:
    """What a measure's figures are a number of; None where nothing says it."""
    if measure.agg == "active_accounts":
        return "accounts"
    if measure.agg == "distinct":
        return "users" if measure.field in (None, "data.user") else None
    if measure.agg == "sum":
        return "money" if _is_money(measure, catalogue) else None
    return "events" if measure.agg == "count" else None


def _is_money(measure: Measure, catalogue: Catalogue) -> bool:
    field = (measure.field or "").removeprefix("data.")
    declared = [catalogue.event_types[name].fields.get(field) for name in measure.event_types if name in catalogue.event_types]  # fmt: skip
    return any(one is not None and one.type == "money" for one in declared)


def _ratio(formula: Ratio, catalogue: Catalogue, entry: Entry) -> Iterator[Finding]:
    over, under = (
        counted(catalogue.measures[term.measure], catalogue)
        for term in (formula.numerator, formula.denominator)
    )
    money_by_other = "money" in (over, under) and over != under
    if money_by_other or (over is not None and under is not None and over != under):
        advice = (
            "Divide like by like; else make a metric of each and divide them with a formula of type combined"
        )
        message = f"{over or 'a number'} by {under or 'a number'} is no ratio"
        yield entry.finding(("unit",), message, advice)


def _combined(metric: Metric, formula: Combined, catalogue: Catalogue, entry: Entry) -> Iterator[Finding]:
    found: Counter[str] = Counter()
    for names, sign in ((formula.times, 1), (formula.over, -1)):
        for name in names:
            if name not in catalogue.metrics:
                return
            for dimension, power in _DIMENSIONS.get(catalogue.metrics[name].unit, {}).items():
                found[dimension] += sign * power
    made = {dimension: power for dimension, power in found.items() if power}
    if metric.unit != "per_fte" and made != _DIMENSIONS.get(metric.unit, {}):
        fitting = sorted(unit for unit, dimensions in _DIMENSIONS.items() if dimensions == made)
        advice = f"Use unit: {' or '.join(fitting)}" if fitting else "Correct times and over"
        message = f"{metric.unit} doesn't fit: what is combined is {_shown(made)}"
        yield entry.finding(("unit",), message, advice if made else "Use ratio, or name what is counted")
    if metric.unit == "per_100" and formula.factor != 100:
        yield entry.finding(("formula", "factor"), "per_100 is a hundred times a ratio", "Write factor: 100")


def _shown(made: dict[str, int]) -> str:
    times = [name for name, power in made.items() for _ in range(power)]
    over = [name for name, power in made.items() for _ in range(-power)]
    return " x ".join(times or ["a number"]) + (f" / {' / '.join(over)}" if over else "")
