"""When each account was heard of, and last active."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import numpy as np
import numpy.typing as npt

from kpi_engine.adapters.arrays import Instants, Int8s
from kpi_engine.adapters.presence_store import ACCOUNT_ITSELF
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.domain.buckets import instant
from kpi_engine.domain.heard import NEVER_US, Heard
from kpi_engine.domain.plan import Plan
from kpi_engine.ports.connection import Connection

Int64s = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

# nullif takes out again what stands for "never".
_UPSERT = """
insert into engine.account_seen as kept
  (account_id, tenant_id, first_event_at, last_event_at, last_activity_at, newest_ingest_at)
select a, %(tenant_id)s, f, l, nullif(v, %(never)s), nullif(i, %(never)s)
from unnest(%(accounts)s::int8[], %(first)s, %(last)s, %(activity)s, %(ingested)s) as t(a, f, l, v, i)
on conflict (account_id) do update set
  first_event_at = least(kept.first_event_at, excluded.first_event_at),
  last_event_at = greatest(kept.last_event_at, excluded.last_event_at),
  last_activity_at = greatest(kept.last_activity_at, excluded.last_activity_at),
  newest_ingest_at = greatest(kept.newest_ingest_at, excluded.newest_ingest_at)
"""
# Days on which accounts were active outlive the events that say so.
_LAST_DAYS = """
select a.id, max(p.day) from unnest(%(accounts)s::int8[]) as a(id)
join engine.presence p on p.measure_id = any(%(measures)s) and p.account_id = a.id and p.person_id = %(itself)s group by a.id
"""
# Types that aren't activity are the ones that are listed: unknown types are activity. What was before raw events were kept stays, where
# `unknown_before` says that nobody can tell any more what it was.
_RECOUNT = """
update engine.account_seen as kept set last_activity_at = coalesce(
  greatest((
    select max(r.event_at) from published.raw_event r left join engine.person p on p.id = r.person_id
    where r.chunk_accounts @> array[kept.account_id] and r.account_id = kept.account_id
      and r.chunk_event_to >= coalesce(known.since, '-infinity') and r.event_at >= coalesce(known.since, '-infinity')
      and r.type <> all(%(passive)s::text[]) and not coalesce(p.is_internal, false)
  ), known.since),
  case when kept.last_activity_at < %(unknown_before)s then kept.last_activity_at end)
from unnest(%(accounts)s::int8[], %(since)s::timestamptz[]) as known(account_id, since)
where kept.tenant_id = %(tenant_id)s and kept.account_id = known.account_id
"""

# Only where a removed event stood at an end of what is known: anything else leaves the ends where they are.
_ENDED = """
select kept.account_id from engine.account_seen kept
join unnest(%(accounts)s::int8[], %(at)s, %(ingested)s, %(active)s::bool[]) as r(account, at, ingested, active) on r.account = kept.account_id
where r.at in (kept.first_event_at, kept.last_event_at) or r.ingested = kept.newest_ingest_at
   or (r.active and r.at = kept.last_activity_at)
"""
# Of an account that was heard of before raw events were dropped, more happened than is kept: it stays, and the latest that can have
# been is as of when they were dropped.
_RECOUNT_ALL = """
with dropped as (
  select s.account_id, s.first_event_at, r.raw_from from engine.account_seen s
  join engine.retained r on r.tenant_id = s.tenant_id and r.raw_from > s.first_event_at where s.account_id = any(%(ended)s)
), known as (
  select account_id, min(first) as first, max(last) as last, max(ingested) as ingested from (
  select r.account_id, min(r.event_at) as first, max(r.event_at) as last, max(r.ingested_at) as ingested
  from published.raw_event r
  where r.tenant_id = %(tenant_id)s and r.chunk_accounts && %(ended)s::int8[] and r.account_id = any(%(ended)s) group by 1
  union all select account_id, first_event_at, raw_from, raw_from from dropped
  ) every group by 1
), gone as (
  delete from engine.account_seen where account_id = any(%(ended)s) and account_id not in (select account_id from known)
)
update engine.account_seen as kept
set first_event_at = known.first, last_event_at = known.last, newest_ingest_at = known.ingested
from known where known.account_id = kept.account_id
"""


def put(conn: Connection, tenant_id: int, heard: Heard) -> None:
    """Stores when accounts were heard of, and forgets it."""
    ends = heard.take()
    if not len(ends.accounts):
        return
    columns = {name: Instants(column) for name, column in ends._asdict().items() if name != "accounts"}
    values = {"tenant_id": tenant_id, "accounts": Int8s(ends.accounts), "never": instant(NEVER_US)}
    conn.execute(_UPSERT, values | columns)


def recount_activity(
    conn: Connection,
    tenant_id: int,
    accounts: Iterable[int],
    plan: Plan,
    ids: Mapping[str, int],
    unknown_before: datetime | None = None,
) -> None:
    """After people turned out to be internal, or not to be, or other types of event are activity. Farther back than raw events are kept
    the day is known, and taken at its start; `unknown_before`: if not even that is.
    """
    wanted = sorted(accounts)
    measures = [ids[measure.name] for measure in plan.active_accounts if measure.name in ids]
    rows = conn.execute(_LAST_DAYS, {"accounts": wanted, "measures": measures, "itself": ACCOUNT_ITSELF})
    since = {account: plan.local.start_of(day) for account, day in rows}
    conn.execute(
        _RECOUNT,
        {
            "tenant_id": tenant_id,
            "accounts": wanted,
            "since": [since.get(account) for account in wanted],
            "unknown_before": unknown_before,
            "passive": [kind.name for kind in plan.catalogue.event_types.values() if not kind.activity],
        },
    )


def recount(
    conn: Connection,
    batch: TenantBatch,
    active: Booleans,
    flipped: Iterable[int],
    plan: Plan,
    ids: Mapping[str, int],
) -> None:
    """After the batch's events were taken out of the chunks, or people of the `flipped` accounts turned out to be internal or not."""
    accounts = batch.account_ids
    removed = {
        "accounts": Int8s(accounts),
        "at": Instants(batch.event_at_us),
        "ingested": Instants(batch.ingested_at_us),
        "active": active.tolist(),
    }
    ended = {account for (account,) in conn.execute(_ENDED, removed)}
    if ended:
        conn.execute(_RECOUNT_ALL, {"tenant_id": batch.tenant_id, "ended": sorted(ended)})
    if wanted := ended | set(flipped):
        recount_activity(conn, batch.tenant_id, wanted, plan, ids)
