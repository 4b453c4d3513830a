"""A hazard model: how likely an account leaves in each month until its renewal is due, what that comes to, and why.

Each month's log-odds are a baseline by how near the term's end is, plus the account's contributions. The probability of losing
the renewal is that of leaving in any month up to the due one. Its log-odds, calibrated on a straight line (J. Platt, 1999), are
split among the contributions in proportion to them: a split that is exact, keeps their signs, and leaves the baseline the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from common.evidence import in_words
from common.risk import points as arithmetic
from common.risk.base_rates import BaseRate
from common.risk.features import FEATURES, Feature, term_of
from common.risk.logistic import chances, log_odds
from common.risk.score import Reason, Risk, added_up
from common.words import counted

BASELINE = "baseline"
LONGEST_MONTHS = 60
_SMALL = 1e-6


class Weight(msgspec.Struct, frozen=True):
    """Of one feature: its mean and deviation where it was known, what a deviation adds, and what not knowing it adds (never less than 0)."""

    mean: float
    deviation: float
    each: float
    unknown: float


class HazardModel(msgspec.Struct, frozen=True):
    """`baseline`: log-odds of leaving in a month, by how near the term's end is. `slope` (above 0) and `shift` calibrate."""

    baseline: dict[str, float]
    weights: dict[str, Weight]
    slope: float = 1.0
    shift: float = 0.0


def contributions(model: HazardModel, figures: Mapping[str, Any]) -> dict[str, float]:
    """What each feature adds to the log-odds of leaving in a month, against an account that is average in it."""
    found = {}
    for feature in FEATURES:
        weight = model.weights.get(feature.name)
        if weight is not None:
            value = feature.read(figures)
            away = 0.0 if value is None else (value - weight.mean) / weight.deviation
            found[feature.name] = weight.unknown if value is None else weight.each * away
    return found


def raw_log_odds(model: HazardModel, sum_of_contributions: float, months_to_due: int | None) -> float:
    """Of leaving by the end of the due month, not calibrated. Without a term: within 12 months."""
    months = (
        [None] * 12 if months_to_due is None else range(min(max(months_to_due, 0), LONGEST_MONTHS), -1, -1)
    )
    baseline = np.array([model.baseline[term_of(month)] for month in months])
    stays = np.log1p(-chances(baseline + sum_of_contributions)).sum()
    return float(log_odds(np.array([-np.expm1(stays)]))[0])


def judge(
    model: HazardModel, version: int, figures: Mapping[str, Any], months_to_due: int | None, base: BaseRate
) -> Risk:
    """The risk of a renewal that is due in so many calendar months (0: in this one). Reasons add up exactly."""
    parts = contributions(model, figures)
    together = sum(parts.values())
    start = raw_log_odds(model, 0.0, months_to_due)
    scale = model.slope
    if abs(together) > _SMALL:
        scale *= (raw_log_odds(model, together, months_to_due) - start) / together
    text = f"{_when(months_to_due)}; so likely does an account that is average in all else leave by then"
    begin = arithmetic.points_of_log_odds(model.slope * start + model.shift)
    told = [_reason(one, figures, scale * parts[one.name]) for one in FEATURES if one.name in parts]
    return added_up(
        "model", version, Reason(BASELINE, "Time to the renewal", "known", begin, text), told, base
    )


def _when(months_to_due: int | None) -> str:
    if months_to_due is None:
        return "It pays without a term, so within 12 months"
    return (
        f"The term ends in {counted(months_to_due, 'month')}" if months_to_due else "The term ends this month"
    )


def _reason(feature: Feature, figures: Mapping[str, Any], log_odds_added: float) -> Reason:
    known = figures.get(feature.figure) is not None
    text = in_words(feature.text, figures) if known else feature.unknown
    points = arithmetic.points_of_log_odds(log_odds_added) + 0.0
    return Reason(feature.name, feature.label, "known" if known else "unknown", points, text)


def probabilities(
    model: HazardModel, cases: Sequence[tuple[Mapping[str, Any], int | None]]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Calibrated, of many accounts at once."""
    raw = [
        raw_log_odds(model, sum(contributions(model, figures).values()), months) for figures, months in cases
    ]
    return chances(model.slope * np.array(raw) + model.shift)
