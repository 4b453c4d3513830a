"""Whatever was accepted can be shown: numbers beyond all doubles too."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.contracts.shown import event_of


@pytest.mark.parametrize("large", ["1e400", "-1E+999", "1" + "0" * 400, "9" * 5_000])
def test_a_number_beyond_all_doubles_is_told_as_it_was_written(large: str) -> None:
    body = f'{{"data":{{"n":{large},"list":[{large},7,0.5,true,null,"x"],"id":9007199254740993}}}}'
    shown = event_of(body.encode())
    assert shown["data"]["n"] == large
    assert shown["data"]["list"] == [large, 7, 0.5, True, None, "x"]
    assert orjson.dumps(shown)


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53) | st.text()))  # fmt: skip
def test_all_else_is_told_alike_with_such_a_number_beside_it(data: dict[str, object]) -> None:
    plain = json.dumps({"data": data})
    beside = json.dumps({"data": data, "huge": "HUGE"}).replace('"HUGE"', "1e400")
    assert event_of(beside.encode())["data"] == event_of(plain.encode())["data"] == data
