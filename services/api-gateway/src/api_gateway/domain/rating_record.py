"""Where a person and the score saw an account differently, and which of them its next renewal bore out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from common.catalogue.health import HealthProfile
from common.figures.values import wilson

# Fewer that are decided say nothing that a share could express.
LEAST_DECIDED = 20
# So much of what was due must be kept for an account to have been well.
KEPT = 0.9

Outcome = Literal["renewed", "reduced", "lost"]


@dataclass(frozen=True, slots=True)
class Rated:
    """A rating, what was computed at that moment, and the first renewal that was due after it.

    `kept`: of that renewal's MRR, 0 to 1; None while it is open, or none is known.
    """

    account: str
    profile: str
    band: str
    computed: str
    score: float | None
    rated_by: str
    rated_at: datetime
    due_at: datetime | None
    kept: float | None


def outcome_of(rated: Rated) -> Outcome | None:
    if rated.kept is None:
        return None
    return "renewed" if rated.kept >= KEPT else "reduced" if rated.kept > 0 else "lost"


def record(ratings: Sequence[Rated], profiles: Mapping[str, HealthProfile]) -> dict[str, Any]:
    """`ratings` in the order of their times. An account and renewal counts once, by the first rating that disagreed."""
    found: dict[tuple[str, datetime | None], dict[str, Any]] = {}
    for rated in ratings:
        if (said := _disagreement(rated, profiles)) is not None:
            found.setdefault((rated.account, rated.due_at), said)
    told = list(found.values())
    people, score = (sum(one["right"] == who for one in told) for who in ("person", "score"))
    decided = people + score
    share = wilson(people, decided) if decided >= LEAST_DECIDED else None
    return {
        "disagreements": len(told),
        "open": len(told) - decided,
        "person_right": people,
        "score_right": score,
        "person_right_share": None if share is None else people / decided,
        "low": None if share is None else share[0],
        "high": None if share is None else share[1],
        "data": sorted(told, key=lambda one: one["rated_at"], reverse=True),
    }


def _disagreement(rated: Rated, profiles: Mapping[str, HealthProfile]) -> dict[str, Any] | None:
    """None where they agree on healthy or not, or the profile has lost one of the bands."""
    bands = (
        {band.name: band.healthy for band in profiles[rated.profile].bands}
        if rated.profile in profiles
        else {}
    )
    said, computed = bands.get(rated.band), bands.get(rated.computed)
    if said is None or computed is None or said == computed:
        return None
    outcome = outcome_of(rated)
    return {
        "account": rated.account,
        "rated_at": rated.rated_at,
        "rated_by": rated.rated_by,
        "rating": rated.band,
        "computed": rated.computed,
        "score": rated.score,
        "due_at": rated.due_at,
        "outcome": outcome,
        "right": None if outcome is None else "person" if said == (outcome == "renewed") else "score",
    }
