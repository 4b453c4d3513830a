"""Evidence in plain words: the template of a rule or a signal, filled with the figures of the moment.

A placeholder is a figure with how to show it: `{days_silent:day}` counts in a unit (`1 day`, `15 days`, `no days`), `{login_trend:change}` is a
relative change (`down 50%`), `{complaints_base:.2f}` is as Python formats numbers, `{traits.plan}` is a trait.
"""

import math
import re
import string
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from common import words

MAX_CHARACTERS = 500
UNKNOWN = "unknown"
_FORMATTER = string.Formatter()
# One letter is a format of Python's.
_UNIT = re.compile(r"[a-z][a-z-]{1,30}")


def in_words(template: str, figures: Mapping[str, Any], traits: Mapping[str, Any] | None = None) -> str:
    """Never fails: what is unknown, or can't be shown as asked, reads "unknown". Only plain names are looked up."""
    parts: list[str] = []
    for text, name, spec in _parsed(template):
        parts.append(text)
        if name is not None:
            parts.append(_shown(_value(name, figures, traits or {}), spec))
    text = "".join(parts)
    # A count at the beginning of a sentence that turns out to be none.
    return (f"N{text[1:]}" if text.startswith("no ") else text)[:MAX_CHARACTERS]


@lru_cache(maxsize=4_096)
def _parsed(template: str) -> tuple[tuple[str, str | None, str], ...]:
    """Texts, each with the placeholder after it: templates are few, and filled in for every account."""
    return tuple((text, name, spec or "") for text, name, spec, _ in _FORMATTER.parse(template))


def figures_of(template: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures that a template shows."""
    names = [name for _, name, _, _ in _FORMATTER.parse(template) if name]
    return {name: _value(name, figures, {}) for name in names if not name.startswith("traits.")}


def _value(name: str, figures: Mapping[str, Any], traits: Mapping[str, Any]) -> Any:
    if name.startswith("s."):
        return _of_signal(name, figures)
    return traits.get(name.removeprefix("traits.")) if name.startswith("traits.") else figures.get(name)


def _of_signal(name: str, figures: Mapping[str, Any]) -> Any:
    """`s.use_fell.value`: a part of what a signal says."""
    _, signal, part = (*name.split(".", 2), "", "")[:3]
    said = (figures.get("s") or {}).get(signal)
    return said.get(part) if said else None


def _shown(value: Any, spec: str) -> str:
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    if value is None or (is_number and not math.isfinite(value)):
        return UNKNOWN
    if is_number and not spec:
        return words.quantity(value)
    if is_number and _UNIT.fullmatch(spec):
        return words.change(value) if spec == "change" else words.counted(value, spec)
    try:
        return format(value, spec[:10])
    except (ValueError, TypeError):
        return str(value)
