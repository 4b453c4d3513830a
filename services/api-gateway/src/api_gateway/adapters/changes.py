"""The change feed from published.change."""

from collections.abc import Mapping, Sequence

from api_gateway.domain.records import Change
from common.db.pool import Pool, borrow

# Partitions that have changes, each found by one step in the primary key: the table may hold an hour of batches.
_KNOWN = """
  with recursive known (partition) as (
    (select c.partition from published.change c order by c.partition limit 1)
    union all
    select (select c.partition from published.change c where c.partition > known.partition order by c.partition limit 1)
    from known where known.partition is not null
  )"""

# Changes are kept for an hour; what a partition had before that is known from its progress.
_RANGES = f"""
  {_KNOWN}, kept as (
    select k.partition,
           (select min(c.batch_no) from published.change c where c.partition = k.partition) as oldest,
           (select max(c.batch_no) from published.change c where c.partition = k.partition) as newest
    from known k where k.partition is not null
    union all
    select p.partition, p.batch_no + 1, p.batch_no from published.progress p
    where p.topic = %(topic)s and p.batch_no > 0
      and not exists (select from published.change c where c.partition = p.partition)
  )
  select partition, oldest, newest from kept"""

_AFTER = f"""
  {_KNOWN}, batch as (
    select k.partition, b.batch_no
    from known k
    left join unnest(%(partitions)s::int[], %(batches)s::bigint[]) as seen (partition, batch_no) on seen.partition = k.partition
    cross join lateral (
      select distinct c.batch_no from published.change c
      where c.partition = k.partition and c.batch_no > coalesce(seen.batch_no, 0) order by c.batch_no limit %(limit)s
    ) b
    where k.partition is not null
  )
  select c.partition, c.batch_no, c.tenant_id, c.account_ids, c.computed_ids, c.as_of
  from batch join published.change c on c.partition = batch.partition and c.batch_no = batch.batch_no
  where %(tenant)s::int is null or c.tenant_id = %(tenant)s
  order by c.partition, c.batch_no"""


class PostgresChanges:
    """ChangeReader on PostgreSQL. `topic` is the engine's events topic."""

    def __init__(self, pool: Pool, topic: str) -> None:
        self._pool = pool
        self._topic = topic

    def installation(self) -> str:
        with borrow(self._pool) as connection:
            row = connection.execute("select id from control.installation").fetchone()
        assert row is not None, "the migration puts one row into control.installation"
        return str(row[0])

    def ranges(self) -> Mapping[int, tuple[int, int]]:
        with borrow(self._pool) as connection:
            rows = connection.execute(_RANGES, {"topic": self._topic})
            return {partition: (oldest, newest) for partition, oldest, newest in rows}

    def after(self, batches: Mapping[int, int], limit: int, tenant_id: int | None = None) -> Sequence[Change]:
        parameters = {
            "partitions": list(batches),
            "batches": list(batches.values()),
            "limit": limit,
            "tenant": tenant_id,
        }
        with borrow(self._pool) as connection:
            return [Change(*row) for row in connection.execute(_AFTER, parameters)]
