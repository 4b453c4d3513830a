"""Which types of event a condition rests on, so that a fault of theirs is not taken for something that an account did."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from common.catalogue.cel import ACCOUNT_FIGURES
from common.catalogue.models import Catalogue, Measure
from common.catalogue.signal_figures import SIGNAL_FIGURES, SOURCES
from common.catalogue.signals import Signal, Silent
from common.tracking.verdicts import Broken

# What rests on all activity is moved by a fault that takes at least this much of what arrives.
LEAST_SHARE = 0.1
_FIGURE = re.compile(r"\ba\.([a-z][a-z0-9_]*)")
_SIGNAL = re.compile(r"\bs\.([a-z][a-z0-9_]*)\.")
_WORD = re.compile(r"[a-z][a-z0-9_]*")
_TRAITS = ("account.created", "account.updated")
_KINDS = {
    "answers": ("survey.responded",),
    "subscriptions": (
        "subscription.started",
        "subscription.changed",
        "subscription.renewed",
        "subscription.cancelled",
    ),
    "person": ("user.created", "user.updated", "user.left"),
    "trait": _TRAITS,
}
"""By the first word of a source of figures (`common.catalogue.signal_figures`): events by which the engine knows it."""


@dataclass(frozen=True, slots=True)
class Reads:
    """`types` by name; with `activity` all types but the `passive` ones."""

    types: frozenset[str] = frozenset()
    activity: bool = False
    passive: frozenset[str] = frozenset()

    def is_hit(self, broken: Iterable[Broken]) -> bool:
        """Whether any of these faults may make it say what isn't so."""
        return any(self._is_hit(one) for one in broken)

    def _is_hit(self, one: Broken) -> bool:
        if not self.types.isdisjoint(one.types):
            return True
        # Under its new name an event is activity as before.
        counts = self.activity and one.renamed_to is None and one.share >= LEAST_SHARE
        return counts and not self.passive.issuperset(one.types)


def of_condition(catalogue: Catalogue, *conditions: str | None) -> Reads:
    """Of conditions in CEL over an account's figures and signals."""
    text = " ".join(condition for condition in conditions if condition)
    figures = set(_FIGURE.findall(text))
    signals = (catalogue.signals.get(name) for name in _SIGNAL.findall(text))
    tested = (_tested(signal) for signal in signals if signal is not None)
    return _reads(catalogue, figures.union(*tested))


def of_signal(catalogue: Catalogue, name: str) -> Reads:
    return _reads(catalogue, _tested(catalogue.signals[name]))


def _tested(signal: Signal) -> set[str]:
    """Figures and measures that a signal's test names, or means by itself."""
    means = {"days_silent"} if isinstance(signal.test, Silent) else set()
    return _words(signal.test.model_dump()) | means


def _reads(catalogue: Catalogue, names: Iterable[str]) -> Reads:
    """Of figures and measures; names of anything else rest on nothing."""
    types: set[str] = set()
    activity = False
    for source in _sources(catalogue, set(names)):
        kind, _, name = source.partition(".")
        measure = catalogue.measures.get(name) if kind == "measure" else None
        found = _of_measure(measure) if measure else frozenset(_KINDS.get(kind, ()))
        activity |= found is None
        types |= found or set()
    passive = {made.name for made in catalogue.event_types.values() if not made.activity}
    return Reads(frozenset(types), activity, frozenset(passive) if activity else frozenset())


def _sources(catalogue: Catalogue, names: set[str]) -> Iterator[str]:
    for name in names:
        if name in ("health", "health_band"):
            inputs = _words([profile.model_dump() for profile in catalogue.health.values()])
            yield from _sources(catalogue, inputs & _FIGURES - {"health", "health_band"})
        elif name in SOURCES:
            yield from SOURCES[name]
        elif name in catalogue.measures:
            yield f"measure.{name}"
        elif name == "events_28d":
            yield "measure.events"


_FIGURES = {*ACCOUNT_FIGURES, *SIGNAL_FIGURES}


def _of_measure(measure: Measure) -> frozenset[str] | None:
    """None: of all activity, or of all there is."""
    if measure.activity or measure.agg == "active_accounts" or "*" in measure.event_types:
        return None
    if measure.agg == "nps":
        return frozenset(_KINDS["answers"])
    steps = (kind for step in measure.steps for kind in step.event_types)
    return frozenset({*measure.event_types, *steps})


def _words(said: Any) -> set[str]:
    """All names in a definition, wherever they stand."""
    if isinstance(said, str):
        return set(_WORD.findall(said))
    values = said.values() if isinstance(said, dict) else said if isinstance(said, list | tuple) else ()
    return {word for value in values for word in _words(value)}
