"""What others see of a batch at once: the change feed and the fates of the last events."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import orjson

from kpi_engine.ports.connection import Connection
from kpi_engine.ports.stores import Change

# Batches whose fates are kept per tenant and partition.
FATE_BATCHES = 50
# Rows of the change feed older than this are deleted; a stream client away for longer is told to start anew.
CHANGE_KEPT_SECONDS = 3600


class FeedStore:
    """Writes changes and fates in the caller's transaction, and wakes readers at its commit."""

    def write(self, connection: Connection, changes: Sequence[Change], as_of: datetime) -> None:
        for change in changes:
            connection.execute(
                """insert into engine.change (partition, batch_no, tenant_id, account_ids, computed_ids, measures, events, as_of)
                   values (%s, %s, %s, %s::bigint[], %s::bigint[], %s::text[], %s, %s)""",
                (
                    change.partition, change.batch_no, change.tenant_id, sorted(change.account_ids),
                    sorted(change.computed), sorted(change.measures), change.events, as_of,
                ),
            )  # fmt: skip
            self.moved(connection, change.tenant_id, change.partition, change.batch_no)

    def moved(self, connection: Connection, tenant_id: int, partition: int, batch_no: int) -> None:
        """Say that figures of a tenant may be others from this batch on: what readers keep of them is no longer valid."""
        connection.execute(
            """insert into engine.standing (tenant_id, partition, batch_no) values (%s, %s, %s)
               on conflict (tenant_id, partition) do update set batch_no = excluded.batch_no""",
            (tenant_id, partition, batch_no),
        )

    def notify(self, connection: Connection, batches: Iterable[tuple[int, int]]) -> None:
        """Tell listeners which (partition, batch number) are there; delivered by the commit."""
        for partition, batch_no in batches:
            connection.execute("select pg_notify('bellwether_change', %s)", (f"{partition}:{batch_no}",))

    def fates(
        self,
        connection: Connection,
        tenant_id: int,
        partition: int,
        batch_no: int,
        fates: list[dict[str, Any]],
    ) -> None:
        """Keep the fates of a batch's events and drop those of old batches."""
        connection.execute(
            """insert into engine.fate (tenant_id, partition, batch_no, fates) values (%s, %s, %s, %s::jsonb)""",
            (tenant_id, partition, batch_no, orjson.dumps(fates).decode()),
        )
        connection.execute(
            "delete from engine.fate where tenant_id = %s and partition = %s and batch_no <= %s",
            (tenant_id, partition, batch_no - FATE_BATCHES),
        )

    def loads(self, connection: Connection) -> dict[int, int]:
        """Return how many events each partition has brought lately."""
        rows = connection.execute("select partition, sum(events)::int8 from engine.change group by 1")
        return {int(partition): int(events) for partition, events in rows if events}

    def sweep(self, connection: Connection) -> None:
        """Delete what is too old in the change feed."""
        connection.execute(
            "delete from engine.change where written_at < now() - make_interval(secs => %s)",
            (CHANGE_KEPT_SECONDS,),
        )
