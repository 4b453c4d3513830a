"""How far each partition was applied, fenced by epoch and owner."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np

from common.streams.port import NO_EPOCH
from kpi_engine.adapters.arrays import Int8s
from kpi_engine.domain.ownership import Owned
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.errors import EngineStopped, Fenced
from kpi_engine.ports.stores import Advance, Taken

# Figures never become less fresh, but what a clock said that went far ahead, and was set right since, is not to be believed until then.
_FRESHER = """greatest(case when applied_at < now() + interval '1 minute' then applied_at end,
                       to_timestamp(%s::numeric / 1000000))"""

# A load that nobody ends counts as ended at its last sign of life; a backfill ends when the last partition has done with it.
ENDED_LOADS = """
with load as (
  select tenant_id, coalesce(ended_at, heartbeat_at) as ended_at from control.load
  union all
  select c.tenant_id, max(r.applied_at) from control.control_log c join engine.control_result r on r.tenant_id = c.tenant_id and r.seq = c.seq
  where c.kind in ('backfill_closed', 'backfill_reverted') group by c.tenant_id, c.seq
), reached as (
  select min(applied_at) as applied_at, min(coalesce(settled_at, '-infinity')) filter (where partition = any(%(partitions)s)) as settled_at
  from engine.progress where topic = %(topic)s having count(*) = count(applied_at)
)
select r.applied_at, array_agg(distinct l.tenant_id) from reached r join load l on l.ended_at > r.settled_at and l.ended_at <= r.applied_at
group by r.applied_at
"""


class ProgressStore:
    """Progress rows. `owner` is a random id of this engine process."""

    def __init__(self, owner: uuid.UUID) -> None:
        self._owner = owner

    def check_topics(self, connection: Connection, events: str, rejected: str) -> None:
        """Raises EngineStopped when what is counted came from another topic than `events`.

        Read from its beginning, a topic of another name would be counted beside the former one: other partitions, two ends.
        """
        row = connection.execute(
            """select string_agg(distinct topic, ', ') from engine.progress
               where topic <> all(%s) and not exists (select from engine.progress where topic = %s)""",
            ([events, rejected], events),
        ).fetchone()
        if row is not None and row[0] is not None:
            raise EngineStopped(
                "topic-renamed",
                f"topic {events} was never read, and what is counted came from {row[0]}: set BELLWETHER_EVENTS_TOPIC to that. "
                "Where another topic is to take its place see docs/runbooks/engine-stopped.md",
            )

    def take(
        self,
        connection: Connection,
        topic: str,
        partition: int,
        topic_id: str,
        partitions: int,
        first_kept: int,
    ) -> Taken:
        """Raise the partition's epoch and own it; raises EngineStopped when the topic is not the one that was read before.

        Being taken is no progress: an engine that ends again and again must not look as if it moved.
        """
        row = connection.execute(
            """insert into engine.progress as p (topic, partition, topic_id, partitions, epoch, owner, next_offset)
               values (%(topic)s, %(partition)s, %(topic_id)s, %(partitions)s, 1, %(owner)s, 0)
               on conflict (topic, partition) do update
                 set epoch = p.epoch + 1, owner = excluded.owner
               returning epoch, next_offset, case when next_offset > 0 then leader_epoch else %(no_epoch)s end, batch_no, dirty, topic_id::text,
                 least(p.partitions, (select min(o.partitions) from engine.progress o where o.topic = p.topic))""",
            {
                "topic": topic,
                "partition": partition,
                "topic_id": topic_id,
                "owner": self._owner,
                "partitions": partitions,
                "no_epoch": NO_EPOCH,
            },
        ).fetchone()
        assert row is not None
        epoch, next_offset, leader_epoch, batch_no, dirty, known_id, known_partitions = row
        if known_id != topic_id:
            raise EngineStopped(
                "topic-recreated",
                f"topic {topic} has id {topic_id}, but {known_id} was read before: it was deleted and created again. "
                "See docs/runbooks/engine-stopped.md before anything is read from it",
            )
        if known_partitions != partitions:
            raise EngineStopped(
                "partitions-changed",
                f"topic {topic} has {partitions} partitions, it had {known_partitions}: accounts would move between them. "
                "See docs/runbooks/engine-stopped.md",
            )
        if next_offset < first_kept:
            raise EngineStopped(
                "offset-gone",
                f"{topic}/{partition}: offset {next_offset} is wanted, but the log now starts at {first_kept}: records were deleted unread. "
                "See docs/runbooks/engine-stopped.md",
            )
        return Taken(epoch, next_offset, leader_epoch, batch_no, list(dirty))

    def advance(self, connection: Connection, steps: Iterable[Advance]) -> None:
        """Move partitions on by compare-and-set; raises Fenced when one of them is not ours, or not where we believe it is."""
        for step in steps:
            done = connection.execute(
                f"""update engine.progress
                   set next_offset = %s, leader_epoch = coalesce(%s, leader_epoch), batch_no = batch_no + 1, updated_at = now(), applied_at = {_FRESHER}
                   where topic = %s and partition = %s and epoch = %s and owner = %s and next_offset = %s
                   returning 1""",
                (
                    step.next_offset, step.leader_epoch, step.applied_at_us,
                    step.topic, step.partition, step.epoch, self._owner, step.low,
                ),
            )  # fmt: skip
            if done.fetchone() is None:
                raise Fenced(step.topic, step.partition)

    def hold(self, connection: Connection, owned: Iterable[Owned]) -> None:
        """Let nobody take these partitions until the transaction ends; raises Fenced when one of them is not ours."""
        for part in owned:
            row = connection.execute(
                """select from engine.progress
                   where topic = %s and partition = %s and epoch = %s and owner = %s for share""",
                (part.topic, part.partition, part.epoch, self._owner),
            ).fetchone()
            if row is None:
                raise Fenced(part.topic, part.partition)

    def keep_dirty(self, connection: Connection, topic: str, partition: int, dirty: Sequence[int]) -> None:
        """Store which accounts wait for their state, so that whoever takes the partition next computes them."""
        connection.execute(
            "update engine.progress set dirty = %s where topic = %s and partition = %s and owner = %s",
            (Int8s(np.array(dirty, np.int64)), topic, partition, self._owner),
        )

    def drained(self, connection: Connection, owned: Iterable[tuple[str, int, int]], at_us: int) -> None:
        """Note that these (topic, partition, epoch) had nothing unread at an instant: their figures are current as of then."""
        rows = list(owned)
        connection.execute(
            f"""update engine.progress p
               set applied_at = {_FRESHER}, updated_at = now()
               from unnest(%s::text[], %s::int[], %s::bigint[]) as o(topic, partition, epoch)
               where p.topic = o.topic and p.partition = o.partition and p.epoch = o.epoch and p.owner = %s""",
            (at_us, [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows], self._owner),
        )

    def ended_loads(
        self, connection: Connection, topic: str, owned: Iterable[Owned]
    ) -> tuple[datetime, list[int]] | None:
        """Up to when every partition is applied, and the tenants whose loads ended by then but are not settled in these; None without one."""
        row = connection.execute(
            ENDED_LOADS, {"topic": topic, "partitions": [part.partition for part in owned]}
        ).fetchone()
        return None if row is None else (row[0], row[1])

    def settled(self, connection: Connection, owned: Iterable[Owned], through: datetime) -> None:
        """Note that the accounts of these partitions are compared with segments in which all was counted that came before `through`."""
        rows = list(owned)
        connection.execute(
            """update engine.progress p set settled_at = %s from unnest(%s::text[], %s::int[], %s::bigint[]) as o(topic, partition, epoch)
               where p.topic = o.topic and p.partition = o.partition and p.epoch = o.epoch and p.owner = %s""",
            (
                through, [r.topic for r in rows], [r.partition for r in rows], [r.epoch for r in rows], self._owner,
            ),
        )  # fmt: skip
