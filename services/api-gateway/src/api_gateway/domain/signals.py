"""An account's signals as people read them: those that are on first, and those about which nothing can be said before the quiet ones."""

from collections.abc import Mapping
from typing import Any

from common.catalogue.signals import Moved, Signal
from common.evidence import in_words
from common.signals.states import sources_of

_ORDER = ("on", "stale", "no-data", "off")
_QUEUES = ("risk", "growth")
_PARTS = ("value", "baseline", "unusual", "since", "why")

Said = Mapping[str, Mapping[str, Any]]


def noteworthy(said: Said) -> dict[str, Mapping[str, Any]]:
    """Those that are on, or stopped saying anything."""
    return {name: its for name, its in said.items() if its["state"] in ("on", "stale")}


def shown(
    signals: Mapping[str, Signal], said: Said, figures: Mapping[str, Any], traits: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Every signal of the definitions in force that was told of the account."""
    told = [(signal, said[name]) for name, signal in signals.items() if name in said]
    told.sort(key=lambda one: (_ORDER.index(one[1]["state"]), _QUEUES.index(one[0].queue), one[0].name))
    return [_one(signal, its, figures, traits) for signal, its in told]


def _one(
    signal: Signal, said: Mapping[str, Any], figures: Mapping[str, Any], traits: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "name": signal.name,
        "label": signal.label,
        "description": signal.description,
        "queue": signal.queue,
        "state": said["state"],
        **{part: said.get(part) for part in _PARTS},
        "evidence": in_words(signal.evidence, {**figures, **said}, traits) if said["state"] == "on" else None,
        "rests_on": list(sources_of(signal)),
        "finished_days_only": isinstance(signal.test, Moved),
    }
