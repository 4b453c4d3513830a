"""Did accounts with less of something leave more often? Churn by decile of a driver's value before. Pure.

Deciles are of accounts, by the rank of their value; equal values are never torn apart, so a decile can be large, small or empty. Those at
the bottom are in the lowest decile, those at the top in the highest, others where the middle of them is. Shares have 95 % Wilson intervals. One number sums it up: the chance that an account that left had a lower value than one that stayed (ties count
half), the area under the ROC curve, with the score interval of R. G. Newcombe (method 5), Statistics in Medicine 25 (2006) 559-573: of all
chances those that what is seen lies within two standard errors of, by the errors that these chances would have. So nobody is certain
who saw a clear cut among eight that left.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import sqrt
from typing import Literal

from common.figures.values import Z_95, wilson

DECILES = 10
LEAST_ACCOUNTS = 50
_HALVINGS = 50  # of the interval's edge: beyond what a float tells
LEAST_OF_EACH = 8  # that left, and that stayed: below, the interval of the chance is of no use

Verdict = Literal["low_values_leave", "high_values_leave", "no_difference", "too_little_data"]


@dataclass(frozen=True, slots=True)
class Decile:
    """`least`, `most`: the values in it. Unknown where nobody is in it."""

    number: int
    accounts: int
    left: int
    share: float | None
    low: float | None
    high: float | None
    least: float | None
    most: float | None


@dataclass(frozen=True, slots=True)
class ByDecile:
    """`chance`: that one who left had the lower value; 0.5 says nothing. With its interval, unknown below the least numbers."""

    deciles: Sequence[Decile]
    accounts: int
    left: int
    chance: float | None
    low: float | None
    high: float | None
    verdict: Verdict


def by_decile(values: Iterable[tuple[float, bool]]) -> ByDecile:
    """`values`: of each account what the driver was before, and whether it left."""
    ordered = sorted(values)
    accounts, left = len(ordered), sum(gone for _, gone in ordered)
    parts: list[list[tuple[float, bool]]] = [[] for _ in range(DECILES)]
    below = 0
    lower_left = 0.0  # for each that left: those that stayed above it, ties half
    stayed_below = 0
    for _, tied in groupby(ordered, key=lambda one: one[0]):
        same = list(tied)
        parts[_place(below, len(same), accounts)].extend(same)
        gone = sum(one for _, one in same)
        stayed = len(same) - gone
        lower_left += gone * (accounts - left - stayed_below - stayed + stayed / 2)
        below += len(same)
        stayed_below += stayed
    chance, low, high, verdict = _verdict(lower_left, left, accounts - left)
    return ByDecile(
        [_decile(number, part) for number, part in enumerate(parts, 1)],
        accounts,
        left,
        chance,
        low,
        high,
        verdict,
    )


def _place(below: int, same: int, accounts: int) -> int:
    """The decile, from 0, of equal values: the lowest for those that nobody is below of, the highest where nobody is above."""
    if below == 0:
        return 0
    if below + same == accounts:
        return DECILES - 1
    return int(DECILES * (below + same / 2) / accounts)


def _decile(number: int, part: Sequence[tuple[float, bool]]) -> Decile:
    left = sum(gone for _, gone in part)
    low, high = wilson(left, len(part)) or (None, None)
    values = [value for value, _ in part]
    share = left / len(part) if part else None
    return Decile(
        number, len(part), left, share, low, high, min(values, default=None), max(values, default=None)
    )


def _verdict(wins: float, left: int, stayed: int) -> tuple[float | None, float | None, float | None, Verdict]:
    if left + stayed < LEAST_ACCOUNTS or min(left, stayed) < LEAST_OF_EACH:
        return None, None, None, "too_little_data"
    chance = wins / (left * stayed)
    low, high = (_edge(chance, far, left, stayed) for far in (0.0, 1.0))
    if low > 0.5:
        return chance, low, high, "low_values_leave"
    return chance, low, high, "high_values_leave" if high < 0.5 else "no_difference"


def _edge(chance: float, far: float, left: int, stayed: int) -> float:
    """The chance farthest towards `far` that what is seen still agrees with."""
    near = chance
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        if abs(middle - chance) <= Z_95 * sqrt(_variance(middle, left, stayed)):
            near = middle
        else:
            far = middle
    return near


def _variance(chance: float, left: int, stayed: int) -> float:
    """Of what is seen where this is the chance (J. A. Hanley and B. J. McNeil, Radiology 143 (1982) 29-36, with Newcombe's mean sizes)."""
    others = (left + stayed) / 2 - 1
    spread = 1 + others * (1 - chance) / (2 - chance) + others * chance / (1 + chance)
    return chance * (1 - chance) * spread / (left * stayed)
