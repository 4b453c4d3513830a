"""One history of plain SQL files for all schemas: who runs it, and how services make sure that it ran.

`migrations/NNNN_name.sql`, run in the order of their numbers. Each file runs in one transaction with the row that records it,
all of them under one advisory lock, so any number of callers may start at once. A file whose first line is
`-- timescaledb: only` runs where that extension is available, `-- timescaledb: never` where it is not; both are recorded either way.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from pathlib import Path

import psycopg

from common.db.session import UNHURRIED
from common.errors import Rejected, Unavailable

DIRECTORY = Path(__file__).with_name("migrations")
_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_ENGINE_LINE = re.compile(r"-- timescaledb: (only|never)\s*")
# Any constant of our own; the same in every version, or two versions would not exclude each other.
_LOCK_KEY = 0x62656C6C77657468

_CREATE_TABLE = """
create schema if not exists control;
create table if not exists control.migration (
    version integer primary key,
    name text not null,
    sha256 text not null,
    applied_at timestamptz not null default now()
)
"""


class Needs(Enum):
    ANY = "any"
    TIMESCALEDB = "only"
    PLAIN_POSTGRESQL = "never"


@dataclass(frozen=True)
class Migration:
    version: int
    name: str
    statements: str
    needs: Needs

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.statements.encode()).hexdigest()

    def runs_where(self, *, timescaledb: bool) -> bool:
        return self.needs is Needs.ANY or (self.needs is Needs.TIMESCALEDB) == timescaledb


@dataclass(frozen=True)
class Applied:
    name: str
    sha256: str


def read_history(directory: Path = DIRECTORY) -> tuple[Migration, ...]:
    """All migrations in order. Rejected when a file is misnamed or a number is used twice."""
    history = tuple(_parse(path) for path in sorted(directory.glob("*.sql")))
    for before, after in pairwise(history):
        if before.version == after.version:
            raise Rejected(
                "migrations-malformed",
                f"{before.name} and {after.name} both have number {after.version:04d}.",
            )
    return history


def _parse(path: Path) -> Migration:
    match = _FILE_NAME.fullmatch(path.name)
    if match is None:
        raise Rejected("migrations-malformed", f"{path.name} is not named NNNN_lower_case.sql.")
    statements = path.read_text(encoding="utf-8")
    engine = _ENGINE_LINE.fullmatch(statements.partition("\n")[0])
    return Migration(int(match[1]), match[2], statements, Needs(engine[1]) if engine else Needs.ANY)


def plan(history: Sequence[Migration], applied: Mapping[int, Applied]) -> tuple[Migration, ...]:
    """What is left to run. Rejected when the database holds what this code does not know, or knows differently."""
    unknown = sorted(set(applied) - {migration.version for migration in history})
    if unknown:
        raise Rejected(
            "database-newer",
            f"The database has migration {unknown[-1]:04d}_{applied[unknown[-1]].name}, which this version of Bellwether "
            "does not know: run the version that migrated it, or a newer one.",
        )
    for migration in history:
        before = applied.get(migration.version)
        if before is not None and before.sha256 != migration.sha256:
            raise Rejected(
                "migration-changed",
                f"Migration {migration.version:04d}_{migration.name} differs from what the database ran under that "
                "number: put the file back as it was and write the change as a new migration.",
            )
    pending = tuple(migration for migration in history if migration.version not in applied)
    if pending and applied and pending[0].version < max(applied):
        raise Rejected(
            "migration-out-of-order",
            f"Migration {pending[0].version:04d}_{pending[0].name} comes before {max(applied):04d}, which the database "
            "already ran: give it a higher number, so that every database runs the same history in the same order.",
        )
    return pending


def migrate(database_url: str, history: Sequence[Migration] | None = None) -> tuple[Migration, ...]:
    """Brings the database to this version and returns what was run or, on the other engine, only recorded.

    A failing file changes nothing, and those before it stay. Unavailable when the database cannot be reached or goes away,
    Rejected when it refuses something.
    """
    known = read_history() if history is None else history
    try:
        # Ours are all named with their schema; extensions go where the search path leads.
        options = f"{UNHURRIED} -c search_path=public"
        conn = psycopg.connect(database_url, autocommit=True, options=options)
    except psycopg.OperationalError as error:
        raise Unavailable(
            "database-unavailable", f"Cannot reach the database to migrate it: {error}"
        ) from error
    with _refusals("The database could not be prepared for migrations"), conn:
        # Held by the session: it ends with this connection, however that ends.
        conn.execute("select pg_advisory_lock(%s)", (_LOCK_KEY,))
        conn.execute(_CREATE_TABLE)
        pending = plan(known, read_applied(conn))
        timescaledb = has_timescaledb(conn)
        for migration in pending:
            _apply(conn, migration, timescaledb=timescaledb)
    return pending


def _apply(conn: psycopg.Connection, migration: Migration, *, timescaledb: bool) -> None:
    failed = f"Migration {migration.version:04d}_{migration.name} could not be run"
    with _refusals(failed), conn.transaction():
        if migration.runs_where(timescaledb=timescaledb):
            # Files of this package, read as they are: no parameter ever reaches them.
            conn.execute(migration.statements)
        conn.execute(
            "insert into control.migration (version, name, sha256) values (%s, %s, %s)",
            (migration.version, migration.name, migration.sha256),
        )


@contextmanager
def _refusals(failed: str) -> Iterator[None]:
    """What the database answers, told to whoever runs migrations. `failed`: what did not work."""
    try:
        yield
    except psycopg.Error as error:
        why = error.diag.message_primary or str(error).partition("\n")[0]
        message = (
            f"{failed}: {why}. Nothing of it remains, and what was run before it stays: mend the cause "
            "(the database's log has more of it), then run `bellwether migrate` again."
        )
        lost = isinstance(error, psycopg.OperationalError)
        raise (Unavailable if lost else Rejected)("migration-failed", message) from error


def has_timescaledb(conn: psycopg.Connection) -> bool:
    """Whether the server could create the extension, installed in this database or not."""
    return (
        conn.execute("select 1 from pg_available_extensions where name = 'timescaledb'").fetchone()
        is not None
    )


def read_applied(conn: psycopg.Connection) -> dict[int, Applied]:
    rows = conn.execute("select version, name, sha256 from control.migration order by version").fetchall()
    return {version: Applied(name, sha256) for version, name, sha256 in rows}


def check_version(conn: psycopg.Connection, history: Sequence[Migration] | None = None) -> None:
    """For services, which never migrate: returns when the database is exactly at this version.

    Unavailable (wait and look again) while migrations are still to be run; Rejected (end) when it is newer or different.
    """
    known = read_history() if history is None else history
    found = conn.execute("select to_regclass('control.migration') is not null").fetchone()
    applied = read_applied(conn) if found is not None and found[0] else {}
    pending = plan(known, applied)
    if pending:
        raise Unavailable(
            "database-behind",
            f"The database lacks migration {pending[0].version:04d}_{pending[0].name}: run `bellwether migrate`.",
        )
