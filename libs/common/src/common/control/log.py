"""The control log: amendments, deletions, erasures, backfills closed and reverted, in one order per tenant.

Entries are only ever appended. The engine applies each in every partition it concerns and keeps what came of it; `published.control_result`
has that.
"""

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

import uuid_utils

from common.db.pool import Connection
from common.errors import Conflict

Kind = Literal["amendment", "deletion", "erasure", "backfill_closed", "backfill_reverted", "rebuild"]
State = Literal["pending", "applied", "refused"]
# Long enough that no two people ever get the same one, and plainly not a name.
_TOKEN_BYTES = 16


@dataclass(frozen=True, slots=True)
class NewEntry:
    """What is to be appended; `body` is the corrected event, whole."""

    kind: Kind
    reason: str
    created_by: str
    account: str | None = None
    source: str | None = None
    event_id: str | None = None
    body: str | None = None
    person_hash: bytes | None = None
    token: str | None = None
    backfill_id: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry with what became of it. Refused: nothing of it was applied; `code` and `message` say why."""

    id: str
    seq: int
    kind: Kind
    account: str | None
    source: str | None
    event_id: str | None
    token: str | None
    backfill_id: str | None
    reason: str
    created_by: str
    created_at: datetime
    state: State
    applied_at: datetime | None
    code: str | None
    message: str | None
    counts: dict[str, int] = field(default_factory=dict)


# An entry is applied when every partition has passed it; the ones it doesn't concern leave no result.
_SELECT = """
select l.id::text, l.seq, l.kind, l.account, l.source, l.event_id, l.token, l.backfill_id::text, l.reason, l.created_by, l.created_at,
       case when r.refused then 'refused' when p.passed >= p.all_of_them and p.all_of_them > 0 then 'applied' else 'pending' end,
       r.applied_at, r.code, r.message, r.counts
from control.control_log l
cross join lateral (
  select count(*) as all_of_them,
         count(*) filter (where exists (select from published.control_progress c
                                        where c.tenant_id = l.tenant_id and c.partition = g.partition and c.seq >= l.seq)) as passed
  from published.progress g where g.topic = %(topic)s
) p
cross join lateral (
  select coalesce(bool_or(state = 'refused'), false) as refused, max(applied_at) as applied_at, max(code) as code, max(message) as message,
         coalesce((select jsonb_object_agg(k, v) from (
           select e.key as k, sum(e.value::int) as v from published.control_result s, jsonb_each_text(s.counts) e
           where s.tenant_id = l.tenant_id and s.seq = l.seq group by 1) as sums), '{}') as counts
  from published.control_result s where s.tenant_id = l.tenant_id and s.seq = l.seq
) r
where l.tenant_id = %(tenant)s
"""

_ERASED_BEFORE = """
select l.id::text, l.token, exists (
  select from published.control_result r where r.tenant_id = l.tenant_id and r.seq = l.seq and r.state = 'refused')
from control.control_log l where l.tenant_id = %s and l.person_hash = %s and l.kind = 'erasure' order by l.seq desc limit 1
"""


def append(connection: Connection, tenant_id: int, new: NewEntry, now: datetime) -> str:
    """Append an entry in a transaction of its own or the caller's; returns its id. One tenant's entries get their order one by one.

    Raises Conflict (`person-erased`) for a person who is erased already, or is about to be. Who was only erased in part, because a
    partition refused, is erased again, and keeps the token.
    """
    entry_id = str(uuid_utils.uuid7())
    with connection.transaction():
        connection.execute("select from control.tenant where id = %s for update", (tenant_id,))
        if new.kind == "erasure":
            new = replace(new, token=_token_of_refused(connection, tenant_id, new) or new.token)
        connection.execute(
            """insert into control.control_log (tenant_id, seq, id, kind, account, source, event_id, body, person_hash, token, backfill_id,
                                                reason, created_by, created_at)
               values (%(tenant)s, (select coalesce(max(seq), 0) + 1 from control.control_log where tenant_id = %(tenant)s), %(id)s, %(kind)s,
                       %(account)s, %(source)s, %(event_id)s, %(body)s, %(hash)s, %(token)s, %(backfill)s, %(reason)s, %(by)s, %(now)s)""",
            {
                "tenant": tenant_id,
                "id": entry_id,
                "kind": new.kind,
                "account": new.account,
                "source": new.source,
                "event_id": new.event_id,
                "body": new.body,
                "hash": new.person_hash,
                "token": new.token,
                "backfill": new.backfill_id,
                "reason": new.reason,
                "by": new.created_by,
                "now": now,
            },
        )
    return entry_id


def _token_of_refused(connection: Connection, tenant_id: int, new: NewEntry) -> str | None:
    """The token that the person has where an erasure was not refused; None where nobody asked for one yet."""
    known = connection.execute(_ERASED_BEFORE, (tenant_id, new.person_hash)).fetchone()
    if known is None:
        return None
    entry_id, token, refused = known
    if not refused:
        raise Conflict("person-erased", f"this person is erased already, by entry {entry_id}")
    return str(token)


def entry(connection: Connection, tenant_id: int, topic: str, entry_id: str) -> Entry | None:
    """Return an entry with what became of it. `topic` is the engine's events topic."""
    try:
        wanted = str(uuid.UUID(entry_id))
    except ValueError:
        return None
    row = connection.execute(
        f"{_SELECT} and l.id = %(id)s", {"tenant": tenant_id, "topic": topic, "id": wanted}
    ).fetchone()
    return None if row is None else Entry(*row)


def entries(
    connection: Connection,
    tenant_id: int,
    topic: str,
    kinds: Sequence[Kind],
    below: int | None,
    limit: int,
) -> list[Entry]:
    """Return entries of some kinds, the newest first, from below a number on."""
    parameters: dict[str, Any] = {
        "tenant": tenant_id, "topic": topic, "kinds": list(kinds), "below": below, "limit": limit,
    }  # fmt: skip
    statement = (
        f"{_SELECT} and l.kind = any(%(kinds)s) and (%(below)s::bigint is null or l.seq < %(below)s) "
        "order by l.seq desc limit %(limit)s"
    )
    return [Entry(*row) for row in connection.execute(statement, parameters)]


def erasure_key(connection: Connection) -> bytes:
    """Return this installation's key for hashes of erased people."""
    row = connection.execute("select erasure_key from control.installation").fetchone()
    assert row is not None
    return bytes(row[0])


def person_hash(key: bytes, tenant_id: int, person: str) -> bytes:
    """Return what is kept of an erased person's name: nobody finds the name from it without trying names with the key at hand."""
    return hmac.new(key, f"{tenant_id}\0{person}".encode(), hashlib.sha256).digest()


def new_token() -> str:
    """Return what stands in the place of an erased person."""
    return f"erased-{secrets.token_hex(_TOKEN_BYTES)}"
