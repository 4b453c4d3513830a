"""How often figures of a metric were revised after they were complete."""

from typing import Any
from zoneinfo import ZoneInfo

from api_gateway.ports.corrections import CorrectionStore
from api_gateway.ports.figures import FigureReader
from common.catalogue.models import Metric
from common.clock import Clock
from common.figures.formulas import rows_told
from common.figures.parts import settles


class Steadying:
    def __init__(self, corrections: CorrectionStore, figures: FigureReader, clock: Clock) -> None:
        self._corrections, self._figures, self._clock = corrections, figures, clock

    def of(self, tenant_id: int, metric: Metric) -> dict[str, Any]:
        """Local days of the metric's measures that are complete, how many of them were revised, and their share (None: no day yet).

        Backfills are told apart, and don't count here. Of steps and answers, days with one are days that hold something; of last
        values and recurring revenue, all from the first one on.
        """
        catalogue = self._figures.catalogue(tenant_id)
        timezone = catalogue.settings.timezone
        before = (self._clock.now() - settles(metric, catalogue)).astimezone(ZoneInfo(timezone)).date()
        found = self._corrections.steadiness(tenant_id, rows_told(catalogue, metric), timezone, before)
        share = round(found.revised / found.complete, 6) if found.complete else None
        return {"complete_days": found.complete, "revised_days": found.revised, "share": share}
