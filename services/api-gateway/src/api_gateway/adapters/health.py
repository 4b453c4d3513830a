"""Health from the views of schema published, ratings from schema control."""

from collections.abc import Mapping, Sequence
from typing import Any

from api_gateway.domain.rating_record import Rated
from api_gateway.domain.records import Child, HealthDay, Rating
from common.db.pool import Pool, borrow

_OF = "select health from published.account where tenant_id = %s and account_id = %s"
_HISTORY = """
select day, score::float8, band, profile, definitions from published.health_day
where tenant_id = %s and account_id = %s order by day desc limit %s
"""
# All below it, however deep; who comes back to where it was is there once.
_CHILDREN = """
with recursive kin as materialized (
  select account, traits ->> 'parent' as parent from published.account where tenant_id = %(tenant)s and traits ? 'parent'
), below as (
  select account from kin where parent = %(account)s
  union
  select kin.account from below join kin on kin.parent = below.account
)
select a.account, (a.figures ->> 'health')::float8, a.figures ->> 'health_band', coalesce(a.mrr, 0), a.health ->> 'profile',
  exists (select from alerts.v_case c where c.tenant_id = a.tenant_id and c.account_id = a.account_id
          and c.status <> 'resolved' and (c.severity = 'critical' or c.paged_at is not null))
from published.account a
where a.tenant_id = %(tenant)s and a.account in (select account from below where account <> %(account)s)
order by (a.figures ->> 'health')::float8 nulls last, a.account limit %(limit)s
"""
_RATINGS = """
select band, comment, rated_by, rated_at, score::float8, computed from control.health_rating
where tenant_id = %s and account_id = %s order by id desc limit %s
"""
# Ratings that something was computed beside, with the first renewal that was due after each.
_RATED = """
select a.account, a.health ->> 'profile', h.band, h.computed, h.score::float8, h.rated_by, h.rated_at, next.due_at, next.kept
from control.health_rating h join published.account a on a.tenant_id = h.tenant_id and a.account_id = h.account_id
left join lateral (
  select r.due_at, case when bool_and(r.renewed is not null) then (sum(r.renewed) filter (where r.mrr is not null) / nullif(sum(r.mrr), 0))::float8 end as kept
  from published.renewal r where r.tenant_id = h.tenant_id and r.account_id = h.account_id and r.due_at > h.rated_at
  group by r.due_at order by r.due_at limit 1
) next on true
where h.tenant_id = %s and h.computed is not null and a.health is not null and h.computed <> h.band
order by h.rated_at, h.id limit %s
"""
_RATE = """
insert into control.health_rating (tenant_id, account_id, band, comment, rated_by, score, computed)
select %(tenant)s, %(account)s, %(band)s, %(comment)s, %(by)s, (a.health ->> 'score')::numeric, a.health ->> 'band'
from published.account a where a.tenant_id = %(tenant)s and a.account_id = %(account)s
returning band, comment, rated_by, rated_at, score::float8, computed
"""


class PostgresHealth:
    """HealthStore on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def of(self, tenant_id: int, account_id: int) -> Mapping[str, Any] | None:
        with borrow(self._pool) as connection:
            row = connection.execute(_OF, (tenant_id, account_id)).fetchone()
        return None if row is None else row[0]

    def history(self, tenant_id: int, account_id: int, limit: int) -> Sequence[HealthDay]:
        with borrow(self._pool) as connection:
            return [HealthDay(*row) for row in connection.execute(_HISTORY, (tenant_id, account_id, limit))]

    def children(self, tenant_id: int, account: str, limit: int) -> Sequence[Child]:
        asked = {"tenant": tenant_id, "account": account, "limit": limit}
        with borrow(self._pool) as connection:
            return [Child(*row) for row in connection.execute(_CHILDREN, asked)]

    def ratings(self, tenant_id: int, account_id: int, limit: int) -> Sequence[Rating]:
        with borrow(self._pool) as connection:
            return [Rating(*row) for row in connection.execute(_RATINGS, (tenant_id, account_id, limit))]

    def rated(self, tenant_id: int, limit: int) -> Sequence[Rated]:
        with borrow(self._pool) as connection:
            return [Rated(*row) for row in connection.execute(_RATED, (tenant_id, limit))]

    def rate(self, tenant_id: int, account_id: int, band: str, comment: str, by: str) -> Rating:
        parameters = {"tenant": tenant_id, "account": account_id, "band": band, "comment": comment, "by": by}
        with borrow(self._pool) as connection:
            row = connection.execute(_RATE, parameters).fetchone()
        assert row is not None
        return Rating(*row)
