"""Units that follow from what a formula counts and sums."""

from __future__ import annotations

from collections.abc import Iterator

from common.catalogue.field_checks import declared, path_read
from common.catalogue.findings import Finding
from common.catalogue.models import Catalogue, Measure, Metric, Ratio, Rolling, Simple
from common.catalogue.source import Entry

_NEVER_COUNTED = ("money", "money_per_day", "days", "hours", "months", "score", "fte", "per_fte")


def check_units(metric: Metric, catalogue: Catalogue, entry: Entry) -> Iterator[Finding]:
    """Of a metric whose names are known."""
    if isinstance(metric.formula, Ratio):
        yield from _ratio(metric.formula, catalogue, entry)
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
            "Divide like by like; else make a metric of each and divide them with a formula of type derived"
        )
        message = f"{over or 'a number'} by {under or 'a number'} is no ratio"
        yield entry.finding(("unit",), message, advice)
