"""How good probabilities were: Brier score, log loss, reliability, and whether one set is better than another on the same renewals."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from common.risk.logistic import Bools, Floats

_RESAMPLES = 2_000
_SEED = 20_260_101
"""Fixed, so that the same past gives the same verdict."""


class Interval(Struct, frozen=True):
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


class Bin(Struct, frozen=True):
    """Of `n` renewals that were given about the probability `said`, the share `seen` was lost."""

    said: float
    seen: float
    n: int


class Trial(Struct, frozen=True):
    """On renewals that neither was made from. `gain_*`: the score's loss less the model's, above 0 where the model is better.

    Intervals are of a bootstrap that draws accounts, since renewals of one are alike. `expected_over_seen`: renewals lost by the
    model's count over those that were.
    """

    renewals: int
    lost: int
    brier: Interval
    brier_of_score: float
    gain_brier: Interval
    gain_log_loss: Interval
    expected_over_seen: float
    reliability: list[Bin]


def brier(probability: Floats, lost: Bools) -> Floats:
    """Of each renewal. Source: G. W. Brier, Monthly Weather Review 78 (1950) 1-3."""
    return (probability - lost) ** 2


def log_loss(probability: Floats, lost: Bools) -> Floats:
    inside = np.clip(probability, 1e-6, 1 - 1e-6)
    return -np.where(lost, np.log(inside), np.log(1 - inside))


def compare(
    accounts: np.ndarray[tuple[int], np.dtype[np.int64]], model: Floats, score: Floats, lost: Bools
) -> Trial:
    """`model` and `score` judged by the same outcomes."""
    better = brier(score, lost) - brier(model, lost)
    gain = log_loss(score, lost) - log_loss(model, lost)
    return Trial(
        renewals=len(lost),
        lost=int(lost.sum()),
        brier=interval(accounts, brier(model, lost)),
        brier_of_score=float(brier(score, lost).mean()),
        gain_brier=interval(accounts, better),
        gain_log_loss=interval(accounts, gain),
        expected_over_seen=float(model.sum() / max(int(lost.sum()), 1)),
        reliability=reliability(model, lost),
    )


def interval(accounts: np.ndarray[tuple[int], np.dtype[np.int64]], values: Floats) -> Interval:
    """The mean, by resampling whole accounts."""
    _, groups = np.unique(accounts, return_inverse=True)
    sums = np.bincount(groups, weights=values)
    sizes = np.bincount(groups).astype(np.float64)
    drawn = np.random.default_rng(_SEED).integers(0, len(sums), (_RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high))


def reliability(probability: Floats, lost: Bools, bins: int = 10) -> list[Bin]:
    """By tenths of the renewals, the least likely first."""
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return [Bin(float(probability[part].mean()), float(lost[part].mean()), len(part)) for part in parts]
