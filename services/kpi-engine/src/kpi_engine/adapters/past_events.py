"""Raw events read back from their chunks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
import numpy as np
import numpy.typing as npt

from common.contracts.bodies import unpack_bodies
from kpi_engine.adapters.arrays import Int8s, instants, int8s
from kpi_engine.domain.buckets import EARLIEST, LATEST, microseconds
from kpi_engine.ports.connection import Connection

Int64s = npt.NDArray[np.int64]

_CHUNKS = """
select array_send(account_ids), array_send(person_ids), types, array_send(event_at), bodies from engine.raw_chunk
where accounts && %(accounts)s and event_to >= %(from)s and event_from <= %(to)s
"""


class Identity(msgspec.Struct, gc=False):
    """What tells an event from others of its account."""

    id: str
    source: str


_identity = msgspec.json.Decoder(Identity).decode


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
    account_ids: Sequence[int],
    person_id: int | None = None,
    first: datetime = EARLIEST,
    last: datetime = LATEST,
) -> Iterator[PastEvents]:
    """Yield the stored events of accounts (0: the tenant's own) with first <= time <= last, of one person or of all, in no order.

    A chunk at a time, so memory is bounded however long the past is.
    """
    low, high = microseconds(first), microseconds(last)
    wanted_accounts = np.array(account_ids, np.int64)
    with connection.cursor(name="past", binary=True) as cursor:
        cursor.itersize = 16
        cursor.execute(_CHUNKS, {"accounts": Int8s(wanted_accounts), "from": first, "to": last})
        for accounts, persons, types, at, packed in cursor:
            at_us, account_of, person_ids = instants(at), int8s(accounts), int8s(persons)
            wanted = np.isin(account_of, wanted_accounts) & (at_us >= low) & (at_us <= high)
            if person_id is not None:
                wanted &= person_ids == person_id
            positions = np.flatnonzero(wanted)
            if len(positions):
                lines = unpack_bodies(packed)
                bodies = [lines[i] for i in positions.tolist()]
                yield PastEvents(
                    account_of[positions],
                    person_ids[positions],
                    [types[i] for i in positions.tolist()],
                    at_us[positions],
                    [_identity(body) for body in bodies],
                    bodies,
                )
