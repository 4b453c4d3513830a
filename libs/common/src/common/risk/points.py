"""Points of risk: 10 double the odds. A tenth of a point is the least that is told apart, so that sums of points are exact."""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, log

DOUBLING = 10.0
"""So many points double the odds; a convention of credit scoring ("points to double the odds")."""
_LOG_ODDS = log(2) / DOUBLING


def points_of_log_odds(log_odds: float) -> float:
    return round(log_odds / _LOG_ODDS, 1)


def points_of(probability: float) -> float:
    """Of a probability in (0, 1)."""
    return points_of_log_odds(log(probability / (1 - probability)))


def log_odds_of(points: float) -> float:
    return points * _LOG_ODDS


def total(points: Iterable[float]) -> float:
    """Their sum in exact tenths, in whatever order they come."""
    return sum(round(one * 10) for one in points) / 10


def probability_of(points: float) -> float:
    """As shown: to four decimals, and never quite 0 or 1."""
    return shown(logistic(log_odds_of(points)))


def shown(probability: float) -> float:
    return min(max(round(probability, 4), 0.0001), 0.9999)


def logistic(log_odds: float) -> float:
    if log_odds >= 0:
        return 1 / (1 + exp(-log_odds))
    return exp(log_odds) / (1 + exp(log_odds))
