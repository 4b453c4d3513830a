"""Units that follow from what a formula divides and multiplies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from common.catalogue.field_checks import declared, path_read
from common.catalogue.findings import Finding
from common.catalogue.lifecycles import Combined
from common.catalogue.models import Catalogue, Measure, Metric, Ratio, Rolling, Simple
from common.catalogue.source import Entry

# What is counted has no dimension; recurring money is money by the month, so that months come out of money over money.
_DIMENSIONS: dict[str, dict[str, int]] = {
    "money": {"money": 1},
    "money_per_day": {"money": 1, "days": -1},
    "days": {"days": 1},
    "hours": {"hours": 1},
    "logins_per_day": {"days": -1},
}


_NEVER_COUNTED = ("money", "money_per_day", "days", "hours", "months", "score", "fte", "per_fte")


def check_units(metric: Metric, catalogue: Catalogue, entry: Entry) -> Iterator[Finding]:
    """Of a metric whose names are known."""
    if isinstance(metric.formula, Ratio):
        yield from _ratio(metric.formula, catalogue, entry)
    elif isinstance(metric.formula, Combined):
        yield from _combined(metric, metric.formula, catalogue, entry)
    elif isinstance(metric.formula, Simple | Rolling):
        yield from _counts(metric, catalogue.measures[metric.formula.measure], entry)
    elif getattr(metric.formula, "sum", "") in ("amount", "mean_amount"):
        yield from _amounts(metric, catalogue, entry)


def _counts(metric: Metric, measure: Measure, entry: Entry) -> Iterator[Finding]:
    if measure.agg in ("count", "distinct", "active_accounts") and metric.unit in _NEVER_COUNTED:
        message = f"{metric.unit} doesn't fit measure {measure.name!r}, which counts"
        yield entry.finding(("unit",), message, "Name what is counted, such as events, users or accounts")


def _amounts(metric: Metric, catalogue: Catalogue, entry: Entry) -> Iterator[Finding]:
    measure = catalogue.measures[getattr(metric.formula, "measure", "")]
    types = tuple(name for step in measure.steps for name in step.event_types)
    if metric.unit != "money" and _reads_money(measure.amount, types, catalogue):
        message = f"{metric.unit} doesn't fit amounts of {measure.name!r}, which are money"
        yield entry.finding(("unit",), message, "Use unit: money")


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
    return _reads_money(measure.field, measure.event_types, catalogue)


def _reads_money(path: str | None, types: tuple[str, ...], catalogue: Catalogue) -> bool:
    read = path_read(path, types, ())
    return read is not None and any(one.type == "money" for one in declared(read, catalogue).values())


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
