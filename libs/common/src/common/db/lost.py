"""What it looks like when a database can't serve, and what people are told of it."""

from typing import Final

import psycopg

from common.errors import Unavailable

# It is away or has no room, or it is a replica, which psycopg counts among its own defects.
LOST: Final = (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction)


def unavailable(error: Exception) -> Unavailable:
    """For people outside: nothing that the server says of itself."""
    if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        return Unavailable("database-unavailable", "the database takes no writes: it is read-only", 10)
    if isinstance(error, psycopg.errors.DiskFull):
        return Unavailable("database-unavailable", "the database takes no writes: it has no room left", 10)
    return Unavailable("database-unavailable", "the database does not answer; try again shortly", 2)
