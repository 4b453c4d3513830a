"""JSON of whatever a tenant's traits and figures are, integers beyond 64 bits among them."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from uuid import UUID

import orjson
import pytest

from api_gateway.domain.encoding import dumps

VALUES = {
    "at": datetime(2026, 3, 1, 9, 0, 0, 5, tzinfo=UTC),
    "day": date(2026, 3, 1),
    "money": Decimal("12.50"),
    "map": MappingProxyType({"größe": [1, 0.1, None, True, "ü"]}),
    "list": (1, 2),
    "id": UUID(int=7),
}


@pytest.mark.parametrize("large", [2**64, -(2**64), 10**300])
def test_an_integer_beyond_64_bits_changes_nothing_else(large: int) -> None:
    told = json.loads(dumps({**VALUES, "large": large}))
    assert told.pop("large") == large
    assert told == orjson.loads(dumps(VALUES))


def test_what_has_no_json_form_is_a_fault() -> None:
    with pytest.raises(TypeError, match="object has no JSON form"):
        dumps({"large": 2**64, "thing": object()})
