"""What must hold of steps, and of the metrics made of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from common.catalogue.cel import CelInvalid
from common.catalogue.event_filters import ADVICE, check_filter
from common.catalogue.field_checks import steps_named
from common.catalogue.findings import Finding
from common.catalogue.lifecycles import (
    FIRST_SEEN,
    Answers,
    Conversion,
    Coverage,
    Duration,
    Entered,
    MovedOn,
    Open,
    Share,
    Step,
)
from common.catalogue.models import Catalogue, Formula, Measure, Metric
from common.catalogue.places import Places, check_name, said
from common.catalogue.segment_checks import is_reserved
from common.catalogue.source import Entry

FieldPath = tuple[str | int, ...]
OfSteps = Entered | Duration | Conversion | Open | Share | Coverage | MovedOn
OF_STEPS = (Entered, Duration, Conversion, Open, Share, Coverage, MovedOn)

_FIELD = re.compile(r"^data(\.[A-Za-z_][A-Za-z0-9_]*)+$")
_LABEL = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")
_COUNTS = {"count", "accounts", "users", "events", "logins"}
_UNITS: Mapping[str, set[str]] = {
    "duration": {"days", "hours"},
    "conversion": {"ratio"},
    "share": {"ratio"},
    "coverage": {"ratio"},
    "moved_on": {"ratio"},
    "answers": {"ratio", "score"},
}


def check_steps(made: Measure, places: Places) -> Iterator[Finding]:
    """A measure of `agg: steps`, or one that has what only such a measure may have."""
    entry = places["measures"][made.name]
    if made.agg != "steps":
        for field in ("steps", "entity", "amount", "labels", "slices"):
            if getattr(made, field):
                yield entry.finding((field,), f"{made.agg} has no {field}", "Remove it, or use agg: steps")
        return
    for field in ("event_types", "activity", "field", "where", "scale", "windows"):
        if getattr(made, field):
            yield entry.finding((field,), f"agg: steps has no {field} of its own", "Say it of each step")
    if not made.steps:
        yield entry.finding((), "agg: steps needs steps", "Add steps: [{name: ..., event_types: [...]}]")
    yield from _paths(made, entry)
    for position, step in enumerate(made.steps):
        path: FieldPath = ("steps", position)
        if (step.name is None) == (step.name_from is None):
            yield entry.finding(path, "needs name or name_from, and not both", "Keep one of the two")
        if step.name == FIRST_SEEN and not made.entity:
            message = f"accounts have a step {FIRST_SEEN} already: the first event of any type"
            yield entry.finding((*path, "name"), message, "Give it another name")
        if step.keep == "earliest" and (step.instant or made.entity):
            advice = "Use keep: all"
            yield entry.finding(path, "keep: earliest is for accounts, without instant", advice)
        if step.new_case:
            yield from _new_case(made, step, (*path, "new_case"), entry)
        for index, name in enumerate(step.event_types):
            yield from check_name(places, "event-types", name, entry, (*path, "event_types", index))
        if step.where is not None:
            yield from _condition(step.where, (*path, "where"), entry)


def _new_case(made: Measure, step: Step, path: FieldPath, entry: Entry) -> Iterator[Finding]:
    """What an entity is worth and is called is told of all of it."""
    if step.name is None or step.keep == "earliest":
        yield entry.finding(
            path, "a step that begins new cases has a name, and all of it is kept", "Give it one"
        )
    for field in ("amount", "labels"):
        if getattr(made, field):
            advice = "Remove it, or name the cases in entity"
            yield entry.finding((field,), "cases that a step begins anew have none of their own", advice)
    if any(other.instant for other in made.steps):
        advice = "Remove one of the two"
        yield entry.finding(
            path, "steps that say when they happen are told of the entity, not of a case", advice
        )


def _condition(source: str, path: FieldPath, entry: Entry) -> Iterator[Finding]:
    try:
        check_filter(source)
    except CelInvalid as error:
        yield entry.finding(path, f"line {error.line}, column {error.column}: {error}", ADVICE)


def _paths(made: Measure, entry: Entry) -> Iterator[Finding]:
    named: list[tuple[FieldPath, str | None]] = [(("amount",), made.amount)]
    named += [(("entity", position), path) for position, path in enumerate(made.entity)]
    for position, step in enumerate(made.steps):
        named += [(("steps", position, part), getattr(step, part)) for part in ("name_from", "instant")]
    for where, path in named:
        if path is not None and not _FIELD.match(path):
            yield entry.finding(where, f"{path!r} is no path into data", "Write data.<name>")
    for position, label in enumerate(made.labels):
        if not _LABEL.match(label):
            yield entry.finding(("labels", position), f"{label!r} is no field of data", "Write its bare name")
        elif is_reserved(label):
            yield _reserved(("labels", position), label, entry)
    for name, label in made.slices.items():
        if is_reserved(name):
            yield _reserved(("slices", name), name, entry)
        if label not in made.labels:
            advice = f"Add it to the labels, or name one of {', '.join(made.labels) or 'them'}"
            yield entry.finding(("slices", name), f"label {label!r} is not kept", advice)


def _reserved(path: FieldPath, name: str, entry: Entry) -> Finding:
    message = f"{name!r} is a dimension of its own, which no label can be"
    return entry.finding(path, message, "Give it another name")


def check_formula(metric: Metric, catalogue: Catalogue, entry: Entry) -> Iterator[Finding]:
    formula = metric.formula
    expected = _UNITS.get(formula.type)
    if expected is not None and metric.unit not in expected:
        advice = f"Use unit: {' or '.join(sorted(expected))}"
        yield entry.finding(("unit",), f"{metric.unit} doesn't fit a formula of type {formula.type}", advice)
    if isinstance(formula, Answers):
        yield from _answers(metric, formula, entry)
    elif isinstance(formula, OF_STEPS):
        yield from _of_steps(metric, formula, catalogue, entry)


def steps_of(formula: Formula) -> Iterator[tuple[str, str]]:
    """(field, step) of every step that the formula names."""
    for field in ("step", "start", "end", "left", "among"):
        value = getattr(formula, field, None) or ()
        yield from ((field, name) for name in ((value,) if isinstance(value, str) else value))


def check_step_names(
    named: Iterable[tuple[str, str]], measure: Measure, catalogue: Catalogue, entry: Entry, *also: str
) -> Iterator[Finding]:
    """Of (field, step) in a formula: that the measure's entities take such a step, or that it is one of `also`."""
    steps = steps_named(measure, catalogue)
    if steps is None:
        return
    known, by_enum = {*steps[0], *also}, steps[1]
    for field, name in named:
        if name not in known:
            message = f"{name!r} is no step of measure {measure.name!r}"
            advice = f"Use one of {', '.join(sorted(known))}"
            yield entry.finding(("formula", field), message, advice, "warning" if by_enum else "error")


