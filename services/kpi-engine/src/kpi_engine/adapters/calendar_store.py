"""Times that are unusual for a whole tenant: its holidays, and what people said was an outage or a holiday."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from common.catalogue.models import Catalogue
from common.context.holidays import public_holidays
from common.tracking.windows import Span, local_days
from kpi_engine.ports.connection import Connection

_ANNOTATED = """
select starts_at, ends_at from published.annotation
where tenant_id = %s and kind in ('holiday', 'outage') and segments = '{}' and accounts = '{}' and ends_at > %s and starts_at < %s
"""


def calendar_of(
    connection: Connection, tenant_id: int, catalogue: Catalogue, start: datetime, end: datetime
) -> list[Span]:
    """Those that meet [start, end)."""
    rows = connection.execute(_ANNOTATED, (tenant_id, start, end)).fetchall()
    first, last = start.date() - timedelta(days=1), end.date() + timedelta(days=1)
    settings = catalogue.settings
    closed = {day for day in settings.business_hours.holidays if first <= day <= last}
    days = public_holidays(settings.holidays, first, last) | closed
    return [Span(*row) for row in rows] + local_days(sorted(days), ZoneInfo(settings.timezone))
