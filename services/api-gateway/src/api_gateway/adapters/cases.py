"""Cases from the views of schema alerts."""

from collections.abc import Sequence

from api_gateway.domain.records import CaseChange, CaseMoment
from common.db.pool import Pool, borrow

_AFTER = """
  select n.seq, c.tenant_id, c.id, c.account, c.status, c.severity, c.origin, c.opened_at, c.updated_at, c.acknowledged_at, c.acknowledged_by,
         c.assignee, c.snoozed_until, c.resolved_at, c.resolution, c.mrr, w.evidence
  from (
    select case_id, max(seq) as seq from (
      select case_id, seq from alerts.v_change
      where seq > %(seq)s and (%(tenant)s::int is null or tenant_id = %(tenant)s) order by seq limit %(limit)s
    ) page group by case_id
  ) n
  join alerts.v_case c on c.id = n.case_id
  left join lateral (
    select string_agg(v.evidence, ' ' order by v.severity = 'critical' desc, v.since_at) as evidence
    from alerts.v_alert v where v.case_id = c.id and (v.state = 'firing' or c.status = 'resolved')
  ) w on true
  order by n.seq"""

_MOMENTS = """
  select at, case_id, kind, severity, words from (
    select opened_at as at, id as case_id, 'opened' as kind, severity, 'Case opened' as words
    from alerts.v_case where tenant_id = %(tenant)s and account_id = %(account)s
    union all
    select acknowledged_at, id, 'acknowledged', severity, 'Acknowledged by ' || coalesce(acknowledged_by, 'somebody')
    from alerts.v_case where tenant_id = %(tenant)s and account_id = %(account)s and acknowledged_at is not null
    union all
    select resolved_at, id, 'resolved', severity, 'Case closed: ' || replace(coalesce(resolution, 'no verdict'), '_', ' ')
    from alerts.v_case where tenant_id = %(tenant)s and account_id = %(account)s and resolved_at is not null
    union all
    select coalesce(fired_at, since_at), case_id, 'signal', severity, label || ': ' || evidence
    from alerts.v_alert where tenant_id = %(tenant)s and account_id = %(account)s and fired_at is not null
    union all
    select ended_at, case_id, 'signal_ended', severity, label || ': over'
    from alerts.v_alert where tenant_id = %(tenant)s and account_id = %(account)s and fired_at is not null and ended_at is not null
  ) moments order by at desc, kind limit %(limit)s"""

_BODY = (
    "id",
    "account",
    "status",
    "severity",
    "origin",
    "opened_at",
    "updated_at",
    "acknowledged_at",
    "acknowledged_by",
    "assignee",
    "snoozed_until",
    "resolved_at",
    "resolution",
    "mrr",
    "summary",
)


class PostgresCases:
    """CaseReader on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def range(self) -> tuple[int, int]:
        with borrow(self._pool) as connection:
            row = connection.execute("select min(seq), max(seq) from alerts.v_change").fetchone()
        assert row is not None
        return (1, 0) if row[0] is None else (int(row[0]), int(row[1]))

    def after(self, seq: int, limit: int, tenant_id: int | None = None) -> Sequence[CaseChange]:
        with borrow(self._pool) as connection:
            rows = connection.execute(_AFTER, {"seq": seq, "limit": limit, "tenant": tenant_id})
            return [CaseChange(row[0], row[1], dict(zip(_BODY, row[2:], strict=True))) for row in rows]

    def moments(self, tenant_id: int, account_id: int, limit: int) -> Sequence[CaseMoment]:
        with borrow(self._pool) as connection:
            rows = connection.execute(_MOMENTS, {"tenant": tenant_id, "account": account_id, "limit": limit})
            return [CaseMoment(*row) for row in rows]
