"""A tenant's context from the views of schema published: for figures of now and for replays of the past alike."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from common.catalogue.models import Catalogue
from common.context.quiet import Context, Known, Note
from common.tracking.reads import LEAST_SHARE
from common.tracking.verdicts import Broken
from common.tracking.windows import Span

Connection = psycopg.Connection[Any]

_ANNOTATED = """
select n.starts_at, n.ends_at, n.segments, coalesce(array_agg(a.account_id) filter (where a.account_id is not null), '{}'),
       n.segments = '{}' and n.accounts = '{}'
from published.annotation n left join published.account a on a.tenant_id = n.tenant_id and a.account = any(n.accounts)
where n.tenant_id = %s and n.kind in ('holiday', 'outage') and n.ends_at > %s and n.starts_at < %s
group by n.id, n.starts_at, n.ends_at, n.segments, n.accounts
"""
_SPELLS = """
select since, coalesce(until, %s), until is null, expected, seen, types, share, renamed_to from published.tracking_spell
where tenant_id = %s and coalesce(until, 'infinity') > %s
"""


def context_of(
    connection: Connection, tenant_id: int, catalogue: Catalogue, first: dt.datetime, now: dt.datetime
) -> tuple[Context, list[Broken]]:
    """What is known of [first, now], and what does not arrive now."""
    settings, last = catalogue.settings, now + dt.timedelta(days=2)
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
        tuple(notes(connection, tenant_id, first, last)),
        tuple(outages),
    )
    return Context(known), broken


def notes(connection: Connection, tenant_id: int, start: dt.datetime, end: dt.datetime) -> list[Note]:
    """Holidays and outages that people noted and that meet [start, end)."""
    rows = connection.execute(_ANNOTATED, (tenant_id, start, end)).fetchall()
    return [
        Note(Span(starts_at, ends_at), frozenset(segments), frozenset(accounts), of_everybody)
        for starts_at, ends_at, segments, accounts, of_everybody in rows
    ]
