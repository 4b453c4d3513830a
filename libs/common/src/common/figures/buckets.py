"""Which buckets a question has, what part of each it covers, and which buckets they are compared with. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from common.errors import Rejected
from common.figures.calendar import DAY, HOUR, Calendar, shift_months, shift_years
from common.figures.model import MAX_BUCKETS, Compare, Grain, Moment

Resolution = Literal["hour", "day", "instant"]
"""How finely a metric's measures are kept; the ends of a question are widened to it."""

_TICK = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Bucket:
    """`label`: local start of the whole bucket. `start`..`end`: the covered part, half-open, UTC; never empty."""

    label: str
    start: dt.datetime
    end: dt.datetime


def plan(
    calendar: Calendar, start: Moment, end: Moment, grain: Grain, resolution: Resolution
) -> list[Bucket]:
    """The buckets of [start, end), without gaps. Raises Rejected when there are none or far too many."""
    first, last = covered(calendar, start, end, resolution)
    _bound(first, last, grain)
    if grain == "total":
        return [Bucket(calendar.local(first), first, last)]
    starts = _hours(calendar, first, last) if grain == "hour" else _days(calendar, first, last, grain)
    ends = [*starts[1:], last]
    return [
        Bucket(calendar.local(whole), max(whole, first), min(following, last))
        for whole, following in zip(starts, ends, strict=True)
        if whole < following  # a day that a country left out begins where the next one does
    ]


def covered(
    calendar: Calendar, start: Moment, end: Moment, resolution: Resolution
) -> tuple[dt.datetime, dt.datetime]:
    """The ends of [start, end), widened to the metric's own buckets. Raises Rejected when nothing lies between them."""
    first, last = instant(calendar, start), instant(calendar, end)
    if first >= last:
        raise Rejected("range-empty", _why_empty(calendar, start, end))
    return _widened(calendar, first, last, resolution)


def _why_empty(calendar: Calendar, start: Moment, end: Moment) -> str:
    if isinstance(start, dt.datetime) or isinstance(end, dt.datetime) or start >= end:
        return "from must lie before to; to is not part of the range"
    return (
        f"{start} does not exist in {calendar.zone}: its clocks left that day out, so nothing can have happened on it; "
        f"ask for a range that holds another day, such as from {start - DAY} to {end} or from {start} to {end + DAY}"
    )


def sample_day(calendar: Calendar, bucket: Bucket, now: dt.datetime) -> dt.date | None:
    """The local day whose rolling figures stand for the bucket: its last, today while it lasts, none before it began."""
    if bucket.start > now:
        return None
    last = calendar.day_of(bucket.end - _TICK)
    return last if bucket.end <= now else min(last, calendar.day_of(now))


def state_at(bucket: Bucket, now: dt.datetime) -> dt.datetime | None:
    """The instant whose state stands for the bucket: its end, now while it lasts, none before it began."""
    return None if bucket.start > now else min(bucket.end, now)


def compared(
    calendar: Calendar,
    buckets: Sequence[Bucket],
    grain: Grain,
    compare: Compare,
    whole: tuple[dt.datetime, dt.datetime] | None = None,
) -> list[Bucket | None]:
    """For each bucket the one it is compared with; None where the other year has no such bucket.

    `whole`: the ends of the range that hours or days are a stretch of.
    """
    if compare == "previous_year":
        moved = _year_back(calendar, grain)
    else:
        ends = whole or (buckets[0].start, buckets[-1].end)
        moved = _period_back(calendar, len(buckets), ends, grain)
    return [_moved(calendar, bucket, moved, grain) for bucket in buckets]


def instant(calendar: Calendar, at: Moment) -> dt.datetime:
    """Of a date the start of that local day."""
    return at.astimezone(dt.UTC) if isinstance(at, dt.datetime) else calendar.day_start(at)


def _widened(
    calendar: Calendar, first: dt.datetime, last: dt.datetime, resolution: Resolution
) -> tuple[dt.datetime, dt.datetime]:
    """`first` back and `last` forward to where the metric's own buckets begin."""
    if resolution == "instant":
        return first, last
    if resolution == "hour":
        hour = calendar.hour_start(last)
        return calendar.hour_start(first), last if hour == last else calendar.next_hour(hour)
    day = calendar.day_of(last - _TICK)
    return calendar.day_start(calendar.day_of(first)), calendar.day_start(day + DAY)


