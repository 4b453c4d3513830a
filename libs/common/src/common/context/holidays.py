"""Public holidays by country and part of it, `DE` or `US-CA`, from the `holidays` library."""

import datetime as dt
from collections.abc import Iterable
from functools import cache


def unknown_calendars(codes: Iterable[str]) -> list[str]:
    """Those of which nothing is known."""
    return [code for code in codes if _of_year(code, 2026) is None]


def public_holidays(codes: Iterable[str], first: dt.date, last: dt.date) -> frozenset[dt.date]:
    """The days of [first, last] that are a public holiday in any of the calendars; unknown ones have none."""
    years = range(first.year, last.year + 1)
    days = {day for code in codes for year in years for day in _of_year(code, year) or ()}
    return frozenset(day for day in days if first <= day <= last)


@cache
def _of_year(code: str, year: int) -> frozenset[dt.date] | None:
    # Half a second that only those pay who name a calendar.
    import holidays

    country, _, part = code.partition("-")
    try:
        return frozenset(holidays.country_holidays(country, subdiv=part or None, years=year))
    except RuntimeError:  # its kind of error for a country or a part that it does not know
        return None
