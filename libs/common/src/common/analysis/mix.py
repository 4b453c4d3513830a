"""How much of a change is that slices weigh otherwise, and how much that slices became otherwise. Exact identities.

A quotient is the mean of its slices' quotients, weighted with their share of the denominator: R = sum(w * r). Between two periods

    R1 - R0 = sum((w1 - w0) * (r - R))   mix: slices above the mean grew, or those below it shrank
            + sum(w * (r1 - r0))         rates: slices changed in themselves

with w, r and R the means of their two values: the Shapley value of two factors, which depends on no order. Subtracting R changes
nothing in the sum, since weights add up to 1 in both periods, and makes a slice's own part mean something. A slice that is there in
one period only has no rate in the other; it is taken as it is where it is known, so coming and going is mix.
Source: E. M. Kitagawa, "Components of a Difference Between Two Rates", JASA 50 (1955) 1168-1194.

A sum over accounts is N * R, with N the accounts that have any and R the mean of an account: N changes, and R by the same formula.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

ZERO, HALF = Fraction(0), Fraction(1, 2)
K = TypeVar("K")
Terms = Mapping[K, tuple[Fraction, Fraction]]
"""Per slice (numerator, denominator)."""


@dataclass(frozen=True, slots=True)
class SliceChange:
    """Of one slice, in units of the figure. `weight`: the mean of its two shares of the denominator."""

    mix: Fraction
    rate: Fraction
    weight: Fraction
    rate_before: Fraction | None
    rate_after: Fraction | None
    share_before: Fraction
    share_after: Fraction


def quotient_change(before: Terms[K], after: Terms[K]) -> dict[K, SliceChange]:
    """Per slice; all of mix and rate together are the change. Both denominators must have a sum other than 0."""
    keys = list(dict.fromkeys([*before, *after]))
    sums = [
        (sum((n for n, _ in terms.values()), ZERO), sum((d for _, d in terms.values()), ZERO))
        for terms in (before, after)
    ]
    middle = (sums[0][0] / sums[0][1] + sums[1][0] / sums[1][1]) * HALF
    found = {}
    for key in keys:
        n0, d0 = before.get(key, (ZERO, ZERO))
        n1, d1 = after.get(key, (ZERO, ZERO))
        found[key] = _slice((n0, d0), (n1, d1), sums[0][1], sums[1][1], middle)
    return found


def quotient_inputs(
    before: tuple[Fraction, Fraction], after: tuple[Fraction, Fraction]
) -> tuple[Fraction, Fraction]:
    """What the numerator and what the denominator changed of n / d: the Shapley value, exact. Both d are other than 0."""
    (n0, d0), (n1, d1) = before, after
    if not d0 or not d1:
        return ZERO, ZERO
    over = (n1 - n0) * (1 / d0 + 1 / d1) * HALF
    return over, n1 / d1 - n0 / d0 - over


def sum_change(
    counts: tuple[Fraction, Fraction], before: Terms[K], after: Terms[K]
) -> tuple[Fraction, dict[K, SliceChange]]:
    """Of sums over accounts: what the number of accounts changed, and per slice mix and what a mean account changed.

    Terms are (value, accounts); `counts` their accounts in all, before and after.
    """
    n0, n1 = counts
    values = [sum((v for v, _ in terms.values()), ZERO) for terms in (before, after)]
    if not n0 or not n1:
        return values[1] - values[0], {}
    size = (n1 - n0) * (values[0] / n0 + values[1] / n1) * HALF
    middle = (n0 + n1) * HALF
    slices = {
        key: SliceChange(
            part.mix * middle, part.rate * middle, part.weight, part.rate_before, part.rate_after,
            part.share_before, part.share_after,
        )
        for key, part in quotient_change(before, after).items()
    }  # fmt: skip
    return size, slices


def _slice(
    before: tuple[Fraction, Fraction],
    after: tuple[Fraction, Fraction],
    all_before: Fraction,
    all_after: Fraction,
    middle: Fraction,
) -> SliceChange:
    (n0, d0), (n1, d1) = before, after
    w0, w1 = d0 / all_before, d1 / all_after
    r0, r1 = (n0 / d0 if d0 else None), (n1 / d1 if d1 else None)
    if r0 is None or r1 is None:
        # Numerators without a denominator are a change of the mean as well, and nothing that a rate could say.
        change = n1 / all_after - n0 / all_before
        return SliceChange(change - (w1 - w0) * middle, ZERO, (w0 + w1) * HALF, r0, r1, w0, w1)
    mix = (w1 - w0) * ((r0 + r1) * HALF - middle)
    rate = (w0 + w1) * HALF * (r1 - r0)
    return SliceChange(mix, rate, (w0 + w1) * HALF, r0, r1, w0, w1)
