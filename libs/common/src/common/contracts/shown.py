"""Accepted events as readers are shown them."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson


def event_of(body: bytes | str) -> dict[str, Any]:
    """An accepted event. A number that is larger than any double is told as the text it was written as, for answers can't hold it."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:  # of all that was accepted only such a number can't be read
        found = json.loads(body, parse_float=_number, parse_int=_number)
    return found if isinstance(found, dict) else {}


def _number(text: str) -> float | int | str:
    value = float(text)
    if not math.isfinite(value):
        return text
    return int(text) if text.lstrip("-").isdigit() and abs(value) < 2**53 else value
