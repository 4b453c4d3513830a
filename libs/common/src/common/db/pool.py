"""Connections for the services that answer requests: a bounded pool with bounded waiting."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import psycopg
from psycopg.types.json import set_json_loads
from psycopg_pool import ConnectionPool, PoolTimeout

from common.db.lost import LOST, unavailable
from common.db.session import OPTIONS

Connection = psycopg.Connection[tuple[Any, ...]]
Pool = ConnectionPool[Connection]


def open_pool(
    url: str, application_name: str, min_size: int = 1, max_size: int = 8, timeout_seconds: float = 5.0
) -> Pool:
    """Open a pool that checks a connection before lending it. Opening does not wait for the database: readiness says so instead."""
    return ConnectionPool(
        url,
        min_size=min_size,
        max_size=max_size,
        timeout=timeout_seconds,
        max_waiting=200,
        reconnect_timeout=float("inf"),
        check=ConnectionPool.check_connection,
        kwargs={"application_name": application_name, "connect_timeout": 5, "options": OPTIONS},
        configure=_configure,
        open=True,
    )


def _configure(connection: Connection) -> None:
    set_json_loads(_loads, connection)


def _loads(text: str | bytes) -> Any:
    """Five times as fast as the standard library, which reads what is left: numbers that no double holds."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return json.loads(text)


@contextmanager
def borrow(pool: Pool) -> Iterator[Connection]:
    """Lend a connection as one transaction; a database that can't be reached or written raises Unavailable."""
    try:
        with pool.connection() as connection:
            yield connection
    except (PoolTimeout, *LOST) as error:
        if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
            # A session stays what it began as: when writes are allowed again, or the name leads to the primary again, only new ones know.
            pool.drain()
        raise unavailable(error) from error


def database_check(pool: Pool) -> Callable[[], str | None]:
    """Return a readiness check: None when the database answers, else the reason."""

    def check() -> str | None:
        try:
            with pool.connection(timeout=2) as connection:
                connection.execute("select 1")
        except (PoolTimeout, psycopg.Error) as error:
            return f"database: {error}"
        return None

    return check
