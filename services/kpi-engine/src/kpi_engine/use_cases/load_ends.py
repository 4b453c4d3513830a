"""The end of a load: its accounts are judged when all of it is counted, not when they happened to be computed."""

from collections.abc import Sequence
from datetime import datetime

from kpi_engine.domain.ownership import Owned
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.stores import Progress
from kpi_engine.use_cases.compute_states import StateComputer


class LoadEnds:
    """Once every partition has applied a load, compares the accounts of those owned with their segments again, and says when that is done."""

    def __init__(self, progress: Progress, states: StateComputer, topic: str) -> None:
        self._progress, self._states, self._topic = progress, states, topic
        self._through: datetime | None = None
        self._settling: list[Owned] = []

    def settle(self, connection: Connection, owned: Sequence[Owned], now: datetime) -> None:
        """Make the accounts due that what other partitions applied has moved, of tenants whose load ended since this was done last."""
        found = None if self._through else self._progress.ended_loads(connection, self._topic, owned)
        if found is None:
            return
        through, tenants = found
        self._states.settle(connection, tenants, now)
        self._through, self._settling = through, list(owned)

    def computed(self, connection: Connection) -> None:
        """Say that the loads are settled: to be called when no account is due any more."""
        if self._through is not None:
            self._progress.settled(connection, self._settling, self._through)
            self._through = None
