"""A PostgreSQL of our own, and databases in it."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from common.db.migrate import migrate
from common.local.ports import free_ports
from common.local.postgres import VOLATILE, LocalPostgres


@contextmanager
def databases() -> Iterator[Callable[[str], str]]:
    """A PostgreSQL of our own; what it gives makes a migrated database of a name, and its address."""
    directory = Path(tempfile.mkdtemp(prefix="bellwether-bases-"))
    directory.chmod(0o755)  # the database's own account has to reach its files
    running = LocalPostgres(directory / "postgres", free_ports(1)[0], settings=VOLATILE)

    def database(name: str) -> str:
        with psycopg.connect(running.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        migrate(running.url(name))
        return running.url(name)

    try:
        running.start()
        yield database
    finally:
        running.stop()
        shutil.rmtree(directory, ignore_errors=True)