_LEAST_SECONDS = {
    "hour": 1800,
    "day": 72_000,
    "week": 590_000,
    "month": 2_400_000,
    "quarter": 7_500_000,
    "year": 31_000_000,
}


def _bound(first: dt.datetime, last: dt.datetime, grain: Grain) -> None:
    """Refuses before anything is built; half an hour is the shortest hour of a clock change."""
    if grain == "total":
        return
    seconds = HOUR.total_seconds() if grain == "hour" else _LEAST_SECONDS[grain]
    if (last - first).total_seconds() / seconds > MAX_BUCKETS:
        raise Rejected(
            "buckets-too-many",
            f"from..to has more than {MAX_BUCKETS} buckets of grain {grain}; ask for a shorter range or a coarser grain",
        )


def _hours(calendar: Calendar, first: dt.datetime, last: dt.datetime) -> list[dt.datetime]:
    starts = [calendar.hour_start(first)]
    while (following := calendar.next_hour(starts[-1])) < last:
        starts.append(following)
    return starts


def _days(calendar: Calendar, first: dt.datetime, last: dt.datetime, grain: Grain) -> list[dt.datetime]:
    day = calendar.bucket_day(calendar.day_of(first), grain)
    starts = []
    while (start := calendar.day_start(day)) < last:
        starts.append(start)
        day = calendar.next_bucket_day(day, grain)
    return starts


Shift = Callable[[dt.datetime], dt.datetime]


def _by_day(calendar: Calendar, shift: Callable[[dt.date], dt.date]) -> Shift:
    """The same local time of day on the day that `shift` gives."""

    def moved(at: dt.datetime) -> dt.datetime:
        local = at.astimezone(calendar.zone)
        if at == calendar.day_start(local.date()):
            return calendar.day_start(shift(local.date()))
        there = dt.datetime.combine(shift(local.date()), local.time(), tzinfo=calendar.zone)
        return there.replace(fold=local.fold).astimezone(dt.UTC)

    return moved


def _year_back(calendar: Calendar, grain: Grain) -> Shift:
    """Weeks go back 52 weeks, so that weekdays meet; everything else goes to the same date."""
    if grain == "week":
        return _by_day(calendar, lambda day: day - 364 * DAY)
    return _by_day(calendar, lambda day: shift_years(day, -1))


def _period_back(
    calendar: Calendar, buckets: int, ends: tuple[dt.datetime, dt.datetime], grain: Grain
) -> Shift:
    """As far back as the range is long: in buckets of its grain; a total in whole months or days where it is made of them."""
    months = {"month": 1, "quarter": 3, "year": 12}.get(grain)
    if months is not None:
        return _by_day(calendar, lambda day: shift_months(day, -months * buckets))
    if grain == "week":
        return _by_day(calendar, lambda day: day - 7 * DAY * buckets)
    start, end = ends
    first, last = calendar.day_of(start), calendar.day_of(end)
    if start != calendar.day_start(first) or end != calendar.day_start(last):
        return lambda at: at - (end - start)
    if grain == "total" and first.day == last.day == 1:
        span = (last.year - first.year) * 12 + last.month - first.month
        return _by_day(calendar, lambda day: shift_months(day, -span))
    return _by_day(calendar, lambda day: day - (last - first))


def _moved(calendar: Calendar, bucket: Bucket, shift: Shift, grain: Grain) -> Bucket | None:
    day = calendar.day_of(bucket.start)
    start, end = shift(bucket.start), shift(bucket.end)
    if grain in ("hour", "day"):
        if shift(calendar.day_start(day)) == shift(calendar.day_start(day + DAY)):
            return None  # 29 February: that date of the other year belongs to 1 March
        if grain == "hour":
            end = start + (bucket.end - bucket.start)
        elif bucket.end == calendar.day_start(day + DAY):
            end = calendar.day_start(
                calendar.day_of(start) + DAY
            )  # 28 February is one day, also before a leap day
    return Bucket(calendar.local(start), start, end) if start < end else None
