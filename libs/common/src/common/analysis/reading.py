"""What a metric is read from: the types of event, and the measures whose silence can be told from a small figure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from common.catalogue.derived import Derived
from common.catalogue.economics import AtRisk, Lifetime, RiskResolved
from common.catalogue.lifecycles import (
    FIRST_SEEN,
    Answers,
    Churn,
    Conversion,
    Coverage,
    Duration,
    Seats,
    Step,
)
from common.catalogue.models import Catalogue, Measure, Metric, Simple
from common.figures.parts import leaves, measures_read, parts_of

EVERYTHING = "*"
TRAIT_TYPES = ("account.created", "account.updated", "account.closed")
"""Events that say what the traits of an account are."""
PERSON_TYPES = ("user.created", "user.updated", "user.left")
"""The same of a person, such as that they are internal."""
SUBSCRIPTION = "subscription."
_OF_TRAITS = (AtRisk, Churn, Coverage, Lifetime, RiskResolved, Seats)
_OF_MRR = tuple(f"{SUBSCRIPTION}{what}" for what in ("started", "changed", "renewed", "cancelled"))
_OF_AGGREGATE = {"mrr": _OF_MRR, "nps": ("survey.responded",)}


def types_read(metric: Metric, catalogue: Catalogue) -> frozenset[str]:
    """The types of event behind a metric; `EVERYTHING` among them where it reads all."""
    found: set[str] = set()
    if isinstance(metric.formula, Answers):
        found.add("survey.responded")
    if isinstance(metric.formula, Derived):
        return frozenset().union(
            *(types_read(part, catalogue) for part in parts_of(metric.formula, catalogue))
        )
    for name in names_in(metric.formula.model_dump(mode="json")):
        if name in catalogue.measures:
            found |= types_of(catalogue.measures[name])
    return frozenset(found)


def traits_behind(metric: Metric) -> tuple[str, ...]:
    """The types of event that say traits, where the metric is made of those as well; else none."""
    return TRAIT_TYPES if isinstance(metric.formula, _OF_TRAITS) else ()


def types_of(measure: Measure) -> frozenset[str]:
    if measure.activity or measure.agg == "active_accounts":
        return frozenset((EVERYTHING,))
    named = {*measure.event_types, *(one for step in measure.steps for one in step.event_types)}
    return frozenset(named) or frozenset(_OF_AGGREGATE.get(measure.agg, ()))


def forgets(metric: Metric, catalogue: Catalogue, types: Collection[str]) -> bool:
    """Whether of events of these types only the earliest is kept for the metric: what was first before one of them came is forgotten."""
    return any(
        step.keep == "earliest" and any(kind in types for kind in step.event_types)
        for leaf in leaves(metric, catalogue)
        for name in measures_read(leaf, catalogue)
        for step in _steps_behind(leaf, catalogue.measures[name])
    )


def begins_when_heard_of(metric: Metric) -> bool:
    """Whether an account's first event of any type begins something of the metric."""
    return FIRST_SEEN in _steps_said(metric)


def _steps_behind(metric: Metric, measure: Measure) -> list[Step]:
    """All steps that may take part; of times between steps that tell nothing else those that are named."""
    named = _steps_said(metric)
    if not named or measure.labels or any(step.new_case for step in measure.steps):
        return list(measure.steps)
    return [step for step in measure.steps if step.name is None or step.name in named]


def _steps_said(metric: Metric) -> frozenset[str]:
    """The steps that a formula over times names; none where it may be about all steps of its measure."""
    formula = metric.formula
    if not isinstance(formula, Conversion | Duration):
        return frozenset()
    return frozenset((*formula.start, *formula.end, *(formula.left if isinstance(formula, Duration) else ())))


def counted(metric: Metric, catalogue: Catalogue) -> Measure | None:
    """The measure that the metric is the period's plain sum of: what is missing of it is missing of the metric. None for others."""
    formula = metric.formula
    if not isinstance(formula, Simple):
        return None
    measure = catalogue.measures[formula.measure]
    return measure if measure.agg in ("count", "sum") else None


def names_in(dumped: Any) -> frozenset[str]:
    """All texts in a formula: the names of what it reads are among them."""
    return frozenset(_texts(dumped))


def _texts(dumped: Any) -> Iterator[str]:
    if isinstance(dumped, str):
        yield dumped
    elif isinstance(dumped, dict):
        for value in dumped.values():
            yield from _texts(value)
    elif isinstance(dumped, list):
        for value in dumped:
            yield from _texts(value)
