"""From a cell to a value: text, dates, numbers and yes or no as spreadsheets write them. Pure."""

import re
from collections.abc import Collection
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from common.contracts.instants import instant_of

Value = str | int | float | bool
Order = str
"""`dmy` or `mdy`: what 03/04/2026 means."""


class Kind(StrEnum):
    TEXT = "text"
    DATE = "date"
    NUMBER = "number"
    BOOLEAN = "boolean"


class CellError(Exception):
    """The message says what is wrong with the cell and what to do."""


_YEARS: Final = range(1970, 2200)
_EXCEL_EPOCH: Final = date(1899, 12, 30)  # its day 60 is a 29 February 1900 that never was; later days fit
_EXCEL_SERIALS: Final = (25_569, 109_574)  # 1970-01-01 to 2199-12-31
_EXCEL_ERROR: Final = re.compile(r"#(N/A|REF!|NAME\?|VALUE!|DIV/0!|NULL!|NUM!|GETTING_DATA|SPILL!|CALC!)")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ISO: Final = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[Tt ].*)?")
_DOTTED: Final = re.compile(r"(\d{1,2})\. ?(\d{1,2})\. ?(\d{4})(?: \d{1,2}:.*)?")
_SLASHED: Final = re.compile(r"(\d{1,2})([/-])(\d{1,2})\2(\d{4})(?: \d{1,2}:.*)?")
_NAMED: Final = re.compile(r"(\d{1,2})[- ]([A-Za-z]{3,9})\.?,?[- ](\d{4}|\d{2})")
_NAMED_FIRST: Final = re.compile(r"([A-Za-z]{3,9})\.? (\d{1,2}),? (\d{4})")
_SERIAL: Final = re.compile(r"(\d{5,6})(?:\.\d+)?")
_NUMBER: Final = re.compile(r"[+-]?(\d+|\d{1,3}(?:[ ,.'\u00a0\u202f]\d{3})+)([.,]\d+)?")
_YES: Final = frozenset({"true", "yes", "y", "1", "x", "wahr", "ja", "vrai", "oui", "on"})
_NO: Final = frozenset({"false", "no", "n", "0", "falsch", "nein", "faux", "non", "off"})
_MOST_CHARACTERS: Final = 10_000


def plain(cell: str) -> str | None:
    """The cell's text, None when it is empty. Raises CellError for what a spreadsheet failed to compute."""
    text = cell.strip(" \t\r\n\u00a0\ufeff").replace("\r\n", "\n")
    if text.startswith('="') and text.endswith('"') and len(text) > 2:
        text = text[2:-1]  # how Excel is made to keep leading zeros
    if text.startswith("="):
        raise CellError(f"{_shown(text)} is a formula; export its value")
    if _EXCEL_ERROR.fullmatch(text):
        raise CellError(f"{_shown(text)} is a spreadsheet's error, not a value")
    if len(text) > _MOST_CHARACTERS:
        raise CellError(f"it has {len(text)} characters, at most {_MOST_CHARACTERS} are kept")
    return text or None


def read(text: str, kind: Kind, order: Order | None, zone: ZoneInfo) -> Value:
    """`order` is needed only for dates that could be read both ways. Raises CellError."""
    if kind is Kind.DATE:
        return day(text, order, zone).isoformat()
    if kind is Kind.NUMBER:
        return number(text)
    if kind is Kind.BOOLEAN:
        return boolean(text)
    return text


def day(text: str, order: Order | None, zone: ZoneInfo) -> date:
    """A day, of an instant with an offset the day it is in `zone`."""
    if found := _ISO.fullmatch(text):
        at = _instant(text)
        return at.astimezone(zone).date() if at else _date(text, *map(int, found.groups()))
    if found := _DOTTED.fullmatch(text):
        return _date(text, int(found[3]), int(found[2]), int(found[1]))
    if found := _SLASHED.fullmatch(text):
        return _slashed(text, int(found[1]), int(found[3]), int(found[4]), order)
    if found := _NAMED.fullmatch(text):
        year = int(found[3]) + (2000 if len(found[3]) == 2 else 0)
        return _date(text, year, _month(text, found[2]), int(found[1]))
    if found := _NAMED_FIRST.fullmatch(text):
        return _date(text, int(found[3]), _month(text, found[1]), int(found[2]))
    if (found := _SERIAL.fullmatch(text)) and _EXCEL_SERIALS[0] <= int(found[1]) <= _EXCEL_SERIALS[1]:
        return _EXCEL_EPOCH + timedelta(days=int(found[1]))
    raise CellError(f"{_shown(text)} is no date; write it as 2026-12-31")


def order_of(text: str) -> Order | None:
    """What a date shows about the order of its numbers; None when it shows nothing."""
    found = _SLASHED.fullmatch(text)
    if found is None:
        return None
    return "dmy" if int(found[1]) > 12 else "mdy" if int(found[3]) > 12 else None


def agreed(shown: Collection[Order]) -> Order | None:
    """The order of a column, from what its dates show; None when they show none or contradict each other."""
    return next(iter(shown)) if len(shown) == 1 else None


def number(text: str) -> int | float:
    """With any usual mark for thousands and fractions; where a mark could be either, it is refused."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise CellError(f"{_shown(text)} is no number")
    whole, fraction = found[1], found[2] or ""
    marks = {character for character in whole if not character.isdigit()}
    if len(marks) > 1 or (marks and fraction[:1] in marks):
        raise CellError(f"{_shown(text)} is no number")
    if len(fraction) == 4 and not marks and len(whole) <= 3 and whole != "0":
        raise CellError(
            f"{_shown(text)} could be a thousand or a fraction; write {whole}{fraction[1:]} or {whole}.{fraction[1:]}0"
        )
    digits = "".join(filter(str.isdigit, whole))
    sign = -1 if text.startswith("-") else 1
    return sign * (float(f"{digits}.{fraction[1:]}") if fraction else int(digits))


def boolean(text: str) -> bool:
    if text.lower() in _YES | _NO:
        return text.lower() in _YES
    raise CellError(f"{_shown(text)} is neither yes nor no")


def _instant(text: str) -> datetime | None:
    """Where it says its offset."""
    try:
        return instant_of(text)
    except ValueError:
        return None


def _slashed(text: str, first: int, second: int, year: int, order: Order | None) -> date:
    if order is None and first != second:
        if max(first, second) <= 12:
            raise CellError(f"{_shown(text)} could be two days; say --dates dmy or --dates mdy")
        order = "dmy" if first > 12 else "mdy"
    return _date(text, year, first, second) if order == "mdy" else _date(text, year, second, first)


def _month(text: str, name: str) -> int:
    if name[:3].lower() not in _MONTHS:
        raise CellError(f"{_shown(text)} is no date; write it as 2026-12-31")
    return _MONTHS.index(name[:3].lower()) + 1


def _date(text: str, year: int, month: int, day_of_month: int) -> date:
    try:
        found = date(year, month, day_of_month)
    except ValueError:
        raise CellError(f"{_shown(text)} is a day that doesn't exist") from None
    if year not in _YEARS:
        raise CellError(f"{_shown(text)} lies outside the years {_YEARS[0]} to {_YEARS[-1]}")
    return found


def _shown(text: str) -> str:
    return ascii(text[:60])
