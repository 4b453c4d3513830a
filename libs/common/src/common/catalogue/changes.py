"""What a new version of the definitions says otherwise than the one before it, and what has to be counted again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from common.catalogue.base import Model
from common.catalogue.cel import signals_read
from common.catalogue.metric_checks import names_read
from common.catalogue.models import Catalogue, Metric
from common.catalogue.origins import origins

_UNSAID = {"origins", "version"}
"""What no file says."""
_MEANING = {"formula", "kind", "only", "rollup", "unit"}
_NO_MEANING = {"description", "grain", "labels", "slices", "windows"}
"""Of a measure: what is kept besides, for figures that ask for it."""
_WARNS_BY = ("condition", "resolve", "applies_to", "pending_seconds", "recover_seconds", "driven_by", "queue")
_NEW = -1  # no version: a mark for measures that a next version brings


@dataclass(frozen=True, slots=True)
class Change:
    """`name` is empty for what stands in a file of its own. `fields`: which of them differ, for `changed`."""

    kind: str
    name: str
    what: Literal["added", "changed", "removed"]
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recount:
    """Measures that kept events are counted by anew, and the metrics that are made of them."""

    measures: tuple[str, ...]
    metrics: tuple[str, ...]


def changes(before: Catalogue, after: Catalogue) -> list[Change]:
    """By kind, then by name. Nothing of it is a value, so that no secret of a receiver is in it."""
    found = []
    for kind in Catalogue.model_fields.keys() - _UNSAID:
        old, new = getattr(before, kind), getattr(after, kind)
        named = isinstance(new, dict)
        found += _between(kind, old if named else {"": old}, new if named else {"": new})
    return sorted(found, key=lambda change: (change.kind, change.name))


def unversioned(before: Catalogue, after: Catalogue) -> dict[str, list[str]]:
    """Metrics whose figures mean something else than before under the same version, which every figure names; and what makes them so:
    their own fields, measures that count other events than before, metrics that mean something else themselves."""
    return {
        name: because
        for name, old, new in _kept(before, after)
        if old.version == new.version and (because := _otherwise(name, before, after))
    }


def lowered(before: Catalogue, after: Catalogue) -> list[str]:
    """Metrics that go back to a version under which figures were served already."""
    return [name for name, old, new in _kept(before, after) if new.version < old.version]


def _kept(before: Catalogue, after: Catalogue) -> Iterator[tuple[str, Metric, Metric]]:
    for name in sorted(before.metrics.keys() & after.metrics.keys()):
        yield name, before.metrics[name], after.metrics[name]


def _otherwise(name: str, before: Catalogue, after: Catalogue) -> list[str]:
    """What makes a metric mean something else; nothing where it means what it did."""
    if name not in before.metrics:
        return ["new"]
    found = sorted(_MEANING.intersection(_fields(before.metrics[name], after.metrics[name])))
    for kind, _, read in names_read(after.metrics[name]):
        if kind == "metrics" and _otherwise(read, before, after):
            found.append(f"metric {read}")
        elif kind == "measures" and _counts(read, before) != _counts(read, after):
            found.append(f"measure {read}")
    return list(dict.fromkeys(found))


def _counts(measure: str, catalogue: Catalogue) -> object:
    made = catalogue.measures.get(measure)
    return None if made is None else made.model_dump(mode="json", exclude=_NO_MEANING)


def meaning(name: str, catalogue: Catalogue) -> dict[str, Any]:
    """All by which the figures of a metric mean what they do, ready for JSON: alike where `unversioned` sees no difference."""
    metric = catalogue.metrics[name]
    read = [(kind, other) for kind, _, other in names_read(metric)]
    return {
        "metric": metric.model_dump(mode="json", include=_MEANING),
        "metrics": {other: meaning(other, catalogue) for kind, other in read if kind == "metrics"},
        "measures": {other: _counts(other, catalogue) for kind, other in read if kind == "measures"},
    }


def misdated(before: Catalogue, after: Catalogue, today: date) -> list[str]:
    """What is wrong with the days from which metrics count as they do now, a sentence each: a version answers from its application on, for
    the past too, so none is effective later; and a higher version is not effective earlier. Going back to an earlier version is no fault."""
    wrong = []
    for change in changes(before, after):
        if change.kind != "metrics" or change.what == "removed":
            continue
        new, old = after.metrics[change.name], before.metrics.get(change.name)
        if new.effective_from > today and (old is None or {"version", "effective_from"} & {*change.fields}):
            wrong.append(
                f"{new.name} is effective from {new.effective_from}, which is to come; apply it on that day"
            )
        elif old is not None and new.version > old.version and new.effective_from < old.effective_from:
            wrong.append(
                f"version {new.version} of {new.name} is effective from {new.effective_from}, before version {old.version} "
                f"was ({old.effective_from}); give it a later day"
            )
    return wrong


def kinds() -> list[str]:
    """The fields of a catalogue that hold definitions by their names."""
    empty = Catalogue()
    return [
        kind
        for kind in Catalogue.model_fields
        if isinstance(getattr(empty, kind), dict) and kind not in _UNSAID
    ]


def new_warnings(before: Catalogue, after: Catalogue) -> list[str]:
    """Live rules that are new, or warn otherwise than before: by their own condition and times, or by a signal that it names."""
    return [
        name
        for name, rule in after.rules.items()
        if rule.mode == "live" and _meaning_of(name, before) != _meaning_of(name, after)
    ]


def _meaning_of(name: str, catalogue: Catalogue) -> object:
    rule = catalogue.rules.get(name)
    if rule is None or rule.mode != "live":
        return None
    signals = {one: catalogue.signals.get(one) for one in signals_read(rule.condition)}
    return {field: getattr(rule, field) for field in _WARNS_BY}, signals


def recount(before: Catalogue, after: Catalogue) -> Recount:
    """What of `after` is counted for the past before it is in force."""
    brought = origins(before, after, _NEW)
    measures = {name for name, version in brought.items() if version == _NEW}
    metrics = [name for name in after.metrics if not measures.isdisjoint(_measures(name, after))]
    return Recount(tuple(sorted(measures)), tuple(sorted(metrics)))


def _between(kind: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """None stands for what isn't there."""
    found = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if old is None:
            found.append(Change(kind, name, "added"))
        elif new is None:
            found.append(Change(kind, name, "removed"))
        else:
            found.append(Change(kind, name, "changed", _fields(old, new)))
    return found


def _fields(old: Model, new: Model) -> tuple[str, ...]:
    return tuple(name for name in type(new).model_fields if getattr(old, name) != getattr(new, name))


def _measures(metric: str, catalogue: Catalogue) -> set[str]:
    """The measures that a metric reads, by itself and through the metrics it is made of."""
    found: set[str] = set()
    for kind, _, name in names_read(catalogue.metrics[metric]):
        found |= {name} if kind == "measures" else _measures(name, catalogue)
    return found
