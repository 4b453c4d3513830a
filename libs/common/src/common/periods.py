"""Spans of local days as people write them: a year, a quarter, a month, a day, or two of these with a slash between them."""

from __future__ import annotations

import datetime as dt
import re

Period = tuple[dt.date, dt.date]
"""First day, and the day after the last."""
FORMS = "2026, 2026-Q1, 2026-03, 2026-03-15, or a first and a last one as in 2026-03-01/2026-03-31"
_PERIOD = re.compile(r"([0-9]{4})(?:-Q([1-4])|-([0-9]{2})(?:-([0-9]{2}))?)?")
_MONTHS = 12
_DAY = dt.timedelta(days=1)


def period_named(text: str) -> Period | None:
    """None where the text is none of the forms, names a day that isn't, or ends before it begins."""
    first, slash, last = text.partition("/")
    start, end = _named(first), _named(last if slash else first)
    return (start[0], end[1]) if start and end and start[0] < end[1] else None


def _named(text: str) -> Period | None:
    match = _PERIOD.fullmatch(text.strip())
    if match is None:
        return None
    year, quarter, month, day = (None if part is None else int(part) for part in match.groups())
    try:
        if day is not None:
            first = dt.date(year or 0, month or 0, day)
            return first, first + _DAY
        months = 3 if quarter else _MONTHS if month is None else 1
        first = dt.date(year or 0, 3 * quarter - 2 if quarter else 1 if month is None else month, 1)
        following = first.month + months
        return first, dt.date(first.year + (following > _MONTHS), (following - 1) % _MONTHS + 1, 1)
    except (ValueError, OverflowError):
        return None
