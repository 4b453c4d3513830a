"""Numbers out of JSON: exact, or refused with a reason."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpi_engine.domain.numbers import NotExact, exact, scaled

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
