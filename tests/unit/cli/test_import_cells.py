"""What spreadsheets write, read as what was meant, or refused."""

import datetime as dt
import io
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bellwether.imports.cells import CellError, Kind, boolean, day, number, order_of, plain, read
from bellwether.imports.table import Row, Unreadable, opened

BERLIN = ZoneInfo("Europe/Berlin")
DAYS = st.dates(dt.date(1970, 1, 1), dt.date(2199, 12, 31))
EXCEL_DAY_ONE = dt.date(1900, 1, 1)


@given(DAYS)
def test_a_day_is_read_from_every_way_of_writing_it(at: dt.date) -> None:
    serial = (at - EXCEL_DAY_ONE).days + 2  # Excel counts from 1 and believes in a 29 February 1900
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    name = months[at.month - 1]
    for text in (
        at.isoformat(), f"{at} 00:00:00", f"{at:%Y/%m/%d}", f"{at.day}.{at.month}.{at.year}", f"{at:%d.%m.%Y}", str(serial),
        f"{serial}.5", f"{at.day}-{name}-{at.year}", f"{name} {at.day}, {at.year}",
    ):  # fmt: skip
        if at >= dt.date(1970, 1, 1) and not (text.split(".")[0] == str(serial) and serial < 25_569):
            assert day(text, None, BERLIN) == at
    assert day(f"{at.day}/{at.month}/{at.year}", "dmy", BERLIN) == at
    assert day(f"{at.month}/{at.day}/{at.year}", "mdy", BERLIN) == at
    if at.day > 12:
        assert order_of(f"{at.day}/{at.month}/{at.year}") == "dmy"
        assert order_of(f"{at.month}/{at.day}/{at.year}") == "mdy"
        assert day(f"{at.month}/{at.day}/{at.year}", None, BERLIN) == at
    elif at.day != at.month:
        with pytest.raises(CellError, match="could be two days"):
            day(f"{at.day}/{at.month}/{at.year}", None, BERLIN)


def test_an_instant_is_the_local_day_it_is_in() -> None:
    assert day("2026-12-31T23:30:00Z", None, BERLIN) == dt.date(2027, 1, 1)
    assert day("2026-12-31t23:30:00z", None, BERLIN) == dt.date(2027, 1, 1)
    assert day("2026-12-31T22:59:60-01:00", None, BERLIN) == dt.date(2027, 1, 1)
    assert day("2026-12-31T23:30:00", None, BERLIN) == dt.date(2026, 12, 31)


@pytest.mark.parametrize(
    "text", ["31.02.2026", "2026-13-01", "13/13/2026", "soon", "1", "3000-01-01", "05/14/20"]
)
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(CellError):
        day(text, None, BERLIN)


@given(st.integers(-(10**12), 10**12), st.integers(0, 99))
def test_a_number_is_read_with_the_marks_of_any_country(whole: int, cents: int) -> None:
    value = float(f"{whole}.{cents:02}")
    grouped = f"{whole:,}"
    assert number(str(whole)) == whole
    assert number(f"{grouped}.{cents:02}") == value
    assert number(f"{grouped.replace(',', '.')},{cents:02}") == value
    assert number(f"{grouped.replace(',', ' ')},{cents:02}") == value


@pytest.mark.parametrize("text", ["1,234", "1.234", "1,2,3", "1.2.3", "twelve", "1,23.45,6", "--1"])
def test_what_could_be_two_numbers_or_is_none_is_refused(text: str) -> None:
    with pytest.raises(CellError):
        number(text)


def test_formulas_and_their_errors_are_no_values() -> None:
    assert plain('="007"') == "007"
    assert plain("  \u00a0 ") is None
    assert plain("-5") == "-5"
    for text in ("=A1", "=HYPERLINK(1)", "#N/A", "#REF!"):
        with pytest.raises(CellError):
            plain(text)
    assert (boolean("WAHR"), boolean("no"), read("x", Kind.TEXT, None, BERLIN)) == (True, False, "x")


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12)


@given(
    st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=6),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_a_table_comes_back_cell_by_cell_with_its_lines(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], delimiter: str, encoding: str
) -> None:
    quoted = [
        delimiter.join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row)
        for row in [["a", "b", "c"], *rows]
    ]
    file = tmp_path_factory.getbasetemp() / "t.csv"
    file.write_bytes("\r\n".join(quoted).encode(encoding))
    line, wanted = 2, []
    for row, text in zip(rows, quoted[1:], strict=True):
        if any(cell.strip() for cell in row):
            wanted.append(Row(line, tuple(row)))
        line += text.count("\n") + 1
    with opened(file) as table:
        assert (table.header, table.delimiter) == (("a", "b", "c"), delimiter)
        assert list(table.rows()) == wanted
        assert list(table.rows()) == wanted, "a table can be read again"


def test_lines_that_cannot_be_read_are_told_and_the_others_are_read(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(
        'sep=;\nname;city\nM\xfcller;K\xf6ln\n"a"b;c\nx;y;z\nshort\n"open;1\n'.encode("latin-1")
        + b"z;1\n" * 40_000
        + b"end;1\n"
    )
    with opened(file) as table:
        assert table.encoding == "cp1252"
        found = list(table.rows())
    assert found[0] == Row(3, ("Müller", "Köln"))
    assert [(row.line, row.reason[:24]) for row in found if isinstance(row, Unreadable)] == [
        (4, "it is no CSV (';' expect"), (5, "it has 3 cells and the h"), (7, "its quotes aren't closed"),
    ]  # fmt: skip
    assert found[3] == Row(6, ("short", ""))
    assert isinstance(found[-1], Row)
    assert found[-1].line == 40_008


def test_a_row_in_whose_middle_the_file_ends_is_told(tmp_path: Path) -> None:
    """It was taken for one without its last cells, so that a file cut short renamed an account and cleared the rest of it."""
    whole = "id,name,owner\nb1,One,ann\nb2,Two\nb3,Three,ann"
    file = tmp_path / "t.csv"
    for text, is_whole in (
        (whole, True),
        (whole[:-4], False),
        (whole[:-4] + "\r\n", True),
        (whole[:-7], False),
    ):
        file.write_bytes(text.encode())
        with opened(file) as table:
            *others, last = table.rows()
        assert others == [Row(2, ("b1", "One", "ann")), Row(3, ("b2", "Two", ""))]
        assert isinstance(last, Row) == is_whole
        if isinstance(last, Unreadable):
            assert last.line == 4
            assert last.reason.startswith("the file ends in the middle of it, after 2 of 3 cells")


def test_nothing_is_held_of_the_rows_before(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("a,b\n" + "1,2\n" * 10)
    with opened(file) as table:
        assert isinstance(table.text, io.TextIOWrapper)
        rows = table.rows()
        assert next(rows) == Row(2, ("1", "2"))
