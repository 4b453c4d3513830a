"""When people of a country work: a share of normal use for every day, 0 to 1, as an array over the simulated days.

Weekends, public holidays on their dates (movable ones from published tables for the years that are simulated), the weeks in which a
country is away, and its summer. The depth of the dips is an assumption, within what the real activity shows (Christmas week at 0.57 of
an average one, Saturdays and Sundays at half of a weekday; companies work less at weekends than open-source projects do).
"""

from collections.abc import Iterable
from datetime import date, timedelta
from functools import cache
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Fifteen months before the judged year: an account's own last year is known, where it is old enough.
FIRST_DAY: Final = date(2024, 8, 1)
END: Final = date(2026, 11, 1)
DAYS: Final = (END - FIRST_DAY).days
JUDGED_FROM: Final = (date(2025, 11, 1) - FIRST_DAY).days
# Added to UTC; every working day then lies within one UTC date.
UTC_OFFSET_HOURS: Final = MappingProxyType(
    {"US": -5, "BR": -3, "GB": 0, "DE": 1, "FR": 1, "IT": 1, "SE": 1, "CN": 8, "JP": 9, "AU": 9}
)
COUNTRIES: Final = tuple(UTC_OFFSET_HOURS)
COUNTRY_WEIGHTS: Final = (0.3, 0.06, 0.13, 0.16, 0.09, 0.07, 0.06, 0.04, 0.06, 0.03)
WEEKEND_SHARE: Final = 0.04
HOLIDAY_SHARE: Final = 0.05

Days = tuple[tuple[int, int], tuple[int, int]]
# Public holidays of the simulated years, as (month, day); ranges are weeks in which most of the country is off.
_EASTER: Final = (date(2025, 4, 20), date(2026, 4, 5))
_FIXED: Final = MappingProxyType(
    {
        "US": ((1, 1), (7, 4), (12, 24), (12, 25)),
        "BR": ((1, 1), (4, 21), (5, 1), (9, 7), (10, 12), (11, 15), (12, 25)),
        "GB": ((1, 1), (12, 25), (12, 26)),
        "DE": ((1, 1), (5, 1), (10, 3), (12, 24), (12, 25), (12, 26)),
        "FR": ((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)),
        "IT": ((1, 1), (1, 6), (4, 25), (5, 1), (6, 2), (8, 15), (11, 1), (12, 8), (12, 25), (12, 26)),
        "SE": ((1, 1), (1, 6), (5, 1), (6, 6), (12, 24), (12, 25), (12, 26)),
        "CN": ((1, 1), (5, 1)),
        "JP": ((1, 1), (1, 2), (1, 3), (2, 11), (4, 29), (5, 3), (5, 4), (5, 5), (11, 3), (11, 23)),
        "AU": ((1, 1), (1, 26), (4, 25), (12, 25), (12, 26)),
    }
)
_OF_EASTER: Final = MappingProxyType(
    {"GB": (-2, 1), "DE": (-2, 1, 39, 50), "FR": (1, 39, 50), "IT": (1,), "SE": (-2, 1, 39), "BR": (-47, -2), "AU": (-2, 1)}
)  # fmt: skip
_DATED: Final = MappingProxyType(
    {
        "US": (
            (2024, 9, 2),
            (2024, 11, 28),
            (2024, 11, 29),
            (2025, 5, 26),
            (2025, 9, 1),
            (2025, 11, 27),
            (2025, 11, 28),
            (2026, 5, 25),
            (2026, 9, 7),
        ),
        "GB": (
            (2024, 8, 26),
            (2025, 5, 5),
            (2025, 5, 26),
            (2025, 8, 25),
            (2026, 5, 4),
            (2026, 5, 25),
            (2026, 8, 31),
        ),
    }
)
_NATIONAL_WEEKS: Final = MappingProxyType(
    {
        "CN": (
            ((2024, 10, 1), 7),
            ((2025, 1, 28), 8),
            ((2025, 10, 1), 8),
            ((2026, 2, 16), 8),
            ((2026, 10, 1), 7),
        ),
        "JP": (
            ((2024, 8, 13), 3),
            ((2025, 4, 29), 8),
            ((2025, 8, 13), 3),
            ((2026, 4, 29), 8),
            ((2026, 8, 13), 3),
        ),
        "BR": (((2025, 3, 1), 5), ((2026, 2, 14), 5)),
    }
)
# A share of normal use in the weeks in which many take their long leave: (from, to, share), of either year.
_SUMMER: Final = MappingProxyType(
    {
        "DE": ((7, 15), (8, 31), 0.78),
        "FR": ((8, 1), (8, 25), 0.5),
        "IT": ((8, 1), (8, 25), 0.45),
        "SE": ((7, 1), (8, 3), 0.45),
        "GB": ((7, 25), (8, 31), 0.85),
        "US": ((7, 1), (8, 20), 0.92),
    }
)
_TURN_OF_YEAR: Final = ((12, 22), (1, 4), 0.55)
# When companies of a country close altogether, those that do: (from, to) of a year.
CLOSURES: Final = MappingProxyType(
    {
        "SE": (((7, 6), (8, 2)), ((12, 22), (1, 6))),
        "IT": (((8, 3), (8, 23)), ((12, 23), (1, 6))),
        "FR": (((8, 3), (8, 23)), ((12, 24), (1, 2))),
        "DE": (((7, 27), (8, 14)), ((12, 20), (1, 6))),
        "CN": (((2, 9), (2, 24)), ((9, 28), (10, 9))),
        "JP": (((4, 27), (5, 8)), ((12, 27), (1, 5))),
        "US": (((12, 19), (1, 5)),),
        "GB": (((12, 19), (1, 5)),),
        "BR": (((12, 20), (1, 15)),),
        "AU": (((12, 19), (1, 12)),),
    }
)


