"""Health as it is shown: never healthy while a grave case is open, beside what people think, and rolled up from children."""

from collections.abc import Mapping, Sequence
from typing import Any

from api_gateway.domain.records import CaseSummary, Child, Rating
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
    healthy = [band for band in profile.bands if band.healthy] if profile else []
    if not answer["healthy"] or case is None or case.severity != GRAVE or not healthy or profile is None:
        return answer
    limit = round(healthy[0].from_ - _STEP, 1)
    below = [band for band in profile.bands if band.from_ <= limit]
    held = {
        "score": min(answer["score"], limit),
        "band": below[-1].name if below else answer["band"],
        "healthy": False,
        "held_by_case": case.id,
    }
    return answer | held


def disagreement(healthy: bool | None, rating: Rating | None, profile: HealthProfile | None) -> bool | None:
    """Whether the person who rated last and the score differ on healthy or not; None where one of them says nothing."""
    if rating is None or healthy is None or profile is None:
        return None
    bands = {band.name: band.healthy for band in profile.bands}
    return None if rating.band not in bands else bands[rating.band] != healthy


def rolled_up(children: Sequence[Child]) -> dict[str, Any] | None:
    """The mean score of the children weighted by their MRR, or plain where none of them pays."""
    if not children:
        return None
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
