"""What stands in for the engine behind an import: it takes up what arrived at the door."""

import json
from collections.abc import Callable
from typing import Any

import psycopg
from tests.integration.cli.peer import KEY, Door

from common.auth.keys import KeyRow, hash_secret, parse
from common.auth.store import ensure_tenant, insert_key

Importing = Callable[..., dict[str, Any]]


class Engine:
    """Takes up what arrived at the door, as far as accounts and people are concerned."""

    def __init__(self, conn: psycopg.Connection[Any], door: Door) -> None:
        self.conn = conn
        self.tenant_id = ensure_tenant(self.conn, "default")
        key = parse(KEY)
        secret = hash_secret(key.secret)
        insert_key(conn, KeyRow(key.id, self.tenant_id, "default", secret, "ingest", "tests"))
        self._door = door

    def apply(self) -> None:
        """Each event once, however often it came."""
        for event in self._door.bodies.values():
            account = self._id("account (tenant_id, name, partition)", (self.tenant_id, event["subject"], 0))
            person = event["data"].get("user")
            person_id = person and self._id(
                "person (tenant_id, account_id, name)", (self.tenant_id, account, person)
            )
            for name, value in event["data"]["traits"].items():
                self.conn.execute(
                    """insert into engine.trait (tenant_id, account_id, person_id, name, at, source, event_id, value)
                       values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing""",
                    (self.tenant_id, account, person_id or 0, name, event["time"], event["source"], event["id"], json.dumps(value)),
                )  # fmt: skip

    def _id(self, table: str, values: tuple[object, ...]) -> int:
        marks = ", ".join(["%s"] * len(values))
        name = table.partition(" ")[0]
        self.conn.execute(f"insert into engine.{table} values ({marks}) on conflict do nothing", values)
        row = self.conn.execute(
            f"select max(id) from engine.{name} where name = %s",
            (values[-1] if name == "person" else values[1],),
        ).fetchone()
        assert row is not None
        return int(row[0])

    def report(self, import_id: str) -> list[tuple[Any, ...]]:
        return self.conn.execute(
            """select finding, line, subject, person, field, old, new, reason from control.import_line
               where import_id = %s order by finding, line, subject, person, field""",
            (import_id,),
        ).fetchall()
