"""What each metric changed of one that is derived from it: the Shapley value, exact and the same in any order.

An input's part is its mean contribution over all orders in which inputs go from their old value to their new one. The parts add up
to the change of the whole. Source: L. S. Shapley, "A Value for n-Person Games", Contributions to the Theory of Games II (1953) 307-317.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from math import factorial

from common.catalogue.derived import Arithmetic, names_in, value_of

MOST_INPUTS = 8  # of one term: 2^8 values of it
ZERO = Fraction(0)


def input_parts(
    formula: Arithmetic, before: Mapping[str, Fraction | None], after: Mapping[str, Fraction | None]
) -> dict[str, Fraction] | None:
    """By metric, of the values of its metrics and of gross margin in two periods.

    The parts of a sum are those of its terms. None where a term has over `MOST_INPUTS` metrics, or is unknown with some of them
    as before and others as after.
    """
    found = dict.fromkeys(formula.names, ZERO)
    for sign, term in formula.terms:
        names = [name for name in names_in(term) if name in found]
        if len(names) > MOST_INPUTS:
            return None
        worth = {
            moved: value_of(term, {**before, **{name: after[name] for name in moved}})
            for size in range(len(names) + 1)
            for moved in map(frozenset, combinations(names, size))
        }
        known = {moved: value for moved, value in worth.items() if value is not None}
        if len(known) < len(worth):
            return None
        for name in names:
            found[name] += sign * _part(name, names, known)
    return found


def _part(name: str, names: Sequence[str], worth: Mapping[frozenset[str], Fraction]) -> Fraction:
    others = [other for other in names if other != name]
    return sum(
        (
            Fraction(factorial(size) * factorial(len(others) - size), factorial(len(names)))
            * (worth[moved | {name}] - worth[moved])
            for size in range(len(others) + 1)
            for moved in map(frozenset, combinations(others, size))
        ),
        ZERO,
    )
