"""What a write moved: the cells of one plan's measures, before they are told as revisions."""

from collections.abc import Mapping
from dataclasses import dataclass

from kpi_engine.domain.measures import Changes
from kpi_engine.domain.plan import Plan


@dataclass(frozen=True, slots=True)
class Moved:
    """`ids` are those of the plan's measures, by name."""

    plan: Plan
    ids: Mapping[str, int]
    changes: Changes
