"""Counts kept events by definitions that are new, piece by piece between batches, until a version is whole and in force.

What arrives is counted by the version in force and by the next one at once; what had arrived before a partition took the next
one up is counted here. A version answers when both are done in every partition, and until then the one before does.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from kpi_engine.domain.ownership import Owned
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.past import Past, PastFigures
from kpi_engine.ports.stores import Names, Progress


class PastCounter:
    """Takes pending versions up and counts their past, for the partitions that this engine owns."""

    def __init__(self, progress: Progress, names: Names, figures: PastFigures, past: Past) -> None:
        self._progress, self._names, self._figures, self._past = progress, names, figures, past

    def take_up(self, connection: Connection, owned: Sequence[Owned]) -> None:
        """Count what arrives from now on by every pending version. Call it whenever a version or a partition is new here."""
        if not owned:
            return
        partitions = [part.partition for part in owned]
        for tenant_id, pending in self._names.pending().items():
            with _remembered(self._figures), connection.transaction():
                self._progress.hold(connection, owned)
                new = self._past.take_up(connection, tenant_id, pending.version, partitions)
                self._figures.count_answers(connection, tenant_id, pending, new)

    def step(self, connection: Connection, owned: Sequence[Owned], partitions: int) -> bool:
        """Count one more piece of the past; False when there is nothing left to do here. `partitions`: of the whole topic.

        Raises Fenced when a partition is another engine's by now.
        """
        mine = [part.partition for part in owned]
        for tenant_id, pending in self._names.pending().items():
            with _remembered(self._figures), connection.transaction():
                self._progress.hold(connection, owned)
                part = self._past.next_part(connection, tenant_id, pending.version, mine)
                if part is None:
                    self._past.finish(connection, tenant_id, pending.version, partitions)
                    continue
                internal = self._names.internal_people(connection, tenant_id)
                batch, counted = self._past.read(
                    connection,
                    tenant_id,
                    pending,
                    part,
                    partitions,
                    internal,
                    partial(self._figures.sees, tenant_id, pending),
                )
                if batch is not None:
                    self._figures.count_past(connection, batch, pending)
                self._past.counted(connection, tenant_id, pending.version, part, counted)
            return True
        return False


@contextmanager
def _remembered(figures: PastFigures) -> Iterator[None]:
    """What figures remember follows the transaction inside."""
    try:
        yield
    except BaseException:
        figures.rolled_back()
        raise
    figures.committed()
