"""What is known of a tenant's times: its holidays, what people said was an outage or a holiday, and when events did not arrive."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from common.catalogue.models import Catalogue
from common.context.holidays import public_holidays
from common.context.quiet import Context, Known, Note
from common.tracking.reads import LEAST_SHARE, of_condition
from common.tracking.verdicts import Broken
from common.tracking.windows import Span, local_days
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.state import Surroundings

# What somebody declares now counts within this time.
FRESH = timedelta(seconds=60)
# Further back nobody asks whether a day was quiet: signals compare with at most half a year.
LOOK_BACK = timedelta(days=400)

_ANNOTATED = """
select n.starts_at, n.ends_at, n.segments, coalesce(array_agg(a.id) filter (where a.id is not null), '{}'), n.segments = '{}' and n.accounts = '{}'
from published.annotation n left join engine.account a on a.tenant_id = n.tenant_id and a.name = any(n.accounts)
where n.tenant_id = %s and n.kind in ('holiday', 'outage') and n.ends_at > %s and n.starts_at < %s
group by n.id, n.starts_at, n.ends_at, n.segments, n.accounts
"""
_SPELLS = """
select since, coalesce(until, %s), until is null, expected, seen, types, share, renamed_to from engine.tracking_spell
where tenant_id = %s and coalesce(until, 'infinity') > %s
"""


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
    settings, first, last = catalogue.settings, now - LOOK_BACK, now + timedelta(days=2)
    outages, broken = [], []
    for since, until, is_open, expected, seen, types, share, renamed_to in connection.execute(
        _SPELLS, (now, tenant_id, first)
    ):
        if is_open:
            broken.append(Broken(since, expected, seen, tuple(types), share, renamed_to))
        if share >= LEAST_SHARE and renamed_to is None and any(catalogue.is_activity(kind) for kind in types):
            outages.append(Span(since, until))
    known = Known(
        ZoneInfo(settings.timezone),
        first.date(),
        last.date(),
        settings.holidays,
        tuple(_notes(connection, tenant_id, first, last)),
        tuple(outages),
    )
    stale = (
        (profile.name, one.name)
        for profile in (catalogue.health.values() if broken else ())
        for one in profile.inputs
        if of_condition(catalogue, one.value).is_hit(broken)
    )
    return Surroundings(Context(known), tuple(broken), frozenset(stale))


def _notes(connection: Connection, tenant_id: int, start: datetime, end: datetime) -> list[Note]:
    rows = connection.execute(_ANNOTATED, (tenant_id, start, end)).fetchall()
    return [
        Note(Span(starts_at, ends_at), frozenset(segments), frozenset(accounts), of_everybody)
        for starts_at, ends_at, segments, accounts, of_everybody in rows
    ]


def unusual_times(
    connection: Connection, tenant_id: int, catalogue: Catalogue, start: datetime, end: datetime
) -> list[Span]:
    """Of the tenant as a whole, those that meet [start, end): days on which it is closed or most accounts are, and what people said of all."""
    first, last = start.date() - timedelta(days=1), end.date() + timedelta(days=1)
    settings = catalogue.settings
    closed = {day for day in settings.business_hours.holidays if first <= day <= last}
    days = public_holidays(settings.holidays, first, last) | closed
    said = [note.span for note in _notes(connection, tenant_id, start, end) if note.of_everybody]
    return said + local_days(sorted(days), ZoneInfo(settings.timezone))
