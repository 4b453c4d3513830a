"""Numbers out of JSON and text: exact, or refused with a reason, or not told."""

import json
import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.numbers import NotExact, exact, plain, scaled

decimals = st.decimals(min_value=-(10**15), max_value=10**15, places=4)


@given(decimals)
def test_a_number_is_read_as_written_with_or_without_quotes(value: Decimal) -> None:
    assert exact(str(value).encode()) == value
    assert exact(json.dumps(str(value)).encode()) == value


@given(st.integers(-(10**15), 10**15), st.integers(0, 9))
def test_a_scaled_number_is_its_units(units: int, scale: int) -> None:
    if abs(units) < 10**18:
        assert scaled(Decimal(units).scaleb(-scale), scale) == units


@pytest.mark.parametrize(
    "token",
    [b'"NaN"', b'"Infinity"', b"true", b'"1_000"', b'" 1"', b'"1,5"', b"{}", b"[]", b'""', b"1e400", b'"0x10"', b'"\\u0031"'],
)  # fmt: skip
def test_what_is_no_decimal_number_is_refused(token: bytes) -> None:
    with pytest.raises(NotExact) as refused:
        exact(token)
    assert refused.value.code == "number-invalid"


@pytest.mark.parametrize("token", [b"1e18", b"-1000000000000000000", b"1e99"])
def test_what_is_out_of_range_is_refused(token: bytes) -> None:
    with pytest.raises(NotExact) as refused:
        exact(token)
    assert refused.value.code == "number-out-of-range"


def test_digits_are_never_lost() -> None:
    assert scaled(Decimal("19.99"), 2) == 1999
    with pytest.raises(NotExact) as refused:
        scaled(Decimal("19.999"), 2)
    assert refused.value.code == "number-not-exact"
    with pytest.raises(NotExact) as refused:
        scaled(Decimal(10) ** 17, 2)
    assert refused.value.code == "number-out-of-range"


def test_null_is_no_number() -> None:
    assert exact(b"null") is None


def read_by_hand(text: str) -> Decimal | None:
    """What people write: a sign, digits, a point between digits, a power of ten of at most two digits; and below 10^18."""
    head, _, power = text.lower().partition("e")
    whole, _, part = head.removeprefix("-").partition(".")
    power_digits = power[1:] if power[:1] in ("+", "-") else power
    pieces = [whole]
    pieces += [part] if "." in head else []
    pieces += [power_digits] if "e" in text.lower() else []
    if not all(piece and set(piece) <= set("0123456789") for piece in pieces) or len(power_digits) > 2:
        return None
    value = Decimal(text)
    return value if abs(value) < 10**18 else None


@given(st.text("0123456789.eE+-/_ ,x٣", max_size=8))
def test_a_text_is_a_number_as_people_write_it_or_none(text: str) -> None:
    assert plain(text) == read_by_hand(text)


@given(decimals)
def test_a_text_is_the_number_it_says_exactly(value: Decimal) -> None:
    assert plain(str(value)) == value


@pytest.mark.parametrize(
    "text", [None, "", "1e400", "1e4000000", "-1e99999999999", "3/4", "1_000", "NaN", "-inf", "9" * 5_000, "true", "null", "[1]", "1\n"]
)  # fmt: skip
def test_what_is_no_plain_number_is_not_told_and_takes_no_time(text: str | None) -> None:
    began = time.process_time()
    assert plain(text) is None
    assert time.process_time() - began < 0.1