def day_of(day: date) -> int:
    return (day - FIRST_DAY).days


def within(stretch: Days) -> list[tuple[int, int]]:
    """A stretch of (month, day) to (month, day), both included, as days [from, to) of every year that it touches."""
    (month, first), (last_month, last) = stretch
    found = []
    for year in range(FIRST_DAY.year - 1, END.year + 1):
        end_year = year + ((last_month, last) < (month, first))
        start, end = day_of(date(year, month, first)), day_of(date(end_year, last_month, last)) + 1
        if end > 0 and start < DAYS:
            found.append((max(start, 0), min(end, DAYS)))
    return found


@cache
def working(country: str) -> Floats:
    """The share of normal use that a country sees, day by day."""
    share = np.ones(DAYS)
    for first, last, level in [s for s in (_SUMMER.get(country), _TURN_OF_YEAR) if s]:
        for start, end in within((first, last)):
            share[start:end] = level
    for day in _holidays(country):
        if 0 <= day < DAYS:
            share[day] = HOLIDAY_SHARE
    weekday = (np.arange(DAYS) + FIRST_DAY.weekday()) % 7
    return np.where(weekday >= 5, np.minimum(share, WEEKEND_SHARE), share)


@cache
def away(country: str) -> npt.NDArray[np.bool_]:
    """Days on which a country, or much of it, is away: what a warning of fallen use may be due to."""
    found = np.zeros(DAYS, np.bool_)
    found[[day for day in _holidays(country) if 0 <= day < DAYS]] = True
    for first, last, level in [s for s in (_SUMMER.get(country), _TURN_OF_YEAR) if s]:
        for start, end in within((first, last)):
            found[start:end] |= level < 0.9
    return found


def _holidays(country: str) -> Iterable[int]:
    for year in range(FIRST_DAY.year, END.year + 1):
        yield from (day_of(date(year, month, day)) for month, day in _FIXED[country])
    for sunday in _EASTER:
        yield from (day_of(sunday + timedelta(days=shift)) for shift in _OF_EASTER.get(country, ()))
    yield from (day_of(date(*found)) for found in _DATED.get(country, ()))
    for first, length in _NATIONAL_WEEKS.get(country, ()):
        yield from (day_of(date(*first)) + shift for shift in range(length))
