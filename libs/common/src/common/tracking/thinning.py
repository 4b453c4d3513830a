"""Whether less is told of people who are there, from what happened on each local day and how many people it was.

When events get lost on their way, the people stay: each does less than ever, and nearly all are seen. On a day off, in a summer, after a loss
of customers, people are missing, and those who are there do what they do. So much is lost only where it is both: fewer than half of the
events of the lowest week, by as many people. Where people do a thing or two a day, losing events loses the people with them, and this says
nothing: that looks like a quiet day, and may be one.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from common.tracking.windows import LEAST_WEEKS, LOOK_BACK_WEEKS, WEEKS, Span, local_days

DAY = dt.timedelta(days=1)
# Fewer people on the lowest day are too few to be as many.
LEAST_PEOPLE, STILL_THERE = 20, 0.85
LESS = 0.5
# A fault is traced back this far.
MOST_DAYS = 7


@dataclass(frozen=True, slots=True)
class Days:
    """By local day: events, and distinct people who did something."""

    events: Mapping[dt.date, int] = field(default_factory=dict)
    people: Mapping[dt.date, int] = field(default_factory=dict)


def thin_since(
    days: Days, until: dt.datetime, zone: ZoneInfo, unusual: Collection[Span]
) -> dt.datetime | None:
    """When the first of the days began that are thin without a gap, the last one that is over among them; None where that one isn't."""
    last = until.astimezone(zone).date() - DAY
    since: dt.date | None = None
    for back in range(MOST_DAYS):
        thin = _is_thin(days, last - back * DAY, zone, unusual)
        if thin is False:
            break
        since = last - back * DAY if thin else since
        if since is None:
            return None
    return None if since is None else local_days([since], zone)[0].start


def _is_thin(days: Days, day: dt.date, zone: ZoneInfo, unusual: Collection[Span]) -> bool | None:
    """None where the day can't be told: it is no usual one, or too few come on it."""
    if _is_unusual(day, zone, unusual):
        return None
    before = (day - week * 7 * DAY for week in range(1, LOOK_BACK_WEEKS + 1))
    weeks = [one for one in before if one in days.events and not _is_unusual(one, zone, unusual)][:WEEKS]
    people = min((days.people.get(one, 0) for one in weeks), default=0)
    if len(weeks) < LEAST_WEEKS or people < LEAST_PEOPLE:
        return None
    is_less = days.events.get(day, 0) < LESS * min(days.events[one] for one in weeks)
    return is_less and days.people.get(day, 0) >= STILL_THERE * people


def _is_unusual(day: dt.date, zone: ZoneInfo, unusual: Collection[Span]) -> bool:
    return local_days([day], zone)[0].meets(unusual)
