"""Health as it is shown: never healthy while a grave case is open, beside what people think, and rolled up from children."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from api_gateway.domain.records import AccountRow, CaseSummary, Child, Rating
from common.catalogue.health import HealthProfile

GRAVE = "critical"
# The least step of a score as shown.
_STEP = 0.1


def shown(
    health: Mapping[str, Any], profile: HealthProfile | None, case: CaseSummary | None
) -> dict[str, Any]:
    """What the engine computed, held below the healthy bands while a grave case is open."""
    answer = {name: value for name, value in health.items() if name != "exact"}
    answer["held_by_case"] = None
    units = {its.name: its.unit for its in profile.inputs} if profile else {}
    answer["inputs"] = [its | {"unit": units.get(its["name"], "number")} for its in health["inputs"]]
    held = _held(answer["score"], answer["band"], profile) if case is not None and is_grave(case) else None
    if held is None or case is None:
        return answer
    return answer | {"score": held[0], "band": held[1], "healthy": False, "held_by_case": case.id}


def held_in_list(row: AccountRow, profile: HealthProfile | None) -> AccountRow:
    """The row with its figures of health as they are shown."""
    figures, case = row.figures, row.case
    if case is None or not is_grave(case):
        return row
    held = _held(figures.get("health"), figures.get("health_band"), profile)
    if held is None:
        return row
    return replace(row, figures={**figures, "health": held[0], "health_band": held[1]}, held_by_case=case.id)


def is_grave(case: CaseSummary) -> bool:
    """Critical, or one that people were told of at once."""
    return case.severity == GRAVE or case.is_paged


def limits(profile: HealthProfile) -> Mapping[str, float]:
    """Healthy bands by name, and the score that is shown at most instead of one of them."""
    healthy = [band for band in profile.bands if band.healthy]
    return {band.name: round(healthy[0].from_ - _STEP, 1) for band in healthy}


def _child_shown(child: Child, profile: HealthProfile | None) -> Child:
    held = _held(child.score, child.band, profile) if child.has_grave_case else None
    return child if held is None else replace(child, score=held[0], band=held[1])


def _held(score: float | None, band: str | None, profile: HealthProfile | None) -> tuple[float, str] | None:
    """Score and band under a grave case; None where they aren't healthy anyway."""
    limit = limits(profile).get(band) if profile is not None and band is not None else None
    if score is None or band is None or profile is None or limit is None:
        return None
    below = [its.name for its in profile.bands if its.from_ <= limit]
    return min(score, limit), below[-1] if below else band


def disagreement(healthy: bool | None, rating: Rating | None, profile: HealthProfile | None) -> bool | None:
    """Whether the person who rated last and the score differ on healthy or not; None where one of them says nothing."""
    if rating is None or healthy is None or profile is None:
        return None
    bands = {band.name: band.healthy for band in profile.bands}
    return None if rating.band not in bands else bands[rating.band] != healthy


def rolled_up(found: Sequence[Child], profiles: Mapping[str, HealthProfile]) -> dict[str, Any] | None:
    """The mean score of the children as shown, weighted by their MRR, or plain where none of them pays."""
    if not found:
        return None
    children = sorted(
        (_child_shown(child, profiles.get(child.profile or "")) for child in found),
        key=lambda child: (child.score is None, child.score or 0, child.id),
    )
    scored = [(child, child.score) for child in children if child.score is not None]
    weights = [float(child.mrr) for child, _ in scored]
    if not any(weight > 0 for weight in weights):
        weights = [1.0] * len(scored)
    total = sum(weights)
    score = sum(w * value for w, (_, value) in zip(weights, scored, strict=True)) / total if scored else None
    return {
        "accounts": len(children),
        "known": len(scored),
        "score": None if score is None else round(score, 1),
        "least_healthy": [{"id": c.id, "score": c.score, "band": c.band} for c in children[:10]],
    }
