import csv
import io
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from api_gateway.domain.csv_rows import text_cell, write

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(text)
def test_no_text_cell_starts_as_a_formula(value: str) -> None:
    assert not text_cell(value).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert text_cell(value).removeprefix("'") == value.removeprefix("'")


@given(st.lists(st.lists(text, min_size=3, max_size=3)))
def test_a_reader_gets_every_cell_back(rows: list[list[str]]) -> None:
    read = list(csv.reader(io.StringIO(write(["a", "b", "c"], rows).decode(), newline="")))
    assert read == [["a", "b", "c"], *[[text_cell(cell) for cell in row] for row in rows]]


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**12), max_value=10**12))
def test_money_is_a_number_with_all_its_places(amount: Decimal) -> None:
    cell = write(["n"], [[amount]]).decode().splitlines()[1]
    assert (Decimal(cell), cell[-3]) == (amount, ".")
    assert set(cell) <= set("-.0123456789")


def test_numbers_stand_as_they_are_and_unknown_is_empty() -> None:
    assert write(["n"], [[-5], [0.25], [None], ["-5"]]) == b'n\r\n-5\r\n0.25\r\n""\r\n\'-5\r\n'
