"""Figures and the definitions behind them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from common.catalogue.models import Catalogue
from common.figures.model import Answer, Figure, Query


class FigureReader(Protocol):
    """Bound to one tenant. Raises Rejected for a question that can't be answered, Unavailable when the database doesn't answer."""

    def catalogue(self, tenant_id: int) -> Catalogue:
        """Return the definitions in force; NotFound (`catalogue-missing`) before the first `bellwether apply`."""
        ...

    def query(self, tenant_id: int, query: Query) -> Answer:
        """Answer one page."""
        ...

    def current(self, tenant_id: int, now: datetime) -> Sequence[Figure]:
        """Return every metric's figure of the running bucket: the local day, for movements between two moments the local month."""
        ...
