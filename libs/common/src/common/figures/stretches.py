"""A question over more buckets than are answered at once, cut into stretches that are answered one after the other. Pure.

Only hours and days can be so many. A stretch ends where a local day does, so no bucket is cut.
"""

from __future__ import annotations

from common.errors import Rejected
from common.figures.buckets import instant
from common.figures.calendar import DAY, Calendar
from common.figures.model import Grain, Moment

# At most 25 hours where the clock is put back, and by far under MAX_BUCKETS days however long or short they are.
DAYS = {"hour": 400, "day": 8_000}


def stretch(
    calendar: Calendar, start: Moment, end: Moment, grain: Grain, number: int
) -> tuple[Moment, Moment, bool]:
    """From, to, and whether more follow; `number` counts from 0. Raises Rejected beyond the last."""
    days = DAYS.get(grain)
    first, last = instant(calendar, start), instant(calendar, end)
    if days is None or first >= last:
        return _only(start, end, number)
    day = calendar.day_of(first)
    begins = calendar.day_start(day + number * days * DAY) if number else first
    ends = calendar.day_start(day + (number + 1) * days * DAY)
    if begins >= last:
        raise Rejected("cursor-invalid", "This cursor lies beyond the question; ask again without cursor")
    if number == 0 and ends >= last:
        return start, end, False
    return begins, min(ends, last), ends < last


def _only(start: Moment, end: Moment, number: int) -> tuple[Moment, Moment, bool]:
    if number:
        raise Rejected("cursor-invalid", "This cursor lies beyond the question; ask again without cursor")
    return start, end, False
