"""How long the office was open between two instants: business hours of a zone, exact over clock changes. Pure."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from common.catalogue.models import Settings
from common.figures.calendar import DAY
from common.figures.instants import micros

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Office:
    """Opening hours by the wall clock: an hour that the clock skips is not worked, one that it repeats is worked twice."""

    def __init__(self, settings: Settings, first: dt.datetime, last: dt.datetime) -> None:
        """Knows the hours from `first` to `last`; instants outside count as these."""
        self._opens: list[int] = []
        self._closes: list[int] = []
        self._before: list[int] = []
        total = 0
        for opens, closes in _openings(settings, first, last):
            self._opens.append(opens)
            self._closes.append(closes)
            self._before.append(total)
            total += closes - opens

    def until(self, at_us: int) -> int:
        """Microseconds open before an instant, itself in microseconds; two of these apart is how long it was open between."""
        last = bisect_right(self._opens, at_us) - 1
        if last < 0:
            return 0
        closes = self._closes[last]
        return self._before[last] + (min(closes, at_us)) - self._opens[last]

    def between(self, start: dt.datetime, end: dt.datetime) -> int:
        """Microseconds open in [start, end); 0 where `end` isn't after `start`."""
        return max(0, self.until(micros(end)) - self.until(micros(start)))


def _openings(settings: Settings, first: dt.datetime, last: dt.datetime) -> Iterator[tuple[int, int]]:
    zone = ZoneInfo(settings.timezone)
    hours = settings.business_hours
    by_weekday = {_DAYS.index(day): openings for day, openings in hours.days.items()}
    closed = set(hours.holidays)
    day = first.astimezone(zone).date() - DAY
    while day <= last.astimezone(zone).date() + DAY:
        for opening in () if day in closed else by_weekday.get(day.weekday(), ()):
            start, _, end = opening.partition("-")
            opens, closes = _instant(day, start, zone), _instant(day, end, zone)
            if opens < closes:
                yield opens, closes
        day += DAY


def _instant(day: dt.date, text: str, zone: ZoneInfo) -> int:
    """Of a repeated time the first one; a skipped one by the offset before the skip."""
    if text == "24:00":
        day, text = day + DAY, "00:00"
    local = dt.datetime.combine(day, dt.time.fromisoformat(text), tzinfo=zone)
    return micros(local.astimezone(dt.UTC))
