"""Rows as CSV (RFC 4180) that a spreadsheet shows but never executes."""

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal

# What makes a spreadsheet read a cell as a formula: https://owasp.org/www-community/attacks/CSV_Injection.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def text_cell(value: str) -> str:
    """Return text that no spreadsheet takes for a formula: a leading apostrophe is put before one."""
    return f"'{value}" if value.startswith(_FORMULA_STARTS) else value


def write(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return the table in UTF-8. Text is escaped, numbers stand as they are, decimals with all their places, None is an empty cell."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([text_cell(name) for name in header])
    for row in rows:
        writer.writerow([_cell(cell) for cell in row])
    return out.getvalue().encode("utf-8", "replace")


def _cell(value: object) -> object:
    if isinstance(value, str):
        return text_cell(value)
    return f"{value:f}" if isinstance(value, Decimal) else value
