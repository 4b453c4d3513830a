"""What each input of a product or quotient changed of it: the Shapley value, exact and the same in any order.

An input's part is its mean contribution over all orders in which inputs go from their old value to their new one. The parts add up
to the change of the whole. Source: L. S. Shapley, "A Value for n-Person Games", Contributions to the Theory of Games II (1953) 307-317.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from math import factorial

MOST_INPUTS = 8  # 2^8 values of the whole
ONE = Fraction(1)


def product_parts(
    factor: Fraction,
    times: Sequence[str],
    over: Sequence[str],
    before: Mapping[str, Fraction],
    after: Mapping[str, Fraction],
) -> dict[str, Fraction]:
    """Of factor * product of `times` / product of `over`. No divisor may be 0 in either period, nor may there be over `MOST_INPUTS`."""
    names = list(dict.fromkeys([*times, *over]))
    worth = {
        moved: _product(factor, times, over, {n: (after if n in moved else before)[n] for n in names})
        for size in range(len(names) + 1)
        for moved in map(frozenset, combinations(names, size))
    }
    found = {}
    for name in names:
        others = [other for other in names if other != name]
        found[name] = sum(
            (
                Fraction(factorial(size) * factorial(len(others) - size), factorial(len(names)))
                * (worth[moved | {name}] - worth[moved])
                for size in range(len(others) + 1)
                for moved in map(frozenset, combinations(others, size))
            ),
            Fraction(0),
        )
    return found


def _product(
    factor: Fraction, times: Sequence[str], over: Sequence[str], values: Mapping[str, Fraction]
) -> Fraction:
    product = factor
    for name in times:
        product *= values[name]
    for name in over:
        product /= values[name]
    return product
