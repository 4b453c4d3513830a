"""Which hours are compared with which: a stretch of finished hours, and the same hours of the week in the weeks before."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

HOUR = dt.timedelta(hours=1)
WEEK = dt.timedelta(days=7)
# How long a stretch may be, in hours. Long ones serve tenants of which few accounts send little.
STRETCHES = (1, 2, 4, 8, 24, 48, 72)
PIECE_HOURS = 24
# So many of the last weeks are compared with, and fewer where holidays or outages took some.
WEEKS, LEAST_WEEKS = 6, 3
LOOK_BACK_WEEKS = 8
# What comes an hour earlier or later than it did, as around a change of clocks on either side, has not stopped.
SHIFTS = (-1, 0, 1)


@dataclass(frozen=True, slots=True)
class Span:
    """Of time: [start, end)."""

    start: dt.datetime
    end: dt.datetime

    def meets(self, others: Collection["Span"]) -> bool:
        return any(self.start < other.end and other.start < self.end for other in others)


def same_hours(now: Span, week: int, zone: ZoneInfo) -> Span:
    """`week` weeks earlier by the clocks on the wall in `zone`, on whole hours of UTC."""
    local = now.end.astimezone(zone).replace(tzinfo=None) - week * WEEK
    end = local.replace(tzinfo=zone).astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)
    return Span(end - (now.end - now.start), end)


def weeks_before(now: Span, zone: ZoneInfo, known_from: dt.datetime, unusual: Collection[Span]) -> list[Span]:
    """The latest weeks to compare with: since something is known at all, none of which `unusual` times touch."""
    found = (same_hours(now, week, zone) for week in range(1, LOOK_BACK_WEEKS + 1))
    fit = [span for span in found if span.start - HOUR >= known_from and not span.meets(unusual)]
    return fit[:WEEKS]


def local_days(days: Sequence[dt.date], zone: ZoneInfo) -> list[Span]:
    """Whole local days as spans."""
    return [Span(_midnight(day, zone), _midnight(day + dt.timedelta(days=1), zone)) for day in days]


def _midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)
