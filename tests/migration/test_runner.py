"""The runner of migrations, on histories of our own and on the product's."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.db.migrate import DIRECTORY, Applied, Migration, Needs, check_version, migrate, plan, read_history
from common.errors import Rejected, Unavailable

ONE = Migration(1, "one", "create table one (id integer)", Needs.ANY)
TWO = Migration(2, "two", "create table two (id integer)", Needs.ANY)


def as_applied(*migrations: Migration) -> dict[int, Applied]:
    return {migration.version: Applied(migration.name, migration.sha256) for migration in migrations}


def table_names(url: str) -> set[str]:
    with psycopg.connect(url) as conn:
        rows = conn.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
    return {name for (name,) in rows}


@given(st.integers(0, 6), st.integers(0, 6))
def test_what_is_left_and_what_was_done_make_the_whole_history(done: int, more: int) -> None:
    history = tuple(Migration(n, f"m{n}", f"select {n}", Needs.ANY) for n in range(1, done + more + 1))
    assert history[:done] + plan(history, as_applied(*history[:done])) == history


def test_a_database_from_a_newer_version_is_refused() -> None:
    with pytest.raises(Rejected) as error:
        plan((ONE,), as_applied(ONE, TWO))
    assert error.value.code == "database-newer"


def test_a_file_changed_after_it_ran_is_refused() -> None:
    changed = Migration(1, "one", "create table uno (id integer)", Needs.ANY)
    with pytest.raises(Rejected) as error:
        plan((changed,), as_applied(ONE))
    assert error.value.code == "migration-changed"


def test_a_file_slipped_in_before_one_that_ran_is_refused() -> None:
    with pytest.raises(Rejected) as error:
        plan((ONE, TWO), as_applied(TWO))
    assert error.value.code == "migration-out-of-order"


@pytest.mark.parametrize("names", [["0001_a.sql", "0001_b.sql"], ["1_a.sql"], ["0001_A.sql"]])
def test_a_history_with_repeats_or_bad_names_is_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("select 1")
    with pytest.raises(Rejected) as error:
        read_history(tmp_path)
    assert error.value.code == "migrations-malformed"


def test_the_first_line_says_which_engine_a_file_is_for(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("-- timescaledb: only\nselect 1")
    (tmp_path / "0002_b.sql").write_text("-- timescaledb: never\nselect 1")
    (tmp_path / "0003_c.sql").write_text("-- what it is for\nselect 1")
    assert [m.needs for m in read_history(tmp_path)] == [Needs.TIMESCALEDB, Needs.PLAIN_POSTGRESQL, Needs.ANY]


@pytest.mark.parametrize("timescaledb", [True, False])
def test_of_two_files_for_different_engines_exactly_one_runs(*, timescaledb: bool) -> None:
    pair = [Migration(1, "a", "", Needs.TIMESCALEDB), Migration(2, "b", "", Needs.PLAIN_POSTGRESQL)]
    assert sum(m.runs_where(timescaledb=timescaledb) for m in pair) == 1


def test_migrating_twice_runs_each_file_once(empty_postgres_url: str) -> None:
    assert migrate(empty_postgres_url, (ONE,)) == (ONE,)
    assert migrate(empty_postgres_url, (ONE, TWO)) == (TWO,)
    assert migrate(empty_postgres_url, (ONE, TWO)) == ()


def test_many_callers_at_once_run_each_file_once(empty_postgres_url: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: migrate(empty_postgres_url, (ONE, TWO)), range(4)))
    assert sorted(map(len, results)) == [0, 0, 0, 2]


def test_a_failing_file_changes_nothing_and_those_before_it_stay(empty_postgres_url: str) -> None:
    broken = Migration(2, "broken", "create table half (id integer); select no_such_column", Needs.ANY)
    with pytest.raises(Rejected) as error:
        migrate(empty_postgres_url, (ONE, broken))
    assert table_names(empty_postgres_url) == {"one"}
    assert error.value.code == "migration-failed"
    assert (
        'Migration 0002_broken could not be run: column "no_such_column" does not exist.'
        in error.value.message
    )


def test_a_database_that_refuses_tables_says_so(empty_postgres_url: str) -> None:
    refuse = "alter role current_user set default_transaction_read_only = on"
    with psycopg.connect(empty_postgres_url, autocommit=True) as conn:
        conn.execute(refuse)
        try:
            with pytest.raises(Rejected) as error:
                migrate(empty_postgres_url, (ONE,))
        finally:
            conn.execute("alter role current_user reset default_transaction_read_only")
    assert "could not be prepared for migrations: cannot execute CREATE SCHEMA" in error.value.message


def test_a_database_that_goes_away_can_be_tried_again(empty_postgres_url: str) -> None:
    ending = Migration(1, "ending", "select pg_terminate_backend(pg_backend_pid())", Needs.ANY)
    with pytest.raises(Unavailable) as error:
        migrate(empty_postgres_url, (ending,))
    assert error.value.message.startswith("Migration 0001_ending could not be run: terminating connection")


def test_a_service_waits_for_migrations_and_starts_after_them(empty_postgres_url: str) -> None:
    with psycopg.connect(empty_postgres_url) as conn, pytest.raises(Unavailable) as error:
        check_version(conn, (ONE,))
    assert error.value.code == "database-behind"
    migrate(empty_postgres_url, (ONE,))
    with psycopg.connect(empty_postgres_url) as conn:
        check_version(conn, (ONE,))


def test_the_product_s_history_is_well_formed_and_a_fresh_database_has_all_of_it(postgres_url: str) -> None:
    assert len(read_history()) == len(list(DIRECTORY.iterdir()))
    with psycopg.connect(postgres_url) as conn:
        check_version(conn)
