"""What an earlier version stored is there after the migration, event for event."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from common.contracts.bodies import unpack_bodies
from common.db.migrate import has_timescaledb, migrate, read_history

FIRST_WITH_CHUNKS = 40
ARRIVED = datetime(2026, 10, 1, 23, 50, tzinfo=UTC)


def test_raw_events_of_an_earlier_version_are_all_kept_in_chunks(empty_postgres_url: str) -> None:
    migrate(empty_postgres_url, [step for step in read_history() if step.version < FIRST_WITH_CHUNKS])
    rows = [_row(n) for n in range(1_203)]
    with psycopg.connect(empty_postgres_url, autocommit=True, options="-c timezone=UTC") as conn:
        if not has_timescaledb(conn):
            conn.execute(
                """create table engine.raw_event_20261001 partition of engine.raw_event for values from ('2026-10-01') to ('2026-10-02');
                   create table engine.raw_event_20261002 partition of engine.raw_event for values from ('2026-10-02') to ('2026-10-03')"""
            )
        conn.cursor().executemany("insert into engine.raw_event values (%s, %s, %s, %s, %s, %s, %s)", rows)
        migrate(empty_postgres_url)
        found = conn.execute(
            """select e.tenant_id, e.account_id, e.person_id, e.type, e.event_at, e.ingested_at, c.bodies, e.position
               from published.raw_event e join published.raw_chunk c on c.chunk_id = e.chunk_id
               where e.chunk_accounts @> array[coalesce(e.account_id, 0)]"""
        ).fetchall()
    kept = [(*row[:6], unpack_bodies(row[6])[row[7] - 1].decode()) for row in found]
    expected = [(*row[:6], row[6].replace("\n", " ")) for row in rows]
    assert sorted(kept, key=_id) == sorted(expected, key=_id)


def _row(n: int) -> tuple[Any, ...]:
    at = ARRIVED + timedelta(seconds=n)
    body = f'{{"id":"{n:05d}",\n"data":{{"note":"a\\\\nb"}}}}'
    return (1 + n % 2, n % 3 or None, n % 5 or None, f"type.{n % 4}", at - timedelta(hours=n), at, body)


def _id(row: tuple[Any, ...]) -> str:
    return str(row[6])
