"""What each account or slice did to a figure between two periods: exact parts that add up to the change.

Of a sum a part is the difference of values. Of a quotient R = N / D it is the difference of (n - c * d) / D with one c for both
periods: summed over everybody that is R - c, so the parts add up to the change for any c. With c the quotient of an account that did
nothing (1 for retention) a part is what the account did; else c is the mean of the two quotients, and a part is how much the account
drew the figure to its own side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, TypeVar

from common.analysis import movements
from common.analysis.samples import Quotient, Sample, Shape, Sum, Unit, as_terms
from common.catalogue.economics import RelativeTrend
from common.catalogue.models import Metric, Ratio

ZERO, HALF = Fraction(0), Fraction(1, 2)
K = TypeVar("K")
Pair = tuple[Fraction, Fraction]


@dataclass(frozen=True, slots=True)
class Contribution(Generic[K]):
    """`before`, `after`: its own figure, unknown where it had nothing, or too little, to measure. `movement`: what an account did in the later
    period; of a group it is unknown, for its accounts did different things."""

    key: K
    amount: Fraction
    before: Fraction | None
    after: Fraction | None
    movement: str | None = None


def ranked(
    metric: Metric, shape: Shape, earlier: Sample, later: Sample, key_of: Callable[[Unit], K]
) -> list[Contribution[K]]:
    """The largest first; who did nothing is left out. Their sum is the change of the figure.

    Units that `key_of` gives one key are one. Nothing where one of the figures is unknown.
    """
    before, after = (_grouped(as_terms(sample, shape), key_of) for sample in (earlier, later))
    if isinstance(shape, Sum):
        amounts = {
            key: after.get(key, (ZERO, ZERO))[0] - before.get(key, (ZERO, ZERO))[0]
            for key in {**before, **after}
        }
    else:
        amounts = _of_quotient(movements.neutral(metric), shape, before, after)
    kind = movements.kind_of(metric)
    accounts = {key_of(unit) for unit in later.units if unit.account is not None}
    found = [
        Contribution(
            key,
            amount,
            _own(metric, shape, before.get(key)),
            _own(metric, shape, after.get(key)),
            _movement(kind, after.get(key)) if key in accounts else None,
        )
        for key, amount in amounts.items()
        if amount
    ]
    return sorted(found, key=lambda one: (-abs(one.amount), str(one.key)))


def _of_quotient(
    neutral: Fraction | None, shape: Quotient, before: Mapping[K, Pair], after: Mapping[K, Pair]
) -> dict[K, Fraction]:
    (n0, d0), (n1, d1) = (
        (sum((n for n, _ in terms.values()), ZERO), sum((d for _, d in terms.values()), ZERO))
        for terms in (before, after)
    )
    if not d0 or not d1:
        return {}
    middle = (n0 / d0 + n1 / d1) * HALF if neutral is None else neutral

    def part(pair: Pair | None, total: Fraction) -> Fraction:
        return ZERO if pair is None else (pair[0] - middle * pair[1]) / total

    return {
        key: shape.factor * (part(after.get(key), d1) - part(before.get(key), d0))
        for key in {**before, **after}
    }


def _grouped(terms: Mapping[Unit, Pair], key_of: Callable[[Unit], K]) -> dict[K, Pair]:
    found: dict[K, Pair] = {}
    for unit, (n, d) in terms.items():
        key = key_of(unit)
        own = found.get(key)
        found[key] = (n, d) if own is None else (own[0] + n, own[1] + d)
    return found


def _own(metric: Metric, shape: Shape, pair: Pair | None) -> Fraction | None:
    if pair is None:
        return None
    if isinstance(shape, Sum):
        return pair[0]
    least = metric.formula.min_base if isinstance(metric.formula, Ratio | RelativeTrend) else 0
    return None if pair[1] < least else shape.value(*pair)


def _movement(kind: str | None, pair: Pair | None) -> str | None:
    moved = None if kind is None or pair is None else movements.of_cohort(kind, *pair)
    return None if moved is None else moved.kind
