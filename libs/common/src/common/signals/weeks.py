"""Counts per local day against what the same weekdays had before, of many rows at once.

A row is an account today, or a day of one account's past. Its columns are days, a whole number of weeks: the base, then the window. The n-th
days of all these weeks are the same weekday, so nothing needs to know which; days that are left out (holidays, days before the account
began) count neither on one side nor on the other.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

WEEK = 7
# Others of the segment weigh in with what they are: a handful of people moves nobody's expectation.
SEGMENT_PRIOR = 30.0
_LARGEST_MOVE = 4.0
# A base that is half left out is none.
_LEAST_SHARE_OF_BASE = 0.5
_LEAST_BLOCKS = 3


@dataclass(frozen=True, slots=True)
class Weeks:
    """`value` counted in the window, `expected` there by the weekdays of the base; `rests_on` events of `days` days of the base.

    `dispersion` and `freedom`: how much more than by chance the base's weeks varied, and how well that is known.
    `usual`: the base's count per day that counted. Expectations are NaN where too little of the base counts.
    """

    value: Floats
    expected: Floats
    rests_on: Floats
    days: Floats
    usual: Floats
    dispersion: Floats
    freedom: Floats


def weeks_of(counts: Floats, included: Booleans, window_days: int) -> Weeks:
    """`counts` and `included`: a row each, a column a day, the window last."""
    rows, days = counts.shape
    shape = (rows, days // WEEK, WEEK)
    cut = (days - window_days) // WEEK
    kept = np.where(included, counts, 0.0).reshape(shape)
    is_in = included.reshape(shape).astype(np.float64)
    base, base_in, window_in = kept[:, :cut], is_in[:, :cut], is_in[:, cut:]
    sums, numbers = base.sum(1), base_in.sum(1)
    total, counted = sums.sum(1), numbers.sum(1)
    usual = np.divide(total, counted, out=np.zeros(rows), where=counted > 0)
    rates = np.divide(sums, numbers, out=np.repeat(usual[:, None], WEEK, 1), where=numbers > 0)
    expected = (rates * window_in.sum(1)).sum(1)
    dispersion, freedom = _dispersion(base.sum(2), (rates[:, None, :] * base_in).sum(2), window_days // WEEK)
    enough = counted >= _LEAST_SHARE_OF_BASE * cut * WEEK
    return Weeks(
        value=kept[:, cut:].sum((1, 2)),
        expected=np.where(enough, expected, np.nan),
        rests_on=total,
        days=counted,
        usual=usual,
        dispersion=dispersion,
        freedom=freedom,
    )


def _dispersion(seen: Floats, expected: Floats, window_weeks: int) -> tuple[Floats, Floats]:
    """Of weeks and, so that weeks which went together count as such, of blocks as long as the window: the larger."""
    found, freedom = _pearson(seen, expected)
    if window_weeks > 1 and seen.shape[1] // window_weeks >= _LEAST_BLOCKS:
        of_blocks, fewer = _pearson(_blocks(seen, window_weeks), _blocks(expected, window_weeks))
        freedom = np.where(of_blocks > found, fewer, freedom)
        found = np.maximum(found, of_blocks)
    return np.maximum(found, 1.0), freedom


def _blocks(weeks: Floats, size: int) -> Floats:
    """Sums of `size` weeks each, the newest whole."""
    rows, number = weeks.shape
    blocks: Floats = weeks[:, number % size :].reshape(rows, number // size, size)
    return np.asarray(blocks.sum(2), np.float64)


def _pearson(seen: Floats, expected: Floats) -> tuple[Floats, Floats]:
    some = expected > 0
    parts = np.divide((seen - expected) ** 2, expected, out=np.zeros_like(seen), where=some)
    freedom = np.maximum(some.sum(1) - 1.0, 0.0)
    return np.divide(parts.sum(1), freedom, out=np.ones(len(seen)), where=freedom > 0), freedom


def movement_of_others(segment: Floats, counts: Floats, included: Booleans, window_days: int) -> Floats:
    """What the rest of the segment had in the window over what it was to have: 1 where it stayed, or is nobody."""
    others = weeks_of(np.maximum(segment - counts, 0.0), included, window_days)
    moved = (others.value + SEGMENT_PRIOR) / (np.nan_to_num(others.expected) + SEGMENT_PRIOR)
    known = np.where(np.isnan(others.expected), 1.0, moved)
    return np.clip(known, 1 / _LARGEST_MOVE, _LARGEST_MOVE)
