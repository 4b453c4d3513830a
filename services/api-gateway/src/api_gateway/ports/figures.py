"""Figures and the definitions behind them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from api_gateway.domain.records import Standing
from common.catalogue.models import Catalogue
from common.figures.evidence import Evidence
from common.figures.model import Answer, Figure, Moment, Query


class FigureReader(Protocol):
    """Bound to one tenant. Raises Rejected for a question that can't be answered, Unavailable when the database doesn't answer."""

    def catalogue(self, tenant_id: int) -> Catalogue:
        """Return the definitions in force; NotFound (`catalogue-missing`) before the first `bellwether apply`."""
        ...

    def renewed(self, tenant_id: int, than: Catalogue) -> Catalogue | None:
        """Return the definitions in force where they are others than these, which may have been kept for seconds; else None.

        Cheap to ask often: it looks ten times a second at most, and beyond that tells what it knows."""
        ...

    def counting(self, tenant_id: int) -> dict[str, Any] | None:
        """Return the next version of the definitions while it is being counted for the past: its number, the share done, and the
        metrics that are new or changed in it. None when all are in force."""
        ...

    def standing(self, tenant_id: int) -> Standing:
        """Return what the tenant's figures follow from, definitions and what was committed, time aside."""
        ...

    def began(self, tenant_id: int) -> datetime | None:
        """Return when anything of the tenant's accounts happened first; None before anything did."""
        ...

    def query(self, tenant_id: int, query: Query) -> Answer:
        """Answer one page."""
        ...

    def behind(
        self,
        tenant_id: int,
        metric: str,
        account_id: int,
        span: tuple[Moment, Moment],
        definitions: int | None,
    ) -> Evidence:
        """Tell which events of an account (0: the tenant's own) count for a metric over a range; NotFound for an unknown metric."""
        ...

    def current(self, tenant_id: int, now: datetime) -> Sequence[Figure]:
        """Return every metric's figure of the running bucket: the local day, for those of weekly or longer cadence the local month.

        The latter may be half a minute old; each says as of when it is."""
        ...
