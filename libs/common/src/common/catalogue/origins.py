"""Which version of the definitions brought each measure: its counts are kept apart from those by another definition."""

from __future__ import annotations

from typing import Any

from pydantic.main import IncEx

from common.catalogue.models import Catalogue, Measure

# What says nothing about what is kept: how it is called, and read.
_OF_STEPS: IncEx = {"__all__": {"new_case", "to_customer"}}
_ONLY_READ: IncEx = {"description": True, "slices": True, "steps": _OF_STEPS}


def origins(before: Catalogue | None, after: Catalogue, version: int) -> dict[str, int]:
    """Measure -> the version that brought its definition: `version` where it is new or counts otherwise than before.

    A first version is version 0 to its measures: nothing was counted before it.
    """
    if before is None:
        return dict.fromkeys(after.measures, 0)
    old = {name: _meaning(measure, before) for name, measure in before.measures.items()}
    return {
        name: before.origin_of(name) if old.get(name) == _meaning(measure, after) else version
        for name, measure in after.measures.items()
    }


def _meaning(measure: Measure, catalogue: Catalogue) -> object:
    """Equal for two definitions exactly when they count the same events into the same buckets."""
    return (
        catalogue.settings.timezone,
        _said(measure),
        _passive(catalogue) if _sees_activity(measure) else None,
        # Measures of who was seen where share what is stored, so they change together.
        sorted(
            (other.name, repr(_said(other)))
            for other in catalogue.measures.values()
            if _sees_people(measure) and _sees_people(other) and _events(other) == _events(measure)
        ),
    )


def _said(measure: Measure) -> dict[str, Any]:
    return measure.model_dump(mode="json", exclude=_ONLY_READ)


def _sees_activity(measure: Measure) -> bool:
    return measure.activity or measure.agg == "active_accounts"


def _sees_people(measure: Measure) -> bool:
    return measure.agg == "active_accounts" or (
        measure.agg == "distinct" and measure.field in (None, "data.user")
    )


def _events(measure: Measure) -> object:
    return frozenset(measure.event_types) or {"*"}, _sees_activity(measure), measure.where


def _passive(catalogue: Catalogue) -> list[str]:
    return sorted(name for name, kind in catalogue.event_types.items() if not kind.activity)
