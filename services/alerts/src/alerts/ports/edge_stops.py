"""Edges of the tree that stopped to hold, as the gateway found, and what people were told of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from alerts.domain.edge_stops import EdgeStop


class EdgeStops(Protocol):
    """Part of the ledger: same connection, same errors."""

    def edge_news(self) -> list[EdgeStop]:
        """Those that people don't know of and that hold no more still, and those of which they don't know that they hold again."""

    def note_stopped(self, stops: Sequence[EdgeStop], at: datetime) -> None: ...
    def note_holding(self, stops: Sequence[EdgeStop], at: datetime) -> None: ...
