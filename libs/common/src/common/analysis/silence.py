"""Which sources or types of event fell silent: days on which nothing came although something always does. Pure.

A local day of the later period is silent when nothing happened on it, while each same weekday of the earlier period had some, and at
least `LEAST_EXPECTED` on average. If days were independent counts of that mean, one would be empty by chance in one case of 22,000
(Poisson). Weekdays that the earlier period doesn't have are not judged, nor is a day that isn't over.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

LEAST_EXPECTED = 10
ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Silence:
    """`missing`: which share of what the later period should hold of it falls on its silent days, 0 to 1."""

    days: tuple[dt.date, ...]
    missing: Fraction
    expected: Fraction


def silence(
    counts: Mapping[dt.date, int], earlier: Sequence[dt.date], later: Sequence[dt.date]
) -> Silence | None:
    """Of one source or type, from its counts a local day; None where no day is silent. `later`: days that are over."""
    same: dict[int, list[int]] = defaultdict(list)
    for day in earlier:
        same[day.weekday()].append(counts.get(day, 0))
    usual = {weekday: Fraction(sum(found), len(found)) for weekday, found in same.items()}
    silent = tuple(
        day
        for day in later
        if not counts.get(day, 0)
        and usual.get(day.weekday(), ZERO) >= LEAST_EXPECTED
        and min(same[day.weekday()]) > 0
    )
    if not silent:
        return None
    expected = sum((usual[day.weekday()] for day in silent), ZERO)
    everything = sum((usual.get(day.weekday(), ZERO) for day in later), ZERO)
    return Silence(silent, expected / everything, expected)


def missing_share(silences: Mapping[str, Silence], shares: Mapping[str, Fraction]) -> Fraction:
    """Of a measure that counts several things, each `shares` of it in the earlier period: which share is missing."""
    return sum((silences[name].missing * shares[name] for name in silences if name in shares), ZERO)
