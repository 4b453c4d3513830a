"""How far kept events are counted by versions of the definitions that aren't in force yet."""

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from common.catalogue.models import Catalogue
from common.contracts.instants import AHEAD
from common.contracts.record import partition_of
from kpi_engine.adapters.past_events import PastEvents, past_chunks
from kpi_engine.domain.batch import Pending, TenantBatch
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.past import Part

# Chunks hold up to some hundred events: a piece is about as large as a batch, and takes about as long.
PIECE_CHUNKS = 40

Uncounted = Mapping[int, tuple[int, int]]
"""By partition: chunks (after, through] that a version's measures have yet to count."""

_TAKE_UP = """
insert into engine.definition_past (tenant_id, version, partition, through)
select %(tenant_id)s, %(version)s, p, (select coalesce(max(chunk_id), 0) from engine.raw_chunk)
from unnest(%(partitions)s::int[]) as p
on conflict do nothing returning partition
"""
_REST = """
select partition, counted, through from engine.definition_past
where tenant_id = %(tenant_id)s and version = %(version)s and counted < through
"""
_COUNTED = """
update engine.definition_past set counted = least(%(counted)s, through)
where tenant_id = %(tenant_id)s and version = %(version)s and partition = any(%(partitions)s)
"""
_FINISH = """
insert into engine.definition_counted (tenant_id, version, kept_from)
select tenant_id, version, (select raw_from + %(ahead)s from engine.retained where tenant_id = %(tenant_id)s)
from engine.definition_past where tenant_id = %(tenant_id)s and version = %(version)s
group by 1, 2 having count(*) = %(partitions)s and bool_and(counted >= through)
on conflict do nothing returning version
"""
_HOMES = "select id, partition from engine.account where id = any(%(accounts)s)"


class PastStore:
    """Rows of one tenant's version; each call runs inside the caller's transaction."""

    def __init__(self, piece_chunks: int = PIECE_CHUNKS) -> None:
        self.piece_chunks = piece_chunks

    def take_up(
        self, connection: Connection, tenant_id: int, version: int, partitions: Sequence[int]
    ) -> list[int]:
        """Note where the past of these partitions ends, and return those that were not taken up before.

        From then on the version's measures count what arrives, so this must come between two batches of the partitions' owner.
        """
        parameters = {"tenant_id": tenant_id, "version": version, "partitions": list(partitions)}
        return [int(partition) for (partition,) in connection.execute(_TAKE_UP, parameters)]

    def next_part(
        self, connection: Connection, tenant_id: int, version: int, partitions: Sequence[int]
    ) -> Part | None:
        """Return what to count next for these partitions, or None when all of their past is counted."""
        rest = uncounted(connection, tenant_id, version)
        mine = {partition: span for partition, span in rest.items() if partition in partitions}
        if not mine:
            return None
        after = min(counted for counted, _ in mine.values())
        together = {p: through for p, (counted, through) in mine.items() if counted == after}
        others = [counted for counted, _ in mine.values() if counted > after]
        return Part(sorted(together), after, min([*together.values(), *others]))

    def counted(self, connection: Connection, tenant_id: int, version: int, part: Part, counted: int) -> None:
        connection.execute(
            _COUNTED,
            {
                "tenant_id": tenant_id,
                "version": version,
                "partitions": part.partitions,
                "counted": counted,
            },
        )

    def finish(self, connection: Connection, tenant_id: int, version: int, partitions: int) -> bool:
        """Put the version in force when all of so many partitions are counted; True for the one that did it."""
        parameters = {"tenant_id": tenant_id, "version": version, "partitions": partitions, "ahead": AHEAD}
        return connection.execute(_FINISH, parameters).fetchone() is not None

    def read(
        self,
        connection: Connection,
        tenant_id: int,
        pending: Pending,
        part: Part,
        partitions: int,
        internal: Collection[int],
        sees: Callable[[str], bool],
    ) -> tuple[TenantBatch | None, int]:
        """Return the events of a part's next chunks whose types it sees, and the last chunk read. `partitions`: of the whole topic."""
        known: dict[str, bool] = {}

        def wanted(types: list[str]) -> npt.NDArray[np.bool_]:
            for name in set(types) - known.keys():
                known[name] = sees(name)
            return np.fromiter(map(known.__getitem__, types), np.bool_, len(types))

        found, counted = past_chunks(
            connection, tenant_id, part.after, part.through, self.piece_chunks, wanted
        )
        if not found:
            return None, counted
        accounts = np.concatenate([events.account_ids for events in found])
        homes = _homes(connection, tenant_id, np.unique(accounts).tolist(), partitions)
        home_of = np.array([homes[account] for account in accounts.tolist()], np.int16)
        batch = _batch_of(tenant_id, pending.catalogue, found, home_of, part.partitions, internal)
        return (batch if len(batch.types) else None), counted


def _homes(
    connection: Connection, tenant_id: int, account_ids: Sequence[int], partitions: int
) -> dict[int, int]:
    """Return account -> partition; account 0 is the tenant itself."""
    row = connection.execute("select slug from control.tenant where id = %s", (tenant_id,)).fetchone()
    assert row is not None
    rows = connection.execute(_HOMES, {"accounts": list(account_ids)})
    return {0: partition_of(row[0], "", partitions), **{int(a): int(p) for a, p in rows}}


def _batch_of(
    tenant_id: int,
    catalogue: Catalogue,
    found: Sequence[PastEvents],
    home_of: npt.NDArray[np.int16],
    partitions: Sequence[int],
    internal: Collection[int],
) -> TenantBatch:
    """The events of these partitions alone."""
    kept = np.flatnonzero(np.isin(home_of, partitions))
    chosen = kept.tolist()
    people = np.concatenate([events.person_ids for events in found])[kept]
    types = [name for events in found for name in events.types]
    identities = [who for events in found for who in events.identities]
    bodies = [body for events in found for body in events.bodies]
    return TenantBatch(
        tenant_id,
        catalogue,
        home_of[kept],
        np.concatenate([events.account_ids for events in found])[kept],
        people,
        np.isin(people, list(internal)),
        [types[i] for i in chosen],
        np.concatenate([events.event_at_us for events in found])[kept],
        [identities[i].source for i in chosen],
        [identities[i].id for i in chosen],
        [bodies[i] for i in chosen],
    )


def uncounted(connection: Connection, tenant_id: int, version: int) -> Uncounted:
    """Return what a version's measures have yet to count, in all partitions."""
    rows = connection.execute(_REST, {"tenant_id": tenant_id, "version": version})
    return {int(partition): (int(after), int(through)) for partition, after, through in rows}
