"""Values as JSON: instants in UTC with `Z`, money and other exact decimals as strings, unknown as null."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from common.figures.model import money_text


def dumps(value: Any) -> bytes:
    """Return one line of JSON."""
    return orjson.dumps(value, default=_default, option=orjson.OPT_UTC_Z)


def instant_text(value: datetime) -> str:
    """Return RFC 3339 in UTC, exact to the microsecond."""
    return str(orjson.loads(orjson.dumps(value, option=orjson.OPT_UTC_Z)))


def _default(value: Any) -> Any:
    if isinstance(value, Decimal):
        return money_text(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form here")
