"""Dropping what is older than a tenant keeps it, by kind, in bounded steps."""

from datetime import UTC, datetime, timedelta

from psycopg import sql

from kpi_engine.ports.connection import Connection

# Rows of one step: no transaction of housekeeping takes long.
STEP_ROWS = 5_000
_KEPT = "select tenant_id, kind, days from control.retention order by tenant_id, kind"
_OLD_CHUNKS = """
delete from engine.raw_chunk where (chunk_id, arrived_at) in (
  select chunk_id, arrived_at from engine.raw_chunk where tenant_id = %(tenant)s and arrived_at < %(before)s limit %(rows)s)
"""
_MARK = """
insert into engine.retained as r (tenant_id, raw_from) values (%(tenant)s, %(before)s)
on conflict (tenant_id) do update set raw_from = greatest(r.raw_from, excluded.raw_from)
"""
_MARK_ALL = sql.SQL("""
insert into engine.retained as r (tenant_id, raw_from) select distinct tenant_id, %s::timestamptz from {}
on conflict (tenant_id) do update set raw_from = greatest(r.raw_from, excluded.raw_from)
""")
_BY_KIND = {
    "rejected": """delete from engine.rejected where id in (
  select id from engine.rejected where tenant_id = %(tenant)s and received_at < %(before)s limit %(rows)s)""",
    "conflicts": """delete from engine.conflict where ctid = any(array(
  select ctid from engine.conflict where tenant_id = %(tenant)s and received_at < %(before)s limit %(rows)s))""",
    "revisions": """delete from engine.revision where revision_id in (
  select revision_id from engine.revision where tenant_id = %(tenant)s and at < %(before)s limit %(rows)s)""",
}
# What stood before an amendment or a deletion, and records of backfills that are counted, are kept as long as raw events.
_SUPERSEDED = """delete from engine.superseded_event where ctid = any(array(
  select ctid from engine.superseded_event where tenant_id = %(tenant)s and ingested_at < %(before)s limit %(rows)s))"""
_STAGED = """delete from engine.staged where ctid = any(array(
  select s.ctid from control.control_log l
  join engine.control_progress p on p.tenant_id = l.tenant_id and p.seq >= l.seq
  join engine.staged s on s.backfill_id = l.backfill_id and s.partition = p.partition
  where l.tenant_id = %(tenant)s and l.kind = 'backfill_closed'
    and s.ingested_at_us < extract(epoch from %(before)s::timestamptz) * 1000000 limit %(rows)s))"""
# Native partitions whose every tenant keeps raw events for a time that is over: dropped whole.
_PARTITIONS = """
select c.relname, pg_get_expr(c.relpartbound, c.oid) from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'engine.raw_chunk'::regclass and c.relname ~ '^raw_chunk_[0-9]{8}$'
"""


class RetentionStore:
    """Each `step` is some short transactions of its own. Running it in several engines at once does no harm."""

    def step(self, connection: Connection, now: datetime) -> int:
        """Drop some of what is too old; returns how many rows and partitions went. 0: nothing is left to drop."""
        kept = connection.execute(_KEPT).fetchall()
        if not kept:
            return 0
        dropped = self._partitions(connection, now)
        for tenant_id, kind, days in kept:
            before = _midnight(now - timedelta(days=days))
            parameters = {"tenant": tenant_id, "before": before, "rows": STEP_ROWS}
            if kind == "raw_events":
                dropped += self._raw_events(connection, parameters)
            else:
                dropped += connection.execute(_BY_KIND[kind].encode(), parameters).rowcount
        return dropped

    def _raw_events(self, connection: Connection, parameters: dict[str, object]) -> int:
        """What is gone is said with it: a correction that needs it is refused, never half done."""
        # A chunk is some hundred events.
        few = {**parameters, "rows": STEP_ROWS // 100}
        with connection.transaction():
            dropped = connection.execute(_OLD_CHUNKS, few).rowcount
            # Of their own age: a partition that is dropped whole takes the chunks, and these are left.
            dropped += connection.execute(_SUPERSEDED, parameters).rowcount
            dropped += connection.execute(_STAGED, parameters).rowcount
            if dropped:
                connection.execute(_MARK, parameters)
        return dropped

    def _partitions(self, connection: Connection, now: datetime) -> int:
        longest = connection.execute(
            """select max(r.days) from control.tenant t
               left join control.retention r on r.tenant_id = t.id and r.kind = 'raw_events'
               having bool_and(r.days is not null)"""
        ).fetchone()
        if longest is None or longest[0] is None:
            return 0
        before = _midnight(now - timedelta(days=longest[0]))
        dropped = 0
        for name, _ in connection.execute(_PARTITIONS).fetchall():
            day = datetime.strptime(name.removeprefix("raw_chunk_"), "%Y%m%d").replace(tzinfo=UTC)
            if day + timedelta(days=1) <= before:
                with connection.transaction():
                    its = sql.Identifier("engine", name)
                    connection.execute(_MARK_ALL.format(its), (day + timedelta(days=1),))
                    connection.execute(sql.SQL("drop table {}").format(its))
                dropped += 1
        return dropped


def _midnight(at: datetime) -> datetime:
    """Days of arrival are dropped whole, as native partitions are cut."""
    return at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
