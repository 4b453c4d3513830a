"""When people work: weekdays, public holidays, summers and the turn of the year, by region. A share of normal use, 0 to 1."""

from datetime import date, timedelta
from functools import cache
from types import MappingProxyType
from typing import Final

# Hours to add to UTC; every working day then lies within one UTC date.
UTC_OFFSET_HOURS: Final = MappingProxyType({"emea": 1, "amer": -5, "apac": 8})
_FIXED: Final = MappingProxyType(
    {
        "emea": ((1, 1), (5, 1), (12, 24), (12, 25), (12, 26), (12, 31)),
        "amer": ((1, 1), (7, 4), (12, 24), (12, 25), (12, 31)),
        "apac": ((1, 1), (5, 1), (12, 25)),
    }
)
# First days of the lunar new year; published tables, there is no short formula.
_LUNAR_NEW_YEAR: Final = (
    (2023, 1, 22), (2024, 2, 10), (2025, 1, 29), (2026, 2, 17), (2027, 2, 6), (2028, 1, 26), (2029, 2, 13),
    (2030, 2, 3), (2031, 1, 23), (2032, 2, 11), (2033, 1, 31), (2034, 2, 19), (2035, 2, 8),
)  # fmt: skip
_HOLIDAY_SHARE: Final = 0.05
_TURN_OF_YEAR_SHARE: Final = 0.6
_SUMMER_SHARE: Final = 0.8
_WEEKEND_SHARE: Final = 0.02


def share(region: str, day: date) -> float:
    """How much of normal use this day sees in this region."""
    if day.weekday() >= 5:
        return _WEEKEND_SHARE
    if day in holidays(region, day.year):
        return _HOLIDAY_SHARE
    if (day.month, day.day) >= (12, 22) or (day.month, day.day) <= (1, 3):
        return _TURN_OF_YEAR_SHARE
    if region == "emea" and (day.month == 8 or (day.month == 7 and day.day >= 20)):
        return _SUMMER_SHARE
    return 1.0


@cache
def holidays(region: str, year: int) -> frozenset[date]:
    days = {date(year, month, day) for month, day in _FIXED[region]}
    if region == "emea":
        days |= {easter(year) + timedelta(days=shift) for shift in (-2, 1, 39, 50)}
    if region == "amer":
        thanksgiving = _nth_weekday(year, 11, 3, 4)
        days |= {thanksgiving, thanksgiving + timedelta(days=1)}
        days |= {_nth_weekday(year, 1, 0, 3), _nth_weekday(year, 9, 0, 1)}
    if region == "apac":
        starts = [date(*found) for found in _LUNAR_NEW_YEAR if found[0] == year]
        days |= {start + timedelta(days=shift) for start in starts for shift in range(-1, 5)}
    return frozenset(days)


def easter(year: int) -> date:
    """Easter Sunday, by the anonymous Gregorian computus (Nature, 1876)."""
    golden, century, rest = year % 19, year // 100, year % 100
    correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - century // 4 - correction + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (rest // 4) - epact - rest % 4) % 7
    shift = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * shift + 114, 31)
    return date(year, month, day + 1)


def _nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))
