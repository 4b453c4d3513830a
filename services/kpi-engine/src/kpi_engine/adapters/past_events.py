"""Raw events read back from their chunks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import numpy as np
import numpy.typing as npt

from common.contracts.bodies import unpack_bodies
from common.contracts.instants import microseconds
from kpi_engine.adapters.arrays import Int8s, instants, int8s
from kpi_engine.domain.buckets import EARLIEST, LATEST
from kpi_engine.ports.connection import Connection

Int64s = npt.NDArray[np.int64]

# Declared by hand: the client's own named cursors know no pipeline. Chunks are found by their accounts: with "is true" the planner
# can't read all of the tenant's instead.
_CHUNKS = """
declare past no scroll cursor for
select array_send(account_ids), array_send(person_ids), types, array_send(event_at), bodies from engine.raw_chunk
where accounts && %(accounts)s and (tenant_id = %(tenant_id)s) is true and event_to >= %(from)s and event_from <= %(to)s
  and not (chunk_id > %(skip_after)s and chunk_id <= %(skip_through)s)
"""
_NEXT = "fetch forward 16 from past"
_IN_ORDER = """
select chunk_id, array_send(account_ids), array_send(person_ids), types, array_send(event_at), bodies from engine.raw_chunk
where tenant_id = %(tenant_id)s and chunk_id > %(after)s and chunk_id <= %(through)s order by chunk_id limit %(limit)s
"""


class Identity(msgspec.Struct, gc=False):
    """What tells an event from others of its account."""

    id: str
    source: str


_identity = msgspec.json.Decoder(Identity).decode


def identity_of(body: bytes) -> tuple[str, str]:
    """Source and id of a stored event."""
    who = _identity(body)
    return who.source, who.id


@dataclass(frozen=True, slots=True)
class PastEvents:
    """Stored events as columns."""

    account_ids: Int64s
    person_ids: Int64s
    types: list[str]
    event_at_us: Int64s
    identities: list[Identity]
    bodies: list[bytes]


def past_events(
    connection: Connection,
    tenant_id: int,
    account_ids: Sequence[int],
    person_id: int | None = None,
    first: datetime = EARLIEST,
    last: datetime = LATEST,
    skipped: tuple[int, int] | None = None,
) -> Iterator[PastEvents]:
    """Yield the stored events of a tenant's accounts with first <= time <= last, of one person or of all, in no order.

    Account 0 stands for the tenant itself, whichever it is.

    A few chunks at a time, so memory is bounded however long the past is. Chunks (after, through] that are `skipped` stay unread.
    To be read to its end within one transaction, one such past after the other.
    """
    low, high = microseconds(first), microseconds(last)
    wanted_accounts = np.array(account_ids, np.int64)
    after, through = skipped or (0, 0)
    parameters = {"tenant_id": tenant_id, "accounts": Int8s(wanted_accounts), "from": first, "to": last}
    connection.execute(_CHUNKS, {**parameters, "skip_after": after, "skip_through": through})
    while rows := connection.execute(_NEXT, binary=True).fetchall():
        for accounts, persons, types, at, packed in rows:
            at_us, account_of, person_ids = instants(at), int8s(accounts), int8s(persons)
            wanted = np.isin(account_of, wanted_accounts) & (at_us >= low) & (at_us <= high)
            if person_id is not None:
                wanted &= person_ids == person_id
            if wanted.any():
                yield _chosen(np.flatnonzero(wanted), account_of, person_ids, types, at_us, packed)
    connection.execute("close past")


def past_chunks(
    connection: Connection,
    tenant_id: int,
    after: int,
    through: int,
    limit: int,
    wanted: Callable[[list[str]], npt.NDArray[np.bool_]],
) -> tuple[list[PastEvents], int]:
    """Return the wanted events of a tenant's next chunks in (after, through], and the last chunk that was read.

    `wanted` says of types, event by event, which are. `through` comes back when no chunk is left.
    """
    found: list[PastEvents] = []
    parameters = {"tenant_id": tenant_id, "after": after, "through": through, "limit": limit}
    rows = connection.execute(_IN_ORDER, parameters, binary=True).fetchall()
    for _, accounts, persons, types, at, packed in rows:
        account_of = int8s(accounts)
        chosen = np.flatnonzero(wanted(types))
        if len(chosen):
            found.append(_chosen(chosen, account_of, int8s(persons), types, instants(at), packed))
    return found, int(rows[-1][0]) if len(rows) == limit else through


def _chosen(
    positions: Int64s,
    account_of: Int64s,
    person_ids: Int64s,
    types: Sequence[str],
    at_us: Int64s,
    packed: bytes,
) -> PastEvents:
    lines = unpack_bodies(packed)
    chosen = positions.tolist()
    bodies = [lines[i] for i in chosen]
    return PastEvents(
        account_of[positions],
        person_ids[positions],
        [types[i] for i in chosen],
        at_us[positions],
        [_identity(body) for body in bodies],
        bodies,
    )
