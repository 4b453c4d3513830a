"""Backfills: history that is loaded beside what is counted, then counted at once, and can be taken back."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import uuid_utils

from common.control.log import Kind, NewEntry, append
from common.db.pool import Connection
from common.errors import Conflict, NotFound

State = Literal["open", "closed", "reverted"]


@dataclass(frozen=True, slots=True)
class Backfill:
    """`staged_events` arrived for it so far. Closed and reverted say what was asked for; its entry in the control log, how far that is."""

    id: str
    description: str
    state: State
    opened_at: datetime
    closed_at: datetime | None
    reverted_at: datetime | None
    created_by: str
    staged_events: int
    close_entry: str | None
    revert_entry: str | None


_SELECT = """
select b.id::text, b.description, b.state, b.opened_at, b.closed_at, b.reverted_at, b.created_by,
       (select coalesce(sum(s.events), 0)::bigint from published.staged s where s.backfill_id = b.id),
       (select l.id::text from control.control_log l where l.tenant_id = b.tenant_id and l.backfill_id = b.id and l.kind = 'backfill_closed'),
       (select l.id::text from control.control_log l where l.tenant_id = b.tenant_id and l.backfill_id = b.id and l.kind = 'backfill_reverted')
from control.backfill b where b.tenant_id = %(tenant)s
"""


def open_backfill(
    connection: Connection, tenant_id: int, description: str, created_by: str, now: datetime
) -> Backfill:
    backfill_id = str(uuid_utils.uuid7())
    connection.execute(
        "insert into control.backfill (id, tenant_id, description, opened_at, created_by) values (%s, %s, %s, %s, %s)",
        (backfill_id, tenant_id, description, now, created_by),
    )
    return backfill(connection, tenant_id, backfill_id)


def backfill(connection: Connection, tenant_id: int, backfill_id: str) -> Backfill:
    """Raises NotFound."""
    unknown = NotFound(
        "backfill-unknown", "this tenant has no backfill of that id; `GET /v1/backfills` lists them"
    )
    try:
        wanted = str(uuid.UUID(backfill_id))
    except ValueError as error:
        raise unknown from error
    row = connection.execute(f"{_SELECT} and b.id = %(id)s", {"tenant": tenant_id, "id": wanted}).fetchone()
    if row is None:
        raise unknown
    return Backfill(*row)


def backfills(connection: Connection, tenant_id: int, limit: int) -> Sequence[Backfill]:
    """The newest first."""
    statement = f"{_SELECT} order by b.opened_at desc, b.id desc limit %(limit)s"
    return [Backfill(*row) for row in connection.execute(statement, {"tenant": tenant_id, "limit": limit})]


def close(
    connection: Connection, tenant_id: int, backfill_id: str, created_by: str, now: datetime
) -> Backfill:
    """Ask for everything that arrived for it to be counted. Repeating it changes nothing. Raises NotFound, Conflict."""
    move = _Move("open", "closed", "closed_at", "backfill_closed")
    return _moved(connection, tenant_id, backfill_id, move, created_by, now)


def revert(
    connection: Connection, tenant_id: int, backfill_id: str, created_by: str, now: datetime
) -> Backfill:
    """Ask for what it brought to be taken out, and for what it displaced to come back. Raises NotFound, Conflict."""
    move = _Move("closed", "reverted", "reverted_at", "backfill_reverted")
    return _moved(connection, tenant_id, backfill_id, move, created_by, now)


@dataclass(frozen=True, slots=True)
class _Move:
    before: State
    after: State
    column: Literal["closed_at", "reverted_at"]
    kind: Kind


def _moved(
    connection: Connection, tenant_id: int, backfill_id: str, move: _Move, created_by: str, now: datetime
) -> Backfill:
    with connection.transaction():
        connection.execute("select from control.tenant where id = %s for update", (tenant_id,))
        found = backfill(connection, tenant_id, backfill_id)
        if found.state == move.before:
            connection.execute(
                f"update control.backfill set state = %s, {move.column} = %s where id = %s",
                (move.after, now, found.id),
            )
            new = NewEntry(move.kind, found.description, created_by, backfill_id=found.id)
            append(connection, tenant_id, new, now)
        elif found.state != move.after:
            message = f"this backfill is {found.state}; only one that is {move.before} can be {move.after}"
            raise Conflict(f"backfill-{found.state}", message)
    return backfill(connection, tenant_id, backfill_id)
