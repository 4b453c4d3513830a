"""Local calendars, the slow way: every bucket by walking local dates one at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
HALF_HOUR = timedelta(minutes=30)


@dataclass(frozen=True)
class Calendar:
    """`week_start` 0 is Monday; `fiscal_start_month` 1 is January."""

    zone: ZoneInfo
    week_start: int = 0
    fiscal_start_month: int = 1

    def day_of(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def hour_of(self, at: datetime) -> datetime:
        """The UTC instant at which the local hour of `at` starts."""
        local = at.astimezone(self.zone)
        into = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        return at.astimezone(UTC) - into

    def start_of(self, day: date) -> datetime:
        """The first instant of a local day, in UTC; where midnight is skipped, the instant of the skip."""
        return datetime.combine(day, time(), tzinfo=self.zone).astimezone(UTC)

    def hours(self, first: date, end: date) -> list[datetime]:
        """The UTC starts of the local hours of [first, end), found by walking half hours: none is shorter."""
        at, last = self.start_of(first), self.start_of(end)
        halves = range((last - at) // HALF_HOUR)
        return list(dict.fromkeys(self.hour_of(at + HALF_HOUR * n) for n in halves))

    def bucket_day(self, day: date, grain: str) -> date:
        """The first local day of the bucket that holds `day`."""
        if grain == "day":
            return day
        if grain == "week":
            while day.weekday() != self.week_start:
                day -= DAY
            return day
        if grain not in ("month", "quarter", "year"):
            raise ValueError(f"no such grain: {grain}")
        day = day.replace(day=1)
        months = {"month": 1, "quarter": 3, "year": 12}[grain]
        while (day.month - self.fiscal_start_month) % months != 0:
            day = (day - DAY).replace(day=1)
        return day

    def days(self, first: date, end: date) -> Iterator[date]:
        """Local days of [first, end)."""
        while first < end:
            yield first
            first += DAY

    def buckets(self, first: date, end: date, grain: str) -> dict[date, tuple[date, date]]:
        """Bucket's first day -> the part [a, b) of it that lies in [first, end)."""
        if grain == "total":
            return {first: (first, end)}
        parts: dict[date, tuple[date, date]] = {}
        for day in self.days(first, end):
            bucket = self.bucket_day(day, grain)
            begin = parts[bucket][0] if bucket in parts else day
            parts[bucket] = (begin, day + DAY)
        return parts
