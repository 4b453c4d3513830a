"""Edges that stopped to hold, in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime

from alerts.adapters.connected import Connected
from alerts.domain.edge_stops import EdgeStop
from alerts.ports.edge_stops import EdgeStops


class PostgresEdgeStops(Connected, EdgeStops):
    """A part of the ledger, on its connection."""

    def edge_news(self) -> list[EdgeStop]:
        return [EdgeStop(*row) for row in self._rows("edge_news")]

    def note_stopped(self, stops: Sequence[EdgeStop], at: datetime) -> None:
        self._do_many("note_stopped", [{"tenant": one.tenant_id, "id": one.id, "at": at} for one in stops])

    def note_holding(self, stops: Sequence[EdgeStop], at: datetime) -> None:
        self._do_many("note_holding", [{"tenant": one.tenant_id, "id": one.id, "at": at} for one in stops])
