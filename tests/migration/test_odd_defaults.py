"""A database whose administrator gave it other defaults is used as any other."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql

from bellwether.doctor.database import examine
from common.db.migrate import Migration, Needs, migrate
from common.db.pool import borrow, open_pool
from common.errors import Unavailable

DEFAULTS = {
    "timezone": "America/New_York",
    "datestyle": "German, DMY",
    "intervalstyle": "sql_standard",
    "extra_float_digits": "-10",
    "default_transaction_isolation": "serializable",
    "search_path": "elsewhere",
}


@pytest.fixture
def odd_url(empty_postgres_url: str) -> str:
    with psycopg.connect(empty_postgres_url, autocommit=True) as conn:
        database = sql.Identifier(conn.info.dbname)
        for name, value in DEFAULTS.items():
            conn.execute(
                sql.SQL("alter database {} set {} to {}").format(
                    database, sql.Identifier(name), sql.Literal(value)
                )
            )
    migrate(empty_postgres_url)
    return empty_postgres_url


def test_what_is_read_does_not_depend_on_the_defaults_of_the_database(odd_url: str) -> None:
    pool = open_pool(odd_url, "test")
    try:
        with borrow(pool) as conn:
            row = conn.execute(
                """select '2026-03-04 05:06:07.000008+00'::timestamptz, '1 day 2 hours'::interval, 0.1::float8 + 0.2::float8,
                     current_setting('transaction_isolation'), '2026-03-04 23:30:00+00'::timestamptz::date::text"""
            ).fetchone()
    finally:
        pool.close()
    at = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)
    assert row == (at, timedelta(days=1, hours=2), 0.1 + 0.2, "read committed", "2026-03-04")


def test_a_migration_takes_as_long_as_it_takes(empty_postgres_url: str) -> None:
    with psycopg.connect(empty_postgres_url, autocommit=True) as conn:
        limit = sql.SQL("alter database {} set statement_timeout to 100")
        conn.execute(limit.format(sql.Identifier(conn.info.dbname)))
    long = Migration(1, "long", "select pg_sleep(0.3)", Needs.ANY)
    assert migrate(empty_postgres_url, (long,)) == (long,)


def test_the_doctor_can_look_at_it(odd_url: str) -> None:
    assert health_of(odd_url)["schema"] == "ok"


def test_a_database_that_takes_no_writes_is_named(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        setting = sql.SQL("alter database {} set default_transaction_read_only to on")
        conn.execute(setting.format(sql.Identifier(conn.info.dbname)))
    report = examine(postgres_url, "events")
    assert (report.findings[0].health, report.findings[0].what) == ("failure", "the database takes no writes")
    assert "default_transaction_read_only is on" in report.findings[0].why


def test_writes_are_refused_while_the_database_takes_none_and_done_once_it_does(postgres_url: str) -> None:
    """A session stays read-only for as long as it lives, and a pool keeps its sessions for an hour: all go with the first that is refused."""
    pool = open_pool(postgres_url, "test")

    def write(slug: str) -> None:
        with borrow(pool) as conn:
            conn.execute("insert into control.tenant (slug, name) values (%s, %s)", (slug, slug))

    with psycopg.connect(postgres_url, autocommit=True) as conn:
        name = sql.Identifier(conn.info.dbname)
        conn.execute(sql.SQL("alter database {} set default_transaction_read_only to on").format(name))
        try:
            pool.drain()
            with pytest.raises(Unavailable, match="it is read-only"):
                write("acme")
            conn.execute(sql.SQL("alter database {} reset default_transaction_read_only").format(name))
            with suppress(Unavailable):
                write("acme")
            write("globex")
        finally:
            pool.close()


def test_a_question_that_is_not_answered_keeps_no_other_from_being_asked(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as conn:
        conn.execute("alter table alerts.receiver rename to elsewhere")
    found = health_of(postgres_url)
    assert (found["outbox"], found["rejected"], found["tracking"]) == ("failure", "ok", "ok")


def health_of(url: str) -> dict[str, str]:
    return {one.check: one.health for one in examine(url, "events").findings}
