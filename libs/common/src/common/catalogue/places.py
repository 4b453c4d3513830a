"""Where each definition stands, and what is said of a name that nothing stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches

from common.catalogue.findings import Finding
from common.catalogue.models import Catalogue
from common.catalogue.source import Entry, Path_
from common.catalogue.tree import Goal

Places = Mapping[str, Mapping[str, Entry]]
"""Kind -> name -> the entry that defines it, or that takes it away; a file of its own -> field -> the entry that says it."""
_SINGULAR = {"engagement-models": "engagement model", "event-types": "event type"}


def defined(places: Places, kind: str) -> set[str]:
    """The names of a kind, of definitions too that are refused: what uses those isn't at fault."""
    return {name for name, entry in places[kind].items() if not _removes(entry)}


def gone(places: Places, metric: str, entry: Entry) -> bool:
    """Whether a later overlay than the entry's takes the metric away, and with it what the entry says of it."""
    return _removed_after(places, "metrics", metric, entry)


def _removed_after(places: Places, kind: str, name: str, entry: Entry) -> bool:
    by = places[kind].get(name)
    return by is not None and _removes(by) and by.document.layer > entry.document.layer


def _removes(entry: Entry) -> bool:
    return entry.value.get("removed") is True


def without_removed(catalogue: Catalogue) -> Catalogue:
    """A metric that an overlay removes leaves the tree, the edges, the scorecard and the benchmarks of those before it."""
    stays = catalogue.metrics.__contains__
    card = catalogue.scorecard
    return catalogue.model_copy(
        update={
            "goals": {name: _pruned(goal, stays) for name, goal in catalogue.goals.items()},
            "drivers": {
                name: edge
                for name, edge in catalogue.drivers.items()
                if stays(edge.driver) and stays(edge.moves)
            },
            "benchmarks": {name: made for name, made in catalogue.benchmarks.items() if stays(made.metric)},
            "scorecard": card and card.model_copy(update={"kpis": tuple(filter(stays, card.kpis))}),
        }
    )


def _pruned(goal: Goal, stays: Callable[[str], bool]) -> Goal:
    kept = (
        kpi.model_copy(update={"beside": tuple(filter(stays, kpi.beside))})
        for kpi in goal.kpis
        if stays(kpi.metric)
    )
    return goal.model_copy(update={"kpis": tuple(kept)})


def said(places: Places, single: str, path: Path_) -> Entry:
    """The entry that a file of its own takes a field from: that of the last overlay which names it."""
    known = places[single]
    return known.get(str(path[0]), known[""]) if path else known[""]


def check_name(places: Places, kind: str, name: str, entry: Entry, path: Path_) -> Iterator[Finding]:
    """That `name`, which the entry uses at `path`, is defined. Who takes away what others use is at fault, not they."""
    by = places[kind].get(name)
    if by is not None and not _removes(by):
        return
    what = _SINGULAR.get(kind, kind.removesuffix("s"))
    if _removed_after(places, kind, name, entry):
        where = f"{entry.document.file}:{entry.document.line((*entry.path, *path))}"
        advice = f"Remove or replace that too, or keep the {what}"
        yield places[kind][name].finding(("removed",), f"{where} still uses it", advice)
        return
    close = get_close_matches(name, sorted(defined(places, kind)), n=1)
    advice = f"Did you mean {close[0]!r}?" if close else f"Define the {what}, or correct the name"
    yield entry.finding(path, f"{what} {name!r} is unknown", advice)


def latest(places: Places, kind: str, names: Iterable[str]) -> str:
    """Of the names, one that the last overlay defines: what stood before it was in order."""
    return max(names, key=lambda name: layer_of(places, kind, name))


def layer_of(places: Places, kind: str, name: str) -> int:
    """Which overlay defines it; of two that can't stand together the one of the later overlay is at fault."""
    return places[kind][name].document.layer