def _of_steps(metric: Metric, formula: OfSteps, catalogue: Catalogue, entry: Entry) -> Iterator[Finding]:
    measure = catalogue.measures[formula.measure]
    if measure.agg != "steps":
        message = f"a {formula.type} formula can't read {measure.name!r}, whose agg is {measure.agg}"
        yield entry.finding(("formula", "measure"), message, "Name a measure of agg steps")
        return
    has_cases = bool(measure.entity) or any(step.new_case for step in measure.steps) or _by_person(formula)
    also = () if has_cases else (FIRST_SEEN,)
    yield from check_step_names(steps_of(formula), measure, catalogue, entry, *also)
    if isinstance(formula, Duration | Conversion | Open) and set(formula.start) <= set(formula.end):
        message = "names every step of start, so that whatever starts has ended at once"
        yield entry.finding(("formula", "end"), message, "Name the steps that come after the start")
    label = getattr(formula, "labelled", None)
    if label is not None and label not in measure.labels:
        advice = f"Add it to the labels of {measure.name!r}"
        yield entry.finding(("formula", "labelled"), f"label {label!r} is not kept", advice)
    sums = getattr(formula, "sum", None)
    if sums in ("amount", "mean_amount") and measure.amount is None:
        advice = f"Add amount: data.<name> to measure {measure.name!r}"
        yield entry.finding(("formula", "sum"), "no amount is kept", advice)
    if sums == "entities" and metric.unit not in _COUNTS:
        advice = f"Use unit: {' or '.join(sorted(_COUNTS))}"
        yield entry.finding(("unit",), f"{metric.unit} doesn't fit a number of entities", advice)


def _by_person(formula: OfSteps) -> bool:
    """Nobody takes the step that an account was heard of."""
    return isinstance(formula, Conversion) and formula.by_person


def check_business_hours(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    """Said once, of the settings that name none, however many metrics count them."""
    counting = [
        metric.name
        for metric in catalogue.metrics.values()
        if isinstance(metric.formula, Duration) and metric.formula.clock == "business"
    ]
    if counting and not any(catalogue.settings.business_hours.days.values()):
        path: FieldPath = ("business_hours",)
        message = f"names no hours, and some metrics count them, such as {counting[0]!r}"
        advice = "Write {days: {monday: [09:00-17:00], ...}}"
        yield said(places, "settings.yaml", path).finding(path, message, advice)


def _answers(metric: Metric, formula: Answers, entry: Entry) -> Iterator[Finding]:
    if formula.lowest >= formula.highest:
        yield entry.finding(("formula", "lowest"), "must lie below highest", "Swap them")
    if (formula.value == "share") != (formula.at_least is not None):
        yield entry.finding(
            ("formula", "at_least"), "belongs to value: share, which needs it", "Add or remove it"
        )
    elif formula.at_least is not None and not formula.lowest < formula.at_least <= formula.highest:
        message = f"{formula.at_least} is not above {formula.lowest} and at most {formula.highest}: the share would be 0 or 1 whatever is answered"
        yield entry.finding(("formula", "at_least"), message, "Name a score within the scale")
    if metric.unit != {"share": "ratio", "mean": "score"}[formula.value]:
        yield entry.finding(
            ("unit",),
            f"{metric.unit} doesn't fit a {formula.value}",
            "Use ratio for a share, score for a mean",
        )
