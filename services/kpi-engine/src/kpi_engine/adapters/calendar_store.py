"""What is known of a tenant's times: its holidays, what people said was an outage or a holiday, and when events did not arrive."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from common.catalogue.models import Catalogue
from common.context.holidays import public_holidays
from common.context.reading import context_of, notes
from common.tracking.reads import of_condition
from common.tracking.windows import Span, local_days
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.state import Surroundings

# What somebody declares now counts within this time.
FRESH = timedelta(seconds=60)
# Further back nobody asks whether a day was quiet: signals compare with less than half a year, and with the same weeks of the year before.
LOOK_BACK = timedelta(days=500)


@dataclass(frozen=True, slots=True)
class _Remembered:
    day: date
    until: datetime
    catalogue: Catalogue
    surroundings: Surroundings


class CalendarStore:
    """Reads each tenant's once a minute."""

    def __init__(self) -> None:
        self._known: dict[int, _Remembered] = {}

    def surroundings(
        self, connection: Connection, tenant_id: int, catalogue: Catalogue, now: datetime
    ) -> Surroundings:
        today = now.astimezone(ZoneInfo(catalogue.settings.timezone)).date()
        known = self._known.get(tenant_id)
        if known is None or known.day != today or known.catalogue is not catalogue or now >= known.until:
            found = _read(connection, tenant_id, catalogue, now)
            known = self._known[tenant_id] = _Remembered(today, now + FRESH, catalogue, found)
        return known.surroundings


def _read(connection: Connection, tenant_id: int, catalogue: Catalogue, now: datetime) -> Surroundings:
    context, broken = context_of(connection, tenant_id, catalogue, now - LOOK_BACK, now)
    stale = (
        (profile.name, one.name)
        for profile in (catalogue.health.values() if broken else ())
        for one in profile.inputs
        if of_condition(catalogue, one.value).is_hit(broken)
    )
    return Surroundings(context, tuple(broken), frozenset(stale))


def unusual_times(
    connection: Connection, tenant_id: int, catalogue: Catalogue, start: datetime, end: datetime
) -> list[Span]:
    """Of the tenant as a whole, those that meet [start, end): days on which it is closed or most accounts are, and what people said of all."""
    first, last = start.date() - timedelta(days=1), end.date() + timedelta(days=1)
    settings = catalogue.settings
    closed = {day for day in settings.business_hours.holidays if first <= day <= last}
    days = public_holidays(settings.holidays, first, last) | closed
    said = [note.span for note in notes(connection, tenant_id, start, end) if note.of_everybody]
    return said + local_days(sorted(days), ZoneInfo(settings.timezone))
