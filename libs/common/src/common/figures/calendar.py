"""Local time of a tenant: where its hours, days, weeks, months and fiscal years begin, as UTC instants."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from common.catalogue.models import Settings

DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
_QUARTER_HOUR = dt.timedelta(minutes=15)  # every offset in use since 1972 is a multiple of it
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class Calendar:
    """`week_start` 0 is Monday. All instants in and out are aware; those out are UTC."""

    zone: ZoneInfo
    week_start: int = 0
    fiscal_start_month: int = 1

    @staticmethod
    def of(settings: Settings) -> Calendar:
        week_start = _WEEKDAYS.index(settings.week_start)
        return Calendar(ZoneInfo(settings.timezone), week_start, settings.fiscal_start_month)

    def day_of(self, at: dt.datetime) -> dt.date:
        return at.astimezone(self.zone).date()

    def day_start(self, day: dt.date) -> dt.datetime:
        """The first instant of a local day; where midnight is skipped, the instant of the skip."""
        return dt.datetime.combine(day, dt.time(), tzinfo=self.zone).astimezone(dt.UTC)

    def hour_start(self, at: dt.datetime) -> dt.datetime:
        """The instant at which the local hour of `at` starts, by the offset that holds at `at`."""
        local = at.astimezone(self.zone)
        into = dt.timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        return at.astimezone(dt.UTC) - into

    def next_hour(self, hour: dt.datetime) -> dt.datetime:
        """The start of the local hour after the one that starts at `hour`."""
        following = hour + HOUR
        if self._offset(hour) == self._offset(following):
            return following
        probe = hour + _QUARTER_HOUR  # a clock change of half an hour makes an hour short or long
        while self.hour_start(probe) <= hour:
            probe += _QUARTER_HOUR
        return self.hour_start(probe)

    def bucket_day(self, day: dt.date, grain: str) -> dt.date:
        """The first local day of the day, week, month, quarter or year that holds `day`."""
        if grain == "day":
            return day
        if grain == "week":
            return day - DAY * ((day.weekday() - self.week_start) % 7)
        months_into = (day.month - self.fiscal_start_month) % _MONTHS[grain]
        return add_months(day.replace(day=1), -months_into)

    def next_bucket_day(self, first: dt.date, grain: str) -> dt.date:
        """The first day of the bucket after the one that begins on `first`."""
        if grain == "day":
            return first + DAY
        return first + 7 * DAY if grain == "week" else add_months(first, _MONTHS[grain])

    def days_before(self, at: dt.datetime, days: int) -> dt.datetime:
        """The same local time so many local days earlier; of a midnight the day's first instant."""
        local = at.astimezone(self.zone)
        day = local.date() - DAY * days
        if at == self.day_start(local.date()):
            return self.day_start(day)
        there = dt.datetime.combine(day, local.time(), tzinfo=self.zone)
        return there.replace(fold=local.fold).astimezone(dt.UTC)

    def local(self, at: dt.datetime) -> str:
        """ISO 8601 in local time with its offset."""
        return at.astimezone(self.zone).isoformat()

    def _offset(self, at: dt.datetime) -> dt.timedelta | None:
        return at.astimezone(self.zone).utcoffset()


def add_months(day: dt.date, months: int) -> dt.date:
    """The same day of the month, or that month's last day where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    first = dt.date(year, month + 1, 1)
    last = (dt.date(year + (month == 11), (month + 1) % 12 + 1, 1) - DAY).day
    return first.replace(day=min(day.day, last))


def shift_months(day: dt.date, months: int) -> dt.date:
    """The same date of another month; the first of the one after it where it has no such day."""
    moved = add_months(day, months)
    return moved if moved.day == day.day else moved + DAY


def shift_years(day: dt.date, years: int) -> dt.date:
    """The same date in another year; 29 February becomes 1 March where there is none."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return dt.date(day.year + years, 3, 1)
