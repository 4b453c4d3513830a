"""Days on which nobody expects an account to be there: its public holidays, what people said, and times in which nothing could arrive."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from common.context.holidays import public_holidays, unknown_calendars
from common.tracking.windows import Span

DAY = dt.timedelta(days=1)
# From this much of a day on, it is not taken for a day on which people could have come.
LEAST_OF_A_DAY = dt.timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Note:
    """What people said of a time (a holiday, an outage): of these accounts and segments, of everybody where it names neither."""

    span: Span
    segments: frozenset[str] = frozenset()
    accounts: frozenset[int] = frozenset()
    of_everybody: bool = True


@dataclass(frozen=True, slots=True)
class Known:
    """Of one tenant, over [first, last]: the calendars most of its accounts keep, what people said, when nothing could arrive."""

    zone: ZoneInfo
    first: dt.date
    last: dt.date
    calendars: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    outages: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Context:
    """Answers for one account after another; remembers what it worked out."""

    known: Known
    _days: dict[tuple[str, ...], frozenset[dt.date]] = field(default_factory=dict)

    def quiet(self, account_id: int, traits: Mapping[str, object]) -> frozenset[dt.date]:
        """The account's quiet days. `traits`: `country` names its calendar, `segment` what is said of its segment."""
        segment = str(traits.get("segment") or "")
        said = frozenset(
            day
            for note, days in self._notes()
            if note.of_everybody or segment in note.segments or account_id in note.accounts
            for day in days
        )
        return self._holidays(traits.get("country")) | said

    def _holidays(self, country: object) -> frozenset[dt.date]:
        own = (country,) if isinstance(country, str) and country else ()
        key = own if own and not unknown_calendars(own) else self.known.calendars
        if key not in self._days:
            known = self.known
            broken = (day for span in known.outages for day in days_of(span, known.zone))
            self._days[key] = public_holidays(key, known.first, known.last) | frozenset(broken)
        return self._days[key]

    def _notes(self) -> Iterable[tuple[Note, Collection[dt.date]]]:
        return ((note, days_of(note.span, self.known.zone)) for note in self.known.notes)


NOTHING = Context(Known(ZoneInfo("UTC"), dt.date.min, dt.date.min))


def days_of(span: Span, zone: ZoneInfo) -> list[dt.date]:
    """The local days of which enough lies within the span."""
    found, day = [], span.start.astimezone(zone).date()
    while day <= span.end.astimezone(zone).date():
        start, end = (dt.datetime.combine(at, dt.time(), zone).astimezone(dt.UTC) for at in (day, day + DAY))
        if min(end, span.end) - max(start, span.start) >= LEAST_OF_A_DAY:
            found.append(day)
        day += DAY
    return found


def quiet_between(quiet: Collection[dt.date], last_active: dt.date, today: dt.date) -> int:
    """How many of the days since somebody was there were quiet ones, today included."""
    return sum(1 for day in quiet if last_active < day <= today)
