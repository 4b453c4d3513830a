"""What must hold of the tree and of the edges below it, and what is worth a word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from common.catalogue.derived_checks import metrics_read
from common.catalogue.findings import Finding
from common.catalogue.graphs import circles
from common.catalogue.models import Catalogue
from common.catalogue.places import Places, check_name, defined, gone, latest, layer_of
from common.catalogue.source import Entry, Path_
from common.catalogue.tree import Driver, Goal

CATEGORIES = ("quantity", "quality", "efficiency")
STAGES = ("onboard", "adopt", "retain", "grow")
FILE = "tree.yaml"

_OUTPUT = re.compile(r"(build(s|ing)?|built|launch(es|ed|ing)?|releas(e|es|ed|ing))\b", re.IGNORECASE)
_NO_VERB = re.compile(r"(the|a|an|our|your|more|less|fewer|better|higher|lower|new)\b", re.IGNORECASE)


def check_tree(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    if catalogue.tree is None and not catalogue.goals:
        return
    yield from _goals(catalogue, places)
    yield from _metrics_in_tree(catalogue, places)
    yield from _balance(catalogue, places)
    yield from _orphans(catalogue, places)


def _goals(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    above = {goal.name: goal.serves for goal in catalogue.goals.values() if goal.serves}
    for name, goal in catalogue.goals.items():
        entry = places["goals"][name]
        if goal.serves is not None:
            yield from check_name(places, "goals", goal.serves, entry, ("serves",))
        yield from _words(goal, entry)
        if not goal.kpis and name not in above.values():
            advice = "Name KPIs that show whether it is reached, or goals that serve it"
            yield entry.warning((), "has no KPI, and no goal serves it", advice)
    for way in circles(above, lambda name: [above[name]] if name in above else []):
        entry = places["goals"][latest(places, "goals", way)]
        yield entry.finding(("serves",), _round(way), "Let one of them serve the mission")


def _words(goal: Goal, entry: Entry) -> Iterator[Finding]:
    first = goal.label.split()[0] if goal.label.split() else ""
    if _OUTPUT.match(first):
        advice = "Say what customers get from it: what is built is a means, not a goal"
        yield entry.warning(("label",), f"begins with {first!r}, which is work and no goal", advice)
    elif _NO_VERB.match(first):
        advice = "Begin with a verb, such as keep, help or win"
        yield entry.warning(("label",), f"begins with {first!r}, which is no verb", advice)


def _metrics_in_tree(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for goal in sorted(catalogue.goals.values(), key=lambda goal: layer_of(places, "goals", goal.name)):
        entry = places["goals"][goal.name]
        for path, name in _metrics(goal):
            if not gone(places, name, entry):
                yield from check_name(places, "metrics", name, entry, path)
            if name in seen:
                message = f"metric {name!r} stands under {seen[name]!r} already"
                yield entry.finding(path, message, "Keep it where it says most")
            seen[name] = goal.name


def _metrics(goal: Goal) -> Iterator[tuple[Path_, str]]:
    for index, kpi in enumerate(goal.kpis):
        path: Path_ = ("kpis", index)
        yield (*path, "metric"), kpi.metric
        yield from (((*path, "beside", place), name) for place, name in enumerate(kpi.beside))


def _balance(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    """Of KPIs that can be read; a refused one may have the category that seems to be missing."""
    names = [kpi.metric for goal in catalogue.goals.values() for kpi in goal.kpis]
    refused = {kind: defined(places, kind) for kind in ("goals", "metrics")}
    if refused["goals"] - set(catalogue.goals) or any(
        name in refused["metrics"] and name not in catalogue.metrics for name in names
    ):
        return
    kpis = [catalogue.metrics[name] for name in names if name in catalogue.metrics]
    missing = [one for one in CATEGORIES if all(kpi.category != one for kpi in kpis)]
    if missing:
        advice = "Add a KPI of that category: much, good and cheap pull in different directions"
        message = f"the tree has no KPI of {' and none of '.join(missing)}"
        yield _who_said_last(places).finding((), message, advice)
        return
    for stage in STAGES:
        there = {kpi.category for kpi in kpis if kpi.stage == stage}
        lacking = [one for one in CATEGORIES if one not in there]
        if lacking:
            message = f"stage {stage} has no KPI of {' and none of '.join(lacking)}"
            yield _who_said_last(places).warning((), message, "Add one, or know that this is not looked at")


def _who_said_last(places: Places) -> Entry:
    """The entry to look at when the tree as a whole is at fault: the first of the last overlay that says anything of it."""
    goals = sorted(places["goals"].values(), key=lambda entry: (entry.document.file, entry.path))
    entries = [*places[FILE].values(), *goals]
    last = max(entry.document.layer for entry in entries)
    return next(entry for entry in entries if entry.document.layer == last)


def _orphans(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    placed = _placed(catalogue)
    for name, metric in catalogue.metrics.items():
        if name not in placed:
            advice = "Put it under a goal or beside a KPI, say what it drives, or remove it"
            yield places["metrics"][name].warning(("name",), f"metric {metric.name!r} serves no goal", advice)


def _placed(catalogue: Catalogue) -> set[str]:
    """What stands in the tree, what drives, and what those are made of."""
    waiting = [name for goal in catalogue.goals.values() for _, name in _metrics(goal)]
    waiting += [name for edge in catalogue.drivers.values() for name in (edge.driver, edge.moves)]
    placed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in placed:
            placed.add(name)
            metric = catalogue.metrics.get(name)
            waiting += metrics_read(metric) if metric else ()
    return placed


def check_drivers(catalogue: Catalogue, places: Places) -> Iterator[Finding]:
    pairs: dict[tuple[str, str], str] = {}
    for name in sorted(catalogue.drivers, key=lambda name: layer_of(places, "drivers", name)):
        edge, entry = catalogue.drivers[name], places["drivers"][name]
        yield from _edge(edge, catalogue, places, entry)
        twin = pairs.setdefault((edge.driver, edge.moves), name)
        if twin != name:
            message = f"{edge.driver!r} -> {edge.moves!r} is said by {twin!r} too"
            yield entry.finding(("moves",), message, "Keep one of the two")
    below: dict[str, list[str]] = {}
    for edge in catalogue.drivers.values():
        if edge.driver != edge.moves:
            below.setdefault(edge.driver, []).append(edge.moves)
    for way in circles(below, lambda name: below.get(name, ())):
        last = latest(places, "drivers", [pairs[pair] for pair in pairwise(way)])
        advice = "Remove the edge that is believed least: a driver can't be moved by what it moves"
        yield places["drivers"][last].finding(("moves",), _round(way), advice)


def _edge(edge: Driver, catalogue: Catalogue, places: Places, entry: Entry) -> Iterator[Finding]:
    for field in ("driver", "moves"):
        name = getattr(edge, field)
        if not gone(places, name, entry):
            yield from check_name(places, "metrics", name, entry, (field,))
    if edge.driver == edge.moves:
        yield entry.finding(("moves",), f"{edge.driver!r} can't move itself", "Name what it moves")
    driver, moved = catalogue.metrics.get(edge.driver), catalogue.metrics.get(edge.moves)
    if driver is None or moved is None:
        return
    if driver.control is not None and driver.control != edge.control:
        message = f"says {edge.control}, but the metric {driver.name!r} says {driver.control}"
        yield entry.finding(("control",), message, "Make the two agree")
    if (edge.effect == "raises") != (driver.direction == moved.direction):
        message = f"a better {driver.name} would make {moved.name} worse"
        yield entry.warning(
            ("effect",), message, "Correct the effect, or the direction of one of the metrics"
        )
    leads_on = any(other.driver == edge.moves for other in catalogue.drivers.values())
    if not leads_on and not in_tree(catalogue, edge.moves):
        advice = "Put what it moves into the tree, or say what that moves in turn"
        yield entry.warning(("moves",), f"{edge.moves!r} stands in no tree and drives nothing", advice)


def in_tree(catalogue: Catalogue, name: str) -> bool:
    """Whether it is a KPI of the tree, or read beside one; of a catalogue without tree everything is."""
    return not catalogue.goals or any(
        name == one for goal in catalogue.goals.values() for _, one in _metrics(goal)
    )


def _round(way: list[str]) -> str:
    return f"goes round in a circle: {' -> '.join(way)}"
