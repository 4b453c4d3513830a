"""Values as JSON: instants in UTC with `Z`, money and other exact decimals as strings, unknown as null."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from common.figures.model import money_text


def dumps(value: Any) -> bytes:
    """Return one line of JSON. Integers of any size are written out: a trait may be one."""
    try:
        return orjson.dumps(value, default=_default, option=orjson.OPT_UTC_Z)
    except orjson.JSONEncodeError:  # of more than 64 bits
        return json.dumps(value, default=_slow, ensure_ascii=False, separators=(",", ":")).encode()


def instant_text(value: datetime) -> str:
    """Return RFC 3339 in UTC, exact to the microsecond."""
    return str(orjson.loads(orjson.dumps(value, option=orjson.OPT_UTC_Z)))


def _slow(value: Any) -> Any:
    """What the standard library doesn't write either."""
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, date | UUID):
        return str(value)
    return _default(value)


def _default(value: Any) -> Any:
    if isinstance(value, Decimal):
        return money_text(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form here")
