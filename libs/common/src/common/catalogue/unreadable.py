"""What is said of a value that a definition can't have: why, and how it is written instead."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

_SECTION = "docs/reference/catalogue.md lists what belongs there"
# What a pattern stands for, in words, by the pattern.
_WORDS: Mapping[str, str] = {
    r"^\d+ (hours|days)$": "a number of hours or days, such as 24 hours or 7 days",
    r"^[a-z][a-z0-9_]{0,62}$": "a name of small letters, digits and _, such as own_metric",
    r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$": "a type of event, such as ticket.opened",
    r"^[A-Z]{3}$": "a currency of three capital letters, such as EUR",
    r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$": "a country of ISO 3166 or a part of it, such as DE or US-CA",
    r"^([01]\d|2[0-3]):[0-5]\d$": "a time of day in quotes, such as '09:00'",
    r"^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$": "opening hours in quotes, such as '09:00-17:00'",
    r"^(measured|planned|proxy_of [a-z][a-z0-9_]*)$": "measured, planned, or proxy_of and the name of a metric",
}
_FORMS: Mapping[str, str] = {
    "tuple_type": "Write a list: [a, b]",
    "list_type": "Write a list: [a, b]",
    "dict_type": "Write names with values: {name: value}",
    "model_type": "Write names with values: {name: value}",
    "model_attributes_type": "Write names with values: {name: value}",
    "bool_type": "Write true or false",
    "bool_parsing": "Write true or false",
    "union_tag_not_found": "Add a type",
}
_QUOTED = "Write it in quotes, as text: without them YAML reads"


def reason(fault: Mapping[str, Any]) -> str:
    """Why a fault of pydantic refuses a value."""
    if fault["type"] == "string_pattern_mismatch":
        return f"{_shown(fault['input'])} is not {_words(fault)}"
    if fault["type"] == "string_type":
        return f"{_shown(fault['input'])} is no text"
    said = str(fault["msg"]).removeprefix("Value error, ")
    return (
        f"{_shown(fault['input'])} must{said.removeprefix('Input should')}"
        if said.startswith("Input should")
        else said
    )


def advice(fault: Mapping[str, Any], known: Mapping[str, Any], *, nested: bool) -> str:
    """How the field is written instead. `known`: the fields of the definition that it stands in, unless it is `nested`."""
    kind, given = str(fault["type"]), fault.get("input")
    if kind == "extra_forbidden":
        name = str(fault["loc"][-1])
        close = [] if nested else get_close_matches(name, list(known), 1)
        if close:
            return f"Did you mean {close[0]}? Known fields: {', '.join(sorted(known))}"
        return (
            f"Correct its name, or remove it; {_SECTION}"
            if nested
            else f"Known fields: {', '.join(sorted(known))}"
        )
    if kind == "missing":
        return "Add it"
    if kind == "string_type":
        return _as_text(given)
    if kind == "string_pattern_mismatch":
        return f"Write {_words(fault)}"
    if kind == "literal_error":
        choices = re.findall(r"'([^']+)'", str(fault["msg"]))
        close = get_close_matches(str(given), choices, 1)
        return f"Did you mean {close[0]}?" if close else f"Write one of {', '.join(choices)}"
    if kind == "union_tag_invalid":
        choices = re.findall(r"'([^']+)'", str(fault.get("ctx", {}).get("expected_tags", "")))
        close = get_close_matches(str(fault.get("ctx", {}).get("tag", "")), choices, 1)
        return f"Did you mean type: {close[0]}?" if close else f"Write one of {', '.join(choices)}"
    if kind in _FORMS:
        return _FORMS[kind]
    if kind.startswith(("int_", "float_", "decimal_")):
        return "Write a number, without quotes and without its unit"
    if kind.startswith("date"):
        return "Write a day such as 2026-03-31, without quotes"
    if kind.startswith(("too_long", "string_too_long")):
        return "Shorten it"
    if kind.startswith(("too_short", "string_too_short")):
        return "Name something there, or leave the field out"
    if kind.startswith(("greater_than", "less_than")):
        return "Write a number within that bound"
    return f"Write what fits; {_SECTION}"


def _as_text(given: object) -> str:
    if isinstance(given, bool):
        return f"{_QUOTED} NO, off, yes and the like as {str(given).lower()}"
    if isinstance(given, int | float):
        return f"{_QUOTED} a number"
    if isinstance(given, dt.date | dt.datetime):
        return f"{_QUOTED} a day"
    return "Name something there, or leave the field out" if given is None else "Write one text in its place"


def _words(fault: Mapping[str, Any]) -> str:
    pattern = str(fault.get("ctx", {}).get("pattern", ""))
    return _WORDS.get(pattern, f"what matches {pattern}")


def _shown(given: object) -> str:
    text = repr(given)
    return text if len(text) <= 60 else f"{text[:57]}..."
