"""How long figures take to settle: what changes before that is no revision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from common.figures.formulas import rows_told
from kpi_engine.domain.activity import window_name
from kpi_engine.domain.answers import MEASURES

if TYPE_CHECKING:
    from kpi_engine.domain.plan import Plan


@dataclass(frozen=True, slots=True)
class Settling:
    """Which rows are kept as deltas, and how long each takes to settle: as long as the quickest metric that reads it."""

    rolling: frozenset[str]
    seconds: Mapping[str, timedelta]
    least: timedelta


def settling_of(plan: Plan) -> Settling:
    rolling = {window_name(d.name, days) for d in plan.distinct for days in d.windows}
    rolling |= {window_name(a.name, days) for a in plan.active_accounts for days in a.windows}
    rolling |= {f"{name}_{part}" for name in plan.nps for part in MEASURES}
    waits: dict[str, timedelta] = {}
    for metric in plan.catalogue.metrics.values():
        for row in rows_told(plan.catalogue, metric):
            waits[row] = min(waits.get(row, metric.settles), metric.settles)
    return Settling(frozenset(rolling), waits, min(waits.values(), default=timedelta(0)))
