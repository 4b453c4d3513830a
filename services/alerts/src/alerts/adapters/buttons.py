"""Buttons in PostgreSQL: the key of their links, what these are about, and which were pressed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg

from alerts.adapters.sql import statements
from alerts.domain.buttons import Link
from alerts.ports.buttons import ButtonBook, Pressable

Connection = psycopg.Connection[tuple[Any, ...]]


class PostgresButtons(ButtonBook):
    """Bound to one connection; the caller turns lost connections into Unavailable (`common.db.pool.borrow` does)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sql = statements()

    def key(self) -> bytes:
        return button_key(self._connection)

    def pressable(self, link: Link, link_hash: bytes) -> Pressable | None:
        values = {
            "tenant": link.tenant_id,
            "case": link.case_id,
            "receiver": link.receiver_id,
            "hash": link_hash,
        }
        row = self._connection.execute(self._sql["pressable"], values).fetchone()
        return Pressable(*row) if row else None

    def use(self, link: Link, link_hash: bytes, now: datetime) -> bool:
        self._connection.execute(self._sql["tidy_presses"], {"now": now})
        values = {
            "hash": link_hash,
            "tenant": link.tenant_id,
            "case": link.case_id,
            "action": link.action,
            "now": now,
            "expires": link.expires_at,
        }
        return self._connection.execute(self._sql["use_button"], values).fetchone() is not None


def names_of(connection: Connection, tenant_id: int, people: Sequence[int]) -> dict[int, str]:
    """Of those who are still known, as they are called today."""
    if not people:
        return {}
    values = {"tenant": tenant_id, "ids": list(people)}
    return dict(connection.execute(statements()["names_of_people"], values).fetchall())


def button_key(connection: Connection) -> bytes:
    row = connection.execute(statements()["button_key"]).fetchone()
    assert row is not None
    return bytes(row[0])
