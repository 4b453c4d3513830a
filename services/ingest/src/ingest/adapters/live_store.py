"""The live view's reads on PostgreSQL (views `published.fate` and `published.rejected`)."""

from collections.abc import Sequence

from common.db.pool import Pool, borrow
from common.errors import NotFound
from ingest.ports.live import FateRow, RejectedRow

_FATES = "select seq, written_at, fates from published.fate where tenant_id = %s"
_REJECTED = (
    "select id, received_at, stage, code, message, event_id, source, type, account, body, replayed_at "
    "from published.rejected where tenant_id = %s"
)


class PostgresLiveStore:
    """LiveStore port."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def fates_before(self, tenant_id: int, limit: int) -> Sequence[FateRow]:
        with borrow(self._pool) as connection:
            rows = connection.execute(f"{_FATES} order by seq desc limit %s", (tenant_id, limit))
            return [FateRow(*row) for row in rows]

    def fates_after(self, tenant_id: int, seq: int, limit: int) -> Sequence[FateRow]:
        with borrow(self._pool) as connection:
            rows = connection.execute(f"{_FATES} and seq > %s order by seq limit %s", (tenant_id, seq, limit))
            return [FateRow(*row) for row in rows]

    def rejected_before(self, tenant_id: int, below_id: int | None, limit: int) -> Sequence[RejectedRow]:
        with borrow(self._pool) as connection:
            rows = connection.execute(
                f"{_REJECTED} and (%s::bigint is null or id < %s) order by id desc limit %s",
                (tenant_id, below_id, below_id, limit),
            )
            return [RejectedRow(*row) for row in rows]

    def rejected(self, tenant_id: int, rejected_id: int) -> RejectedRow:
        with borrow(self._pool) as connection:
            row = connection.execute(f"{_REJECTED} and id = %s", (tenant_id, rejected_id)).fetchone()
        if row is None:
            raise NotFound("rejected-unknown", f"there is no rejected event {rejected_id}")
        return RejectedRow(*row)
