"""How an import says that it still runs: by a lock of its session, which the database ends with it, however it dies."""

from typing import Any, Final, LiteralString

import psycopg

# Keeps these locks apart from others in the same database.
_SPACE: Final = 0x696D7074
_HOLD: Final[LiteralString] = "select pg_advisory_lock(%s, hashtext(%s))"
_STATE: Final = """case
  when {table}.ended_at is not null then 'ended'
  when exists (
    select from pg_locks l
    where l.locktype = 'advisory' and l.objsubid = 2 and l.classid = {space}
      and l.objid = (hashtext({table}.id::text)::bigint & 4294967295)::oid
      and l.database = (select oid from pg_database where datname = current_database())) then 'running'
  else 'interrupted' end"""


def hold(conn: psycopg.Connection[Any], import_id: str) -> None:
    """Until the session of `conn` ends, the import counts as running unless it has ended."""
    conn.execute(_HOLD, (_SPACE, import_id))


def state_of(table: str) -> str:
    """SQL: `running`, `ended` or `interrupted`, of a row of control.import that goes by the name `table`."""
    return _STATE.format(table=table, space=_SPACE)
