"""What a metric is held against: targets, and what its industry reaches, beside what was reached in the past year."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from api_gateway.domain.aims import is_stretch
from api_gateway.ports.figures import FigureReader
from api_gateway.ports.imports import AimRow, ImportReader
from common.catalogue.models import MONEY, Metric
from common.catalogue.scorecard import Benchmark
from common.clock import Clock
from common.errors import Rejected
from common.figures.calendar import add_months
from common.figures.model import GroupValue, Number, Query
from common.figures.named_segments import PREFIX

_MONTHS = 12
_MOST_SEGMENTS = 20  # each costs a year of figures; whether later ones are a stretch stays unknown
_SEGMENT = (
    "segment"  # the trait that a target's slice is a value of where the definitions have no such segment
)


class Aims:
    """Of one metric at a time."""

    def __init__(self, imports: ImportReader, figures: FigureReader, clock: Clock) -> None:
        self._imports, self._figures, self._clock = imports, figures, clock

    def beside(self, tenant_id: int, metric: Metric) -> dict[str, Any]:
        """Return `targets` and `industry`, those of the definitions first, as JSON objects.

        `outdated` says why one is held against nothing: it was stated in another unit or currency than the metric has now.
        """
        catalogue = self._figures.catalogue(tenant_id)
        stated = catalogue.benchmarks_of(metric.name)
        shown = partial(_shown, metric, catalogue.settings.currency)
        targets = [_of_file(aim) for aim in stated if aim.kind == "target"]
        targets += [shown(row, "by") for row in self._imports.targets(tenant_id, metric.name)]
        segments = list(dict.fromkeys(target["segment"] for target in targets))
        began = self._figures.began(tenant_id) if segments else None
        past = {
            segment: self._past(tenant_id, metric.name, segment, began)
            for segment in segments[:_MOST_SEGMENTS]
        }
        for target in targets:
            aim = tuple(_number(target[name]) for name in ("value", "low", "high"))
            known = [] if target.get("outdated") else past.get(target["segment"], [])
            target["stretch"] = is_stretch((aim[0], aim[1], aim[2]), metric.direction, known)
        industry = [_of_file(aim) for aim in stated if aim.kind == "industry"]
        industry += [shown(row, "day") for row in self._imports.ranges(tenant_id, metric.name)]
        return {"targets": targets, "industry": industry}

    def _past(
        self, tenant_id: int, metric: str, segment: str | None, began: datetime | None
    ) -> Sequence[Number | None]:
        """The figures of the last 12 local months that are over, since the company was first heard of; none where the slice doesn't exist."""
        catalogue = self._figures.catalogue(tenant_id)
        zone = ZoneInfo(catalogue.settings.timezone)
        end = self._clock.now().astimezone(zone).date().replace(day=1)
        if began is None:
            return []
        start = max(add_months(end, -_MONTHS), add_months(began.astimezone(zone).date().replace(day=1), 1))
        if start >= end:
            return []
        wanted: dict[str, tuple[GroupValue, ...]] = {}
        if segment is not None:
            wanted = {PREFIX + segment: (True,)} if segment in catalogue.segments else {_SEGMENT: (segment,)}
        try:
            found = self._figures.query(tenant_id, Query((metric,), start, end, "month", filter=wanted))
        except Rejected:
            return []
        return [figure.value for figure in found.figures]


def _of_file(aim: Benchmark) -> dict[str, Any]:
    said = aim.model_dump(mode="json", exclude={"kind", "metric", "months"})
    return {"stated_in": "definitions", "segment": None, "set_at": None, **said}


def _shown(metric: Metric, currency: str, row: AimRow, day: str) -> dict[str, Any]:
    said = asdict(row)
    said[day] = said.pop("at")
    said["unit"] = stated = row.unit or metric.unit
    said["currency"] = row.currency or (currency if stated in MONEY else None)
    if stated not in MONEY:
        said |= {name: None if said[name] is None else float(said[name]) for name in ("value", "low", "high")}
    now = metric.unit, currency if metric.is_money else None
    if (stated, said["currency"]) != now:
        was, is_now = (said["currency"] or stated, now[1] or metric.unit)
        said["outdated"] = (
            f"it was stated in {was}, and {metric.name} is in {is_now} now; import it anew, or withdraw it"
        )
    return {"stated_in": "import", **said}


def _number(value: object) -> Number | None:
    return value if isinstance(value, int | float | Decimal) else None
