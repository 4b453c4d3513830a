"""An account's signals as people read them: those that are on first, and those about which nothing can be said before the quiet ones."""

from collections.abc import Mapping
from typing import Any

from common import words
from common.catalogue.signals import Moved, Signal, Silent
from common.evidence import in_words
from common.signals.states import sources_of

_ORDER = ("on", "stale", "no-data", "off")
_QUEUES = ("risk", "growth")
_PARTS = ("value", "baseline", "unusual", "last_year", "since", "why")

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


def _evidence(
    signal: Signal, said: Mapping[str, Any], figures: Mapping[str, Any], traits: Mapping[str, Any]
) -> str | None:
    """In words, where it is on; and where it would be, had last year not been alike."""
    if said["state"] != "on" and said.get("why") != "last-year":
        return None
    text = in_words(signal.evidence, figures, traits)
    if not (isinstance(signal.test, Moved | Silent) and signal.test.against_last_year):
        return text
    then = said.get("last_year")
    if then is None:
        return f"{text} There is no year before to compare with."
    moved = (
        words.change(then - 1)
        if isinstance(signal.test, Moved)
        else f"{words.counted(then, 'day')} of silence"
    )
    return f"{text} In the same weeks of last year: {moved}."


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
        "evidence": _evidence(signal, said, {**figures, **said}, traits),
        "rests_on": list(sources_of(signal)),
        "finished_days_only": isinstance(signal.test, Moved),
    }
