"""One training: from a tenant's past in the database to a model, or to the reason why there is none."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import psycopg

from common.catalogue.models import Catalogue
from common.contracts.known import KnownCounts
from common.errors import Rejected
from common.risk.months import histories, month_starts
from common.risk.reading import Read, read
from common.risk.score import compiled
from common.risk.training import LEAST_CHURNS, Training, refused, train

# Trends compare 56 days; before these there is nothing to learn from.
_BEGINNING: Final = dt.timedelta(days=56)
# Whoever left gave notice or let a term lapse.
_MOST_CHURNS = """
select (select count(*) from published.subscription_change where tenant_id = %(tenant)s and kind = 'cancelled')
     + (select count(*) from published.renewal where tenant_id = %(tenant)s and renewed = 0)
"""
# A load brings a past that no training has seen; while one runs, or is not in the figures yet, half of the past is missing.
_DUE = """
select t.id from control.tenant t
where not exists (select from published.settling s where s.tenant_id = t.id)
  and exists (select from control.definition d where d.tenant_id = t.id)
  and exists (select from published.subscription_change c where c.tenant_id = t.id)
  and not exists (
    select from control.risk_model m where m.tenant_id = t.id and m.made_at > %(now)s - make_interval(secs => %(seconds)s)
      and m.made_at > coalesce((select max(coalesce(l.ended_at, l.heartbeat_at)) from control.load l where l.tenant_id = t.id), '-infinity')
  )
order by t.id
"""


def due(conn: psycopg.Connection[Any], every: dt.timedelta, now: dt.datetime) -> list[int]:
    """Tenants that were last trained longer ago than `every`, or before history that was loaded since, or never; in order."""
    parameters = {"now": now, "seconds": every.total_seconds()}
    return [tenant for (tenant,) in conn.execute(_DUE, parameters)]


def learn(
    conn: psycopg.Connection[Any], tenant_id: int, catalogue: Catalogue, now: dt.datetime
) -> tuple[Training, KnownCounts]:
    """What comes of a training now. Events are read only where as many accounts may have left as a model needs."""
    row = conn.execute(_MOST_CHURNS, {"tenant": tenant_id}).fetchone()
    most = 0 if row is None else int(row[0])
    if most < LEAST_CHURNS:
        return refused(
            f"too few churns to learn from: at most {most} of at least {LEAST_CHURNS}"
        ), KnownCounts()
    try:
        found = read(conn, tenant_id, catalogue)
    except Rejected as rejected:
        return refused(rejected.message), KnownCounts()
    if found is None:
        return refused("no events are kept to learn from"), KnownCounts()
    return _trained(found, catalogue, now), found.known


def _trained(found: Read, catalogue: Catalogue, now: dt.datetime) -> Training:
    starts = month_starts(found.first_at + _BEGINNING, now, found.past.zone)
    score = compiled(catalogue.risk.values(), catalogue.risk_settings, catalogue.version)
    months, renewals = histories(found.past, starts, score, found.scores, now)
    return train(months, renewals)
