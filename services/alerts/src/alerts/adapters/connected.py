"""Named statements on one connection."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import psycopg
from psycopg.types.json import Json

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

    def _do_all(self, statement: str, values: Sequence[Mapping[str, Any]]) -> None:
        """All of them at once, as the JSON array `rows`."""
        if values:
            self._connection.execute(self._sql[statement], {"rows": as_rows(values)})


def as_rows(values: Sequence[Mapping[str, Any]]) -> Json:
    """Timestamps and numerics as text, which their columns read without loss."""
    return Json(values, _dumps)


def _dumps(rows: object) -> str:
    return json.dumps(rows, default=_plain, ensure_ascii=False)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else str(value)
