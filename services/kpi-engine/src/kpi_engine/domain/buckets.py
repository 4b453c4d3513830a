"""Local hours and days of many instants at once.

Instants are int64 microseconds since 1970 (UTC); days are int32 days since 1970-01-01 of the local calendar.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from common.contracts import instants

Instants = npt.NDArray[np.int64]
Days = npt.NDArray[np.int64]

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Around every time that an event may have.
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1)
# 14 years of hours are 123,000; a first load in any order must not look each of them up again and again.
_CACHED_HOURS = 200_000
# No zone has an offset of this size.
_MIXED = np.iinfo(np.int64).max


def day_number(day: date) -> int:
    return (day - _EPOCH_DAY).days


def day_of_number(number: int) -> date:
    return _EPOCH_DAY + timedelta(days=number)


def instant(at_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_us)


def instant_of(text: str) -> datetime:
    """An RFC 3339 time in UTC. ValueError where it names no zone."""
    return instants.instant_of(text).astimezone(UTC)


class LocalTime:
    """One zone's calendar. Equal in every answer to asking zoneinfo for each instant, at a fraction of the price."""

    def __init__(self, zone_name: str) -> None:
        self._zone = ZoneInfo(zone_name)
        self._hours: dict[int, int] = {}

    def days(self, at_us: Instants) -> Days:
        """The local date of each instant."""
        return (at_us + self.offsets(at_us)) // DAY_US

    def hours(self, at_us: Instants) -> Instants:
        """The UTC instant at which the local hour of each instant starts: minutes and seconds of the wall clock taken off."""
        return at_us - (at_us + self.offsets(at_us)) % HOUR_US

    def day_at(self, at: datetime) -> date:
        return at.astimezone(self._zone).date()

    def start_of(self, day: date) -> datetime:
        """The first instant of a local day in UTC; where midnight is skipped, the instant of the skip."""
        return datetime(day.year, day.month, day.day, tzinfo=self._zone).astimezone(UTC)

    def next_midnight(self, at: datetime) -> datetime:
        """The first instant of the local day after that of `at`."""
        return self.start_of(self.day_at(at) + timedelta(days=1))

    def offsets(self, at_us: Instants) -> Instants:
        """Microseconds that local time is ahead of UTC at each instant."""
        hours = at_us // HOUR_US
        first = int(hours.min()) if len(hours) else 0
        span = int(hours.max()) - first + 1 if len(hours) else 0
        if span <= len(hours) + 1024:
            # The usual case, hours close together: counting beats sorting.
            present = np.flatnonzero(np.bincount(hours - first, minlength=span)) + first
            table = np.zeros(span, np.int64)
            table[present - first] = self._of_hours(present)
            offsets = table[hours - first]
        else:
            unique, inverse = np.unique(hours, return_inverse=True)
            offsets = self._of_hours(unique)[inverse]
        for index in np.flatnonzero(offsets == _MIXED):
            offsets[index] = self._offset(int(at_us[index]))
        return offsets

    def _of_hours(self, hours: Instants) -> Instants:
        if len(self._hours) > _CACHED_HOURS:
            self._hours.clear()
        return np.fromiter((self._of_hour(hour) for hour in hours.tolist()), np.int64, len(hours))

    def _of_hour(self, hour: int) -> int:
        """The offset all through this UTC hour, or _MIXED where a clock change lies inside it.

        No zone changed its clocks and changed them back within an hour, so equal ends mean one offset.
        """
        known = self._hours.get(hour)
        if known is None:
            start = self._offset(hour * HOUR_US)
            known = start if start == self._offset((hour + 1) * HOUR_US - 1) else int(_MIXED)
            self._hours[hour] = known
        return known

    def _offset(self, at_us: int) -> int:
        offset = instant(at_us).astimezone(self._zone).utcoffset()
        assert offset is not None
        return offset // timedelta(microseconds=1)
