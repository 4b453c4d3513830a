"""Which versions of the definitions mean the same by health, and by the score of risk: another meaning begins another record."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from alerts.ports.accuracy import Meaning

# What people read, and which of score and model judges, may change without a record ending.
_WORDS = frozenset({"label", "description", "reason", "text", "unknown_text", "unit", "model"})
_SIGNAL = re.compile(r"\bs\.([a-z][a-z0-9_]*)")

Version = tuple[int, Mapping[str, Any] | None, Mapping[str, Any] | None, Mapping[str, Any] | None, Any]
"""Number, profiles of health, reasons of risk, settings of risk, signals: a row of `score_versions`."""


def meanings(versions: Iterable[Version]) -> tuple[Meaning, Meaning]:
    """Of health and of risk in the last of these, which are in order."""
    health = risk = Meaning("", 0)
    for number, profiles, reasons, settings, signals in versions:
        health = _goes_on(health, _fingerprint([_listed(profiles)], signals or {}), number)
        risk = _goes_on(risk, _fingerprint([_listed(reasons), settings], signals or {}), number)
    return health, risk


def _goes_on(before: Meaning, fingerprint: str, version: int) -> Meaning:
    return before if before.fingerprint == fingerprint else Meaning(fingerprint, version)


def _listed(named: Mapping[str, Any] | None) -> list[list[Any]]:
    """By name, so that a name is never taken for a word."""
    return [[name, its] for name, its in sorted((named or {}).items())]


def _fingerprint(definitions: list[Any], signals: Mapping[str, Any]) -> str:
    meant = _without_words(definitions)
    text = json.dumps(meant, sort_keys=True)
    names = {*_SIGNAL.findall(text), *_signals_of(meant)}
    named = {name: _without_words(signals.get(name)) for name in sorted(names)}
    return hashlib.sha256((text + json.dumps(named, sort_keys=True)).encode()).hexdigest()[:16]


def _without_words(value: Any) -> Any:
    """Nor what is not said: a key that a later release adds, with nothing in it, means nothing."""
    if isinstance(value, Mapping):
        meant = {key: _without_words(its) for key, its in value.items() if key not in _WORDS}
        return {key: its for key, its in meant.items() if its}
    return [_without_words(its) for its in value] if isinstance(value, list) else value


def _signals_of(value: Any) -> list[str]:
    """Those that reasons of risk name outright."""
    if isinstance(value, Mapping):
        own = [value["signal"]] if isinstance(value.get("signal"), str) else []
        return own + [name for its in value.values() for name in _signals_of(its)]
    return [name for its in value for name in _signals_of(its)] if isinstance(value, list) else []
