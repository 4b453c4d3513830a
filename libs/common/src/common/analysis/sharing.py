"""Which events make two figures at once: where there are any, one goes before the other by arithmetic. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from common.analysis.reading import EVERYTHING, names_in, types_of
from common.catalogue.derived import Derived
from common.catalogue.economics import Recorded, Repeated, Unaided
from common.catalogue.lifecycles import Answers, Conversion, Duration, Entered, Open, Share
from common.catalogue.models import Catalogue, Measure, Metric
from common.figures.parts import parts_of

_ACTIVITY = "activity"  # no type: theirs have a dot
_ONLY_NAMED_STEPS = (Conversion, Duration, Entered, Open, Recorded, Repeated, Share, Unaided)
_SURVEY = "survey.responded"


def shared_events(one: Metric, other: Metric, catalogue: Catalogue) -> list[str]:
    """Types of event that count in both, in order; of surveys with their kind, as `survey.responded (nps)`.

    Conditions aren't looked into: two figures of other parts of one type share it.
    """
    first, second = set(_counted(one, catalogue)), set(_counted(other, catalogue))
    known = {*catalogue.event_types, *first, *second} - {_ACTIVITY, EVERYTHING}
    return sorted(_all_of(first, known, catalogue) & _all_of(second, known, catalogue))


def _counted(metric: Metric, catalogue: Catalogue) -> Iterator[str]:
    formula = metric.formula
    if isinstance(formula, Derived):
        for part in parts_of(formula, catalogue):
            yield from _counted(part, catalogue)
        return
    if isinstance(formula, Answers):
        yield f"{_SURVEY} ({formula.survey_kind})"
    # Steps after which nobody waits any more end a wait; they aren't what is measured.
    named = names_in(formula.model_dump(mode="json", exclude={"left"}))
    for name in named:
        if name in catalogue.measures:
            steps = named if isinstance(formula, _ONLY_NAMED_STEPS) else None
            yield from _of_measure(catalogue.measures[name], steps)


def _of_measure(measure: Measure, steps: frozenset[str] | None) -> Iterator[str]:
    if measure.agg == "nps":
        yield f"{_SURVEY} (nps)"
    elif measure.activity or measure.agg == "active_accounts":
        yield _ACTIVITY
    elif measure.steps and steps is not None:
        for step in measure.steps:
            if step.name is None or step.name in steps:
                yield from step.event_types
    else:
        yield from types_of(measure)


def _all_of(counted: set[str], known: set[str], catalogue: Catalogue) -> set[str]:
    """With every known type in the place of what stands for many."""
    if EVERYTHING in counted:
        return known
    active = {name for name in known if catalogue.is_activity(name.partition(" ")[0])}
    return (counted - {_ACTIVITY}) | (active if _ACTIVITY in counted else set())
