"""No name is refused by definitions that others have replaced meanwhile."""

from collections.abc import Callable
from typing import TypeVar

from api_gateway.ports.figures import FigureReader
from common.catalogue.models import Catalogue, Metric
from common.errors import NotFound, Rejected

_UNKNOWN_NAMES = ("metric-unknown", "dimension-unknown", "segment-unknown")
T = TypeVar("T")


def by_newest(figures: FigureReader, tenant_id: int, answer: Callable[[Catalogue], T]) -> T:
    """Answer by the definitions in force; where they lack a name and newer ones came into force, once more by those."""
    catalogue = figures.catalogue(tenant_id)
    try:
        return answer(catalogue)
    except (NotFound, Rejected) as refused:
        newer = figures.renewed(tenant_id, catalogue) if refused.code in _UNKNOWN_NAMES else None
        if newer is None:
            raise
    return answer(newer)


def metric_of(catalogue: Catalogue, name: str) -> Metric:
    """Raises NotFound where the definitions have no such metric."""
    found = catalogue.metrics.get(name)
    if found is None:
        raise NotFound("metric-unknown", "there is no metric of that name; GET /v1/metrics lists them")
    return found
