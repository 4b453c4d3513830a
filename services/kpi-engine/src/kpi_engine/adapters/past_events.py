"""Raw events read back from their chunks."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import msgspec
import numpy as np
import numpy.typing as npt

from common.contracts.bodies import unpack_bodies
from kpi_engine.adapters.arrays import instants, int8s
from kpi_engine.domain.buckets import EARLIEST, LATEST, microseconds
from kpi_engine.ports.connection import Connection

Int64s = npt.NDArray[np.int64]

_CHUNKS = """
select array_send(account_ids), array_send(person_ids), types, array_send(event_at), bodies from engine.raw_chunk
where accounts @> array[%(account)s::int8] and event_to >= %(from)s and event_from <= %(to)s
"""


class Identity(msgspec.Struct, gc=False):
    """What tells an event from others of its account."""

    id: str
    source: str


_identity = msgspec.json.Decoder(Identity).decode


@dataclass(frozen=True, slots=True)
class PastEvents:
    """Events of one account as columns."""

    person_ids: Int64s
    types: list[str]
    event_at_us: Int64s
    identities: list[Identity]
    bodies: list[bytes]


def past_events(
    connection: Connection,
    account_id: int,
    person_id: int | None = None,
    first: datetime = EARLIEST,
    last: datetime = LATEST,
) -> Iterator[PastEvents]:
    """Yield an account's stored events (0: the tenant's own) with first <= time <= last, of one person or of all, in no order.

    A chunk at a time, so memory is bounded however long the past is.
    """
    low, high = microseconds(first), microseconds(last)
    with connection.cursor(name="past", binary=True) as cursor:
        cursor.itersize = 16
        cursor.execute(_CHUNKS, {"account": account_id, "from": first, "to": last})
        for accounts, persons, types, at, packed in cursor:
            at_us, person_ids = instants(at), int8s(persons)
            wanted = (int8s(accounts) == account_id) & (at_us >= low) & (at_us <= high)
            if person_id is not None:
                wanted &= person_ids == person_id
            positions = np.flatnonzero(wanted)
            if len(positions):
                lines = unpack_bodies(packed)
                bodies = [lines[i] for i in positions.tolist()]
                yield PastEvents(
                    person_ids[positions],
                    [types[i] for i in positions.tolist()],
                    at_us[positions],
                    [_identity(body) for body in bodies],
                    bodies,
                )
