"""Named statements on one connection."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from alerts.adapters.sql import statements

Connection = psycopg.Connection[tuple[Any, ...]]


class Connected:
    """What the stores of one ledger share: they are one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sql = statements()

    def _rows(self, statement: str, /, **values: object) -> list[tuple[Any, ...]]:
        return self._connection.execute(self._sql[statement], values).fetchall()

    def _do(self, statement: str, /, **values: object) -> int:
        """How many rows it concerned."""
        return self._connection.execute(self._sql[statement], values).rowcount

    def _do_many(self, statement: str, values: Sequence[Mapping[str, Any]]) -> None:
        if values:
            with self._connection.cursor() as cursor:
                cursor.executemany(self._sql[statement], values)
