"""What a value that is derived from others says besides: marks, reasons, accounts, and whether anything is behind it."""

from decimal import Decimal
from fractions import Fraction

import pytest

from common.catalogue.derived import Derived
from common.figures import values
from common.figures.model import Value

MARGIN = Decimal("0.8")
KNOWN = {
    "a": Value(Decimal("0.30"), accounts=3, n=4),
    "b": Value(0.1, 1, 10, accounts=7, low_n=True),
    "c": Value(None, reason="nobody told"),
    "nought": Value(0, 0, 9, accounts=0),
}


def made(cel: str, margin: Decimal | None = MARGIN) -> Value:
    formula = Derived(type="derived", cel=cel)
    parts = {name: KNOWN[name] for name in formula.metrics}
    return values.derived(parts, formula, "ratio", margin)


def test_a_part_that_is_a_quotient_is_taken_as_one() -> None:
    """0.1 as a float is no tenth: 0.3 - 3 * 0.1 isn't 0 in floats."""
    assert (made("a - 3 * b").value, made("a - 3 * b").exact) == (0, Fraction(0))
    assert made("a / b").value == 3


@pytest.mark.parametrize(
    ("cel", "accounts"),
    [("a / b", 3), ("100 * b / a", 7), ("settings.gross_margin * b / a", 7), ("1 / b", 7), ("a + b", None), ("(a + b) / a", None)],
)  # fmt: skip
def test_accounts_are_those_of_the_first_factor(cel: str, accounts: int | None) -> None:
    assert made(cel).accounts == accounts


def test_it_is_marked_where_one_of_its_parts_is() -> None:
    assert made("a - b").low_n
    assert not made("a / 2").low_n


@pytest.mark.parametrize(
    ("cel", "sides", "reason"),
    [
        ("a - c", (None, None), "nobody told"),
        ("a / c", (0.3, None), "nobody told"),
        ("c / a", (None, 0.3), "nobody told"),
        ("a / nought", (0.3, 0), None),
        ("nought * c", (None, None), "nobody told"),
    ],
)
def test_what_is_unknown_says_why(
    cel: str, sides: tuple[float | None, float | None], reason: str | None
) -> None:
    value = made(cel)
    assert (value.value, value.numerator, value.denominator) == (None, *sides)
    assert value.reason == reason


def test_without_a_margin_the_settings_are_to_blame() -> None:
    value = made("a / (b * settings.gross_margin)", None)
    assert (value.value, value.numerator, value.denominator) == (None, 0.3, None)
    assert value.reason == values.NO_MARGIN
    assert made("a / b", None).value == 3
