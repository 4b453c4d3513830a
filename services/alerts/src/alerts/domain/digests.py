"""When somebody's morning digest is due: once a working day, in their own zone, at their own hour."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from alerts.domain.workdays import Calendar

MAX_MISSED = timedelta(days=31)


@dataclass(frozen=True)
class Morning:
    """Somebody's mornings. `owner` None: accounts that nobody looks after."""

    owner: str | None
    calendar: Calendar
    at: time


@dataclass(frozen=True, slots=True)
class Due:
    """A local day whose digest is due, and the instant at which its morning began: what came later is told the next day."""

    day: date
    began_at: datetime


def due_on(morning: Morning, made: Collection[date], now: datetime, *, away: bool) -> Due | None:
    """From its hour on until the day ends, if it wasn't made yet.

    A day off, a holiday or a day of leave has none, and none is made up for: what was to be said is said on the next morning, also after an outage
    that took the whole day (`missed_before`). A clock that is
    put back or forward repeats nothing: what counts is the local day. An hour that a clock change skips comes when the clock has passed it.
    """
    day = morning.calendar.day_of(now)
    if away or day in made or not morning.calendar.works_on(day):
        return None
    began_at = morning.calendar.at(day, morning.at)
    return Due(day, began_at) if now >= began_at else None


def missed_before(
    due: Due,
    last: date,
    morning: Morning,
    made: Collection[date],
    open_since: datetime,
    away: Callable[[datetime], bool],
) -> list[date]:
    """Working days since the `last` digest on which there was something to tell, and no digest: we were not there.

    `made`: days that nothing is said about. `open_since`: since when a case of this digest is open.
    """
    found = []
    # Further back nobody remembers that there should have been one.
    day = max(last, due.day - MAX_MISSED) + timedelta(days=1)
    while day < due.day:
        began_at = morning.calendar.at(day, morning.at)
        if (
            day not in made
            and morning.calendar.works_on(day)
            and open_since <= began_at
            and not away(began_at)
        ):
            found.append(day)
        day += timedelta(days=1)
    return found
