"""What a metric is made of: the measures it reads, the metrics it is derived from, the dimensions its cases answer themselves. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from common.catalogue.derived import Derived
from common.catalogue.economics import Benefit, NpsWave, Recorded, Repeated, Unaided
from common.catalogue.lifecycles import Answers, Churn, Coverage, MovedOn, Qualified, Seats
from common.catalogue.models import Catalogue, Metric, Movement, Ratio, SemiAdditive
from common.figures import contacts, opinions, revenue
from common.figures.lifecycles import LIFECYCLES
from common.figures.moves import PRODUCT
from common.figures.placing import own_dimensions


def parts_of(formula: Derived, catalogue: Catalogue) -> list[Metric]:
    return [catalogue.metrics[name] for name in formula.metrics]


def leaves(metric: Metric, catalogue: Catalogue) -> Iterator[Metric]:
    """The metrics that a derived one is made of in the end; of any other one itself."""
    if isinstance(metric.formula, Derived):
        for part in parts_of(metric.formula, catalogue):
            yield from leaves(part, catalogue)
    else:
        yield metric


def settles(metric: Metric, catalogue: Catalogue) -> dt.timedelta:
    """How long after a bucket its figure may be called complete: a derived one not before the last of what it is made of."""
    parts = parts_of(metric.formula, catalogue) if isinstance(metric.formula, Derived) else ()
    return max(metric.settles, *(settles(part, catalogue) for part in parts), dt.timedelta(0))


def measures_read(metric: Metric, catalogue: Catalogue) -> list[str]:
    formula = metric.formula
    if isinstance(formula, Ratio):
        return [formula.numerator.measure, formula.denominator.measure]
    if isinstance(formula, Derived):
        return [name for part in parts_of(formula, catalogue) for name in measures_read(part, catalogue)]
    if isinstance(formula, Qualified):
        return [condition.measure for condition in formula.conditions]
    if isinstance(formula, Answers):
        return []
    more = [formula.invoices] if isinstance(formula, Churn) else []
    if isinstance(formula, Coverage):
        revenue_names = [name for name, measure in catalogue.measures.items() if measure.agg == "mrr"]
        more = [formula.plans, *(revenue_names if formula.weigh == "mrr" else ())]
    if isinstance(formula, Benefit):
        more = [formula.mrr]
    return [formula.measure, *(name for name in more if name is not None)]


def sides(metric: Metric, catalogue: Catalogue) -> set[str | None]:
    """The measures by which versions of the definitions count what the metric reads; None for facts, which are alike to all."""
    if isinstance(metric.formula, Derived):
        return {side for part in parts_of(metric.formula, catalogue) for side in sides(part, catalogue)}
    names = measures_read(metric, catalogue)
    found = {None if catalogue.measures[name].agg == "mrr" else name for name in names}
    return found | {None} if isinstance(metric.formula, Answers | Seats) else found


def own_dimensions_of(metric: Metric, catalogue: Catalogue) -> set[str]:
    """The dimensions that this metric's cases answer themselves, whatever traits their accounts have."""
    formula = metric.formula
    if isinstance(formula, Derived):
        return {name for part in parts_of(formula, catalogue) for name in own_dimensions_of(part, catalogue)}
    if isinstance(formula, SemiAdditive) or (
        isinstance(formula, Movement) and not revenue.is_of_a_cohort(formula)
    ):
        return {PRODUCT} if catalogue.measures[formula.measure].agg == "mrr" else set()
    if isinstance(formula, NpsWave):
        return {*opinions.OWN}
    if isinstance(formula, (*LIFECYCLES, Recorded, Unaided, Repeated, MovedOn)) and not isinstance(
        formula, Answers
    ):
        measure = catalogue.measures[formula.measure]
        own = contacts.own_of(measure) if isinstance(formula, MovedOn) else {}
        return {*own_dimensions(measure), *own}
    return set()


def answers_itself(metric: Metric, dimension: str, catalogue: Catalogue) -> bool:
    """Whether a dimension that accounts don't have is one of all that the metric is made of."""
    return all(dimension in own_dimensions_of(leaf, catalogue) for leaf in leaves(metric, catalogue))
