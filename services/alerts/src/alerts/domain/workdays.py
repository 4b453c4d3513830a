"""Working days of a zone: the company's weekdays without its holidays."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = timedelta(days=1)
_WEEK_OF_MOST = frozenset(range(5))
# Longer than any run of holidays: a calendar on which nobody ever works must not be searched for ever.
_MAX_SEARCHED_DAYS = 3_660


def weekday_numbers(names: Iterable[str]) -> frozenset[int]:
    return frozenset(WEEKDAYS.index(name) for name in names)


@dataclass(frozen=True)
class Calendar:
    """`weekdays` from 0, Monday; none at all counts as Monday to Friday, so that no deadline lies in eternity."""

    zone: ZoneInfo
    weekdays: frozenset[int] = _WEEK_OF_MOST
    holidays: frozenset[date] = frozenset()

    def day_of(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def works_on(self, day: date) -> bool:
        return day.weekday() in (self.weekdays or _WEEK_OF_MOST) and day not in self.holidays

    def after_working_days(self, at: datetime, days: int) -> datetime:
        """The end of the `days`-th whole working day that begins after `at`; `at` itself for none."""
        if days <= 0:
            return at
        return self.start_of(self.nth_working_day(self.day_of(at), days) + _DAY)

    def nth_working_day(self, day: date, number: int) -> date:
        """The `number`-th working day after `day`; `day` itself for 0."""
        left = number
        for _ in range(_MAX_SEARCHED_DAYS):
            if left <= 0:
                break
            day += _DAY
            left -= self.works_on(day)
        return day

    def start_of(self, day: date) -> datetime:
        return self.at(day, time(0))

    def at(self, day: date, clock: time) -> datetime:
        """That time of that day. Of a repeated time the first; a skipped one counts by the offset before the skip, so it comes after it."""
        return datetime.combine(day, clock, tzinfo=self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class MuteTime:
    """A weekly window by the wall clock. `weekdays`: on which it begins; it ends the next day where `ends` isn't after `begins`."""

    name: str
    weekdays: frozenset[int]
    begins: time
    ends: time
    hard_too: bool = False

    def covers(self, calendar: Calendar, now: datetime) -> bool:
        return self.until(calendar, now) is not None

    def until(self, calendar: Calendar, now: datetime) -> datetime | None:
        """When it ends, while it holds."""
        today = calendar.day_of(now)
        ends = (self._end(calendar, day, now) for day in (today, today - _DAY))
        return next((end for end in ends if end is not None), None)

    def _end(self, calendar: Calendar, day: date, now: datetime) -> datetime | None:
        """Of the window that begins on this day, when it holds now."""
        if day.weekday() not in self.weekdays:
            return None
        end = calendar.at(day if self.ends > self.begins else day + _DAY, self.ends)
        return end if calendar.at(day, self.begins) <= now < end else None


def muting(windows: Sequence[MuteTime], calendar: Calendar, now: datetime, *, hard: bool) -> MuteTime | None:
    """The first window that keeps news back now."""
    heard = (window for window in windows if window.hard_too or not hard)
    return next((window for window in heard if window.covers(calendar, now)), None)
