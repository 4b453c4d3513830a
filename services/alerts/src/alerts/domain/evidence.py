"""Evidence in plain words: a rule's template filled with the figures of the moment."""

import string
from collections.abc import Mapping
from typing import Any

MAX_CHARACTERS = 500
_FORMATTER = string.Formatter()


def in_words(template: str, figures: Mapping[str, Any]) -> str:
    """Never fails: what is unknown, or can't be shown as asked, reads "unknown". Only plain names are looked up."""
    parts: list[str] = []
    for text, name, spec, _ in _FORMATTER.parse(template):
        parts.append(text)
        if name is not None:
            parts.append(_shown(figures.get(name), spec or ""))
    return "".join(parts)[:MAX_CHARACTERS]


def _shown(value: Any, spec: str) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, float) and value.is_integer() and not spec:
        return str(int(value))
    try:
        return format(value, spec[:10])
    except (ValueError, TypeError):
        return str(value)


def figures_of(template: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures that a template shows."""
    return {name: figures.get(name) for _, name, _, _ in _FORMATTER.parse(template) if name}
