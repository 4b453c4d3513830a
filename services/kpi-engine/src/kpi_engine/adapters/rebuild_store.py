"""Making the figures of a partition anew: what is deleted, and the raw events to read."""

from collections.abc import Iterator, Sequence
from typing import LiteralString

from kpi_engine.adapters import raw_store
from kpi_engine.adapters.raw_store import RawEvents
from kpi_engine.ports.connection import Connection

_OF_MEASURES: tuple[LiteralString, ...] = (
    "measure_hour",
    "measure_day",
    "presence",
    "last_value",
    "step",
    "first_step",
)
_OF_ACCOUNTS: tuple[LiteralString, ...] = (
    "answer",
    "subscription_change",
    "mrr_change",
    "renewal",
    "trait",
    "account_seen",
)


class RebuildStore:
    """Rebuilds port on PostgreSQL."""

    def accounts(self, connection: Connection, tenant_id: int, partition: int) -> list[int]:
        rows = connection.execute(
            "select id from engine.account where tenant_id = %s and partition = %s and gone_at is null order by id",
            (tenant_id, partition),
        )
        return [int(account) for (account,) in rows]

    def clear(
        self,
        connection: Connection,
        tenant_id: int,
        partition: int,
        accounts: Sequence[int],
        measure_ids: Sequence[int],
    ) -> None:
        parameters = {
            "tenant": tenant_id,
            "partition": partition,
            "accounts": list(accounts),
            "measures": list(measure_ids),
        }
        for table in _OF_MEASURES:
            connection.execute(
                f"delete from engine.{table} where tenant_id = %(tenant)s and measure_id = any(%(measures)s) and account_id = any(%(accounts)s)",
                parameters,
            )
        for table in _OF_ACCOUNTS:
            connection.execute(
                f"delete from engine.{table} where tenant_id = %(tenant)s and account_id = any(%(accounts)s)",
                parameters,
            )
        for total in ("total_hour", "total_day"):
            connection.execute(
                f"delete from engine.{total} where tenant_id = %(tenant)s and measure_id = any(%(measures)s) and partition = %(partition)s",
                parameters,
            )
        connection.execute(
            "update engine.person set is_internal = false where account_id = any(%(accounts)s) and is_internal",
            parameters,
        )

    def pieces(
        self, connection: Connection, tenant_id: int, accounts: Sequence[int], events: int
    ) -> Iterator[RawEvents]:
        return raw_store.pieces(connection, tenant_id, accounts, events)
