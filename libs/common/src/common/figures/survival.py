"""Waiting times of which some have not ended: the Kaplan-Meier curve, its quantiles and their intervals. Pure.

Source: E. L. Kaplan, P. Meier, "Nonparametric estimation from incomplete observations", JASA 53 (1958) 457-481; interval
of a quantile after R. Brookmeyer, J. Crowley, Biometrics 38 (1982) 29-41, with Greenwood's variance on the log scale.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import exp, inf, sqrt

from common.figures.values import Z_95

_CLOSE = 1e-9
"""Nearer than this to the level asked for, a curve kept in doubles is asked again in whole numbers."""


@dataclass(frozen=True, slots=True)
class Quantile:
    """None where the curve doesn't come down so far. In the unit of the waiting times."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class _Point:
    """From `time` on, `survival` still wait; `deviation` is the standard error of its logarithm."""

    time: int
    at_risk: int
    ended: int
    survival: float
    deviation: float


def quantile(ended: Sequence[int], waiting: Sequence[int], share: Fraction) -> Quantile:
    """When `share` have arrived. `ended`: times of those that did; `waiting`: how long the others have waited so far.

    Where exactly `share` have arrived over a stretch of time, its middle, as for the median of an even number; who waited
    exactly as long as another one took was still there when that one arrived.
    """
    points = list(_curve(ended, waiting))
    level = 1 - share
    first = _first(points, level, strictly=False)
    if first is None:
        return Quantile(None, _limit(points, float(level), -Z_95), None)
    after = _first(points, level, strictly=True)
    middle = first.time if after is None else (first.time + after.time) / 2
    low, high = (_limit(points, float(level), z) for z in (-Z_95, Z_95))
    return Quantile(float(middle), low, high)


def _curve(ended: Iterable[int], waiting: Iterable[int]) -> Iterator[_Point]:
    arrivals, leavings = Counter(ended), Counter(waiting)
    at_risk = arrivals.total() + leavings.total()
    survival, variance = 1.0, 0.0
    for time in sorted({*arrivals, *leavings}):
        here = arrivals[time]
        if here:
            left = at_risk - here
            survival *= left / at_risk
            variance += here / (at_risk * left) if left else inf
            yield _Point(time, at_risk, here, survival, sqrt(variance))
        at_risk -= here + leavings[time]


def _first(points: Sequence[_Point], level: Fraction, *, strictly: bool) -> _Point | None:
    """The first point at which the curve is at the level or below it; with `strictly`, below it."""
    near = float(level)
    for position, point in enumerate(points):
        if point.survival > near + _CLOSE:
            continue
        if point.survival < near - _CLOSE:
            return point
        exactly = _exact(points[: position + 1])
        if exactly < level or (exactly == level and not strictly):
            return point
    return None


def _exact(points: Sequence[_Point]) -> Fraction:
    """The product in whole numbers; neighbours without anybody leaving between them cancel."""
    over = under = 1
    left = None
    for point in points:
        if point.at_risk != left:
            over, under = over * (left or 1), under * point.at_risk
        left = point.at_risk - point.ended
    return Fraction(over * (1 if left is None else left), under)


def _limit(points: Sequence[_Point], level: float, z: float) -> float | None:
    """Where the lower (z < 0) or upper band of the curve comes down to the level. At 0 nothing is known of the upper one."""
    for point in points:
        if point.survival == 0:
            return None if z > 0 else float(point.time)
        if min(1.0, point.survival * exp(z * point.deviation)) <= level:
            return float(point.time)
    return None
