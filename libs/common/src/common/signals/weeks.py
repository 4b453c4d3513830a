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
Int64s = npt.NDArray[np.int64]

WEEK = 7
# The same weekdays of the same weeks a year before.
YEAR_DAYS = 52 * WEEK
# A handful of people of last year excuses little.
SEASON_PRIOR = 10.0
# Others of the segment weigh in with what they are: a handful of people moves nobody's expectation.
SEGMENT_PRIOR = 30.0
_LARGEST_MOVE = 4.0
# A base that is half left out is none.
_LEAST_SHARE_OF_BASE = 0.5
_LEAST_BLOCKS = 3


@dataclass(frozen=True, slots=True)
class Weeks:
    """`value` counted in the window, `expected` there by the weekdays of the base; `rests_on` events of `days` days of the base.

    `usual`: the base's count per day that counted. Expectations are NaN where too little of the base counts. `base` and `of_base` are
    what the base's weeks had, and were to have.
    """

    value: Floats
    expected: Floats
    rests_on: Floats
    days: Floats
    usual: Floats
    base: Floats
    of_base: Floats
    window_weeks: int

    def dispersion(self, row: int) -> tuple[float, float]:
        """How much more than by chance the base's weeks of a row varied, and with how many degrees of freedom that is known.

        Of weeks or, so that weeks which went together count as such, of blocks as long as the window: the larger.
        """
        seen, expected, size = self.base[row], self.of_base[row], self.window_weeks
        found, freedom = _pearson(seen, expected)
        if size > 1 and len(seen) // size >= _LEAST_BLOCKS:
            of_blocks, _ = _pearson(_blocks(seen, size), _blocks(expected, size))
            found = max(found, of_blocks)
        return max(found, 1.0), freedom


def weeks_of(counts: Floats, included: Booleans, window_days: int) -> Weeks:
    """`counts` and `included`: a row each, a column a day, the window last."""
    rows, days = counts.shape
    shape = (rows, days // WEEK, WEEK)
    cut = (days - window_days) // WEEK
    is_in = included.reshape(shape).astype(np.float64)
    kept = counts.reshape(shape) * is_in
    base, base_in = kept[:, :cut], is_in[:, :cut]
    sums, numbers = base.sum(1), base_in.sum(1)
    total, counted = sums.sum(1), numbers.sum(1)
    usual = np.divide(total, counted, out=np.zeros(rows), where=counted > 0)
    rates = np.divide(sums, numbers, out=np.repeat(usual[:, None], WEEK, 1), where=numbers > 0)
    expected = (rates * is_in[:, cut:].sum(1)).sum(1)
    return Weeks(
        value=kept[:, cut:].sum((1, 2)),
        expected=np.where(counted >= _LEAST_SHARE_OF_BASE * cut * WEEK, expected, np.nan),
        rests_on=total,
        days=counted,
        usual=usual,
        base=base.sum(2),
        of_base=(rates[:, None, :] * base_in).sum(2),
        window_weeks=window_days // WEEK,
    )


def _blocks(weeks: Floats, size: int) -> Floats:
    """Sums of `size` weeks each, the newest whole."""
    blocks: Floats = weeks[len(weeks) % size :].reshape(-1, size)
    return np.asarray(blocks.sum(1), np.float64)


def _pearson(seen: Floats, expected: Floats) -> tuple[float, float]:
    some = expected > 0
    freedom = float(some.sum()) - 1
    if freedom <= 0:
        return 1.0, 0.0
    parts = (seen[some] - expected[some]) ** 2 / expected[some]
    return float(parts.sum()) / freedom, freedom


def movement_of_others(segment: Floats, counts: Floats, included: Booleans, window_days: int) -> Floats:
    """What the rest of the segment had in the window over what it was to have: 1 where it stayed, or is nobody."""
    others = weeks_of(np.maximum(segment - counts, 0.0), included, window_days)
    moved = (others.value + SEGMENT_PRIOR) / (np.nan_to_num(others.expected) + SEGMENT_PRIOR)
    known = np.where(np.isnan(others.expected), 1.0, moved)
    return np.clip(known, 1 / _LARGEST_MOVE, _LARGEST_MOVE)


def movement_last_year(then: Weeks, expected: Floats, least_base: float, *, fell: bool) -> Floats:
    """What the window had a year before over what it was to have then; NaN where that year is not known, or too little of it.

    Only as far as it is undone by now: what fell a year ago and never came back was no season, and excuses nothing. `expected` is what the
    window of this year is to have.
    """
    known = then.expected >= least_base
    usual = np.minimum(then.expected, expected) if fell else np.maximum(then.expected, expected)
    moved = (then.value + SEASON_PRIOR) / (np.nan_to_num(usual) + SEASON_PRIOR)
    return np.where(known, np.clip(moved, 1 / _LARGEST_MOVE, _LARGEST_MOVE), np.nan)
