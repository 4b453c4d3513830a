"""Rolling windows of distinct entities without a clock.

Terms. An *entity* is a person of an account, or the account itself. Seen on day d, it is *covered* on d .. d+N-1.
A *delta* on day d is the change of the number of covered entities from d-1 to d: the value on a day is the sum of
all deltas up to it. Days in order, day x contributes the stretch [x, min(x+N, next day seen)), and these stretches
don't overlap; so a new day touches only its own stretch and the end of the one before it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]

# "No such day": far outside any calendar, and far from overflow.
NEVER_BEFORE = -(1 << 40)
NEVER_AFTER = 1 << 40


@dataclass(frozen=True, slots=True)
class NewDays:
    """Days on which entities were seen for the first time, sorted by (entity, day), each once.

    `before` and `after` are the nearest days already known of the same entity, or NEVER_BEFORE, NEVER_AFTER;
    days further away than the longest window may be left out.
    """

    entities: Int64s
    days: Int64s
    before: Int64s
    after: Int64s


@dataclass(frozen=True, slots=True)
class Deltas:
    """`changes[i]` on `days[i]`, caused by row `rows[i]` of the input. Several may fall on one day."""

    rows: Int64s
    days: Int64s
    changes: Int64s


def deltas_of(new: NewDays, window_days: int) -> Deltas:
    """What the new days change, for all entities at once."""
    same = new.entities[1:] == new.entities[:-1]
    neighbour = np.full(len(new.days), NEVER_BEFORE, np.int64)
    neighbour[1:][same] = new.days[:-1][same]
    follower = np.full(len(new.days), NEVER_AFTER, np.int64)
    follower[:-1][same] = new.days[1:][same]
    after = np.minimum(new.after, follower)
    rows = np.arange(len(new.days), dtype=np.int64)
    # A known day keeps its stretch but for its end, and only the first new day behind it moves that.
    cut = rows[(new.before > neighbour) & (new.before != NEVER_BEFORE)]
    known = new.before[cut]
    return Deltas(
        rows=np.concatenate([rows, rows, cut, cut]),
        days=np.concatenate(
            [
                new.days,
                np.minimum(new.days + window_days, after),
                np.minimum(known + window_days, new.after[cut]),
                np.minimum(known + window_days, new.days[cut]),
            ]
        ),
        changes=np.concatenate([_ones(rows), -_ones(rows), _ones(cut), -_ones(cut)]),
    )


def _ones(like: Int64s) -> Int64s:
    return np.ones(len(like), np.int64)


def deltas_of_set(days: Iterable[int], window_days: int) -> dict[int, int]:
    """All deltas of one entity seen on exactly these days."""
    ordered = sorted(set(days))
    deltas: dict[int, int] = {}
    for day, following in pairwise([*ordered, NEVER_AFTER]):
        end = min(day + window_days, following)
        deltas[day] = deltas.get(day, 0) + 1
        deltas[end] = deltas.get(end, 0) - 1
    return without_zeros(deltas)


def difference(after: Mapping[int, int], before: Mapping[int, int]) -> dict[int, int]:
    """What has to be added to `before` to make it `after`."""
    days = after.keys() | before.keys()
    return without_zeros({day: after.get(day, 0) - before.get(day, 0) for day in days})


def without_zeros(deltas: Mapping[int, int]) -> dict[int, int]:
    return {day: change for day, change in deltas.items() if change}
