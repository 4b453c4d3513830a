"""Making all figures of a tenant anew from the raw events as they stand, which the control log has been applied to.

One transaction per partition: readers see the old figures until the new ones are whole. The engine's arithmetic doesn't depend on
order, so what comes out is what was there; where it is not, figures had been tampered with, or definitions refuse events that they
took before.
"""

from common.errors import Rejected
from kpi_engine.domain.ownership import Owned
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.control import Control, Entry, Outcome, Rebuilds, Retractable
from kpi_engine.ports.stores import Names

_LAST_CHUNK = 2**63 - 1


class Rebuilder:
    """`piece_events`: so many are held at once."""

    def __init__(
        self, names: Names, figures: Retractable, control: Control, rebuilds: Rebuilds, piece_events: int
    ) -> None:
        self._names, self._figures, self._control, self._rebuilds = names, figures, control, rebuilds
        self._piece_events = piece_events

    def rebuild(self, connection: Connection, entry: Entry, part: Owned, partitions: int) -> Outcome:
        """Raises Rejected where the figures could not be made anew whole."""
        tenant_id = entry.tenant_id
        catalogue = self._names.catalogue(connection, tenant_id)
        if catalogue is None:
            raise Rejected("tenant-without-catalogue", "the tenant has no catalogue: nothing is counted yet")
        kept_from = self._control.raw_from(connection, tenant_id)
        if kept_from is not None:
            message = f"raw events that arrived before {kept_from.isoformat()} are no longer kept; a rebuild would forget them"
            raise Rejected("raw-events-dropped", message)
        accounts = self._rebuilds.accounts(connection, tenant_id, part.partition)
        _, home_of_tenant = self._control.account(connection, entry, "", partitions)
        wanted = [*accounts, 0] if home_of_tenant == part.partition else accounts
        measure_ids = self._figures.measure_ids(connection, tenant_id, catalogue)
        self._figures.forget()
        self._rebuilds.clear(connection, tenant_id, part.partition, wanted, measure_ids)
        outcome = Outcome(accounts=set(accounts))
        for piece in self._rebuilds.pieces(connection, tenant_id, wanted, self._piece_events):
            internal = self._names.internal_people(connection, tenant_id)
            batch = piece.batch(tenant_id, catalogue, part.partition, internal)
            reading = self._figures.read(batch)
            # Who turns out to be our own is corrected in what is written; the events of later pieces are stored already.
            unwritten = {part.partition: (piece.through, _LAST_CHUNK)}
            written = self._figures.write(connection, batch, reading, unwritten)
            outcome.took(written)
            outcome.count("events", len(piece) - len(reading.rejected))
            outcome.count("unreadable", len(reading.rejected))
            self._figures.committed()
        return outcome
