"""What does not arrive, as the engine found it."""

from collections.abc import Sequence
from datetime import datetime

from api_gateway.ports.tracking import Tracked
from common.db.pool import Pool, borrow
from common.errors import NotFound

_ALL = """
select kind, name, state, since, expected, seen, types, share, renamed_to, found_at from published.tracking
where tenant_id = %s order by state = 'ok', since desc, kind, name limit 1000
"""
_RETIRE = """
insert into control.tracking_retired (tenant_id, kind, name, retired_at, retired_by)
select tenant_id, kind, name, now(), %(by)s from published.tracking
where tenant_id = %(tenant)s and kind = %(kind)s and name = %(name)s and state = 'broken'
on conflict (tenant_id, kind, name) do update set retired_at = excluded.retired_at, retired_by = excluded.retired_by
"""


class PostgresTracking:
    """TrackingReader on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def judged_until(self, tenant_id: int) -> datetime | None:
        with borrow(self._pool) as connection:
            row = connection.execute(
                "select judged_until from published.tracking_progress where tenant_id = %s", (tenant_id,)
            ).fetchone()
        return row[0] if row else None

    def all_of(self, tenant_id: int) -> Sequence[Tracked]:
        with borrow(self._pool) as connection:
            return [Tracked(*row) for row in connection.execute(_ALL, (tenant_id,))]

    def retire(self, tenant_id: int, kind: str, name: str, by: str) -> None:
        values = {"tenant": tenant_id, "kind": kind, "name": name, "by": by}
        with borrow(self._pool) as connection:
            if not connection.execute(_RETIRE, values).rowcount:
                raise NotFound(
                    "tracking-unknown",
                    "nothing of that kind and name is missing; `GET /v1/tracking` lists what is",
                )
