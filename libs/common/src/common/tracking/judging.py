"""Whether a type of event, a source, or all that a tenant sends, arrives as it usually does.

Accounts are cut into groups by chance. What arrived in the last hours is compared with the same hours of the week in the last weeks, group
by group: if nothing changed, a group sends less than in *every* one of n weeks in at most one case of n + 1, whatever its rhythm, and
groups do so independently of each other. Something is *low* when

- less than half of the lowest of those weeks came (nothing, near enough, where there is nothing else to hold it against),
- most of the groups sent less than ever, and so many of them at once by chance in fewer than one look of a million.

No account can bring that about alone, however much it sends. What moves everything (a holiday) is no fault of one part: a type or source is
held against how the rest moved meanwhile, and where everything fell by far nothing is said of the parts.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from common.tracking.windows import HOUR, LEAST_WEEKS, PIECE_HOURS, SHIFTS, STRETCHES, Span, weeks_before

Int64s = npt.NDArray[np.int64]

# Fewer events than this in the lowest week are too few to miss any.
LEAST_EXPECTED = 20
# A group that sent fewer than this in some week may well send none in the next.
LEAST_OF_GROUP = 2
LOW_SHARE = 0.5
SILENT_SHARE = 0.02
MOST_GROUPS = 0.8
RARE = 1e-6
# The rest must be worth comparing with, and must not have fallen further than this itself.
LEAST_REST, LEAST_REST_SHARE = 50, 0.2


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Of one thing: `sums[h, g]` events of group g before the h-th hour from `first_hour` on; `known_from`: when it was first heard of."""

    first_hour: dt.datetime
    sums: Int64s
    known_from: dt.datetime

    @staticmethod
    def of(first_hour: dt.datetime, counts: Int64s) -> "Arrivals":
        """From events by hour and group; there must be some."""
        sums = np.concatenate([np.zeros((1, counts.shape[1]), np.int64), np.cumsum(counts, axis=0)])
        known_from = first_hour + int(np.flatnonzero(counts.any(axis=1))[0]) * HOUR
        return Arrivals(first_hour, sums, known_from)

    def within(self, span: Span) -> Int64s:
        """By group; what lies outside is nothing."""
        start, end = (self._hour(at) for at in (span.start, span.end))
        found: Int64s = self.sums[end] - self.sums[start]
        return found

    def last_before(self, at: dt.datetime) -> dt.datetime | None:
        """The end of the last hour before `at` in which anything came."""
        totals = np.diff(self.sums[: self._hour(at) + 1].sum(axis=1))
        some = np.flatnonzero(totals)
        return self.first_hour + (int(some[-1]) + 1) * HOUR if len(some) else None

    def _hour(self, at: dt.datetime) -> int:
        return min(max(round((at - self.first_hour) / HOUR), 0), len(self.sums) - 1)

    def total(self, span: Span) -> int:
        return int(self.within(span).sum())


@dataclass(frozen=True, slots=True)
class Seen:
    """What a stretch of hours says. `expected`: the lowest of the same hours in the weeks before, moved as the rest moved.

    `is_less`: less than half came, across the groups; `is_low`: so little that something is missing. `usual_groups`, where little came:
    those that can be relied on.
    """

    span: Span
    expected: float
    seen: int
    is_low: bool
    is_less: bool = False
    usual_groups: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Calendar:
    """How a tenant's weeks go. `unusual`: holidays, outages and other times that are neither judged nor compared with."""

    zone: ZoneInfo
    unusual: Sequence[Span] = ()


def look(
    arrivals: Arrivals,
    rest: Arrivals | None,
    until: dt.datetime,
    calendar: Calendar,
    broken: Sequence[Span] = (),
) -> list[Seen]:
    """What each stretch that ends at `until` says, the shortest first; those too small to say anything are left out.

    `rest` is everything else that the tenant sends; None when `arrivals` is everything. Earlier times in which it was `broken` are not
    compared with.
    """
    found = (
        _look(arrivals, rest, Span(until - hours * HOUR, until), calendar, broken) for hours in STRETCHES
    )
    return [seen for seen in found if seen is not None]


def lowest(looks: Sequence[Seen]) -> Seen | None:
    """The shortest stretch that is low."""
    return next((seen for seen in looks if seen.is_low), None)


def is_back(looks: Sequence[Seen]) -> bool:
    """Whether the latest hours that say anything are as usual."""
    return bool(looks) and not looks[0].is_low and looks[0].seen >= LOW_SHARE * looks[0].expected


def _look(
    arrivals: Arrivals, rest: Arrivals | None, span: Span, calendar: Calendar, broken: Sequence[Span]
) -> Seen | None:
    if span.meets(calendar.unusual):
        return None
    weeks = weeks_before(span, calendar.zone, arrivals.known_from, [*calendar.unusual, *broken])
    if len(weeks) < LEAST_WEEKS:
        return None
    compared = None if rest is None else _movement(rest, span, weeks)
    moved = 1.0 if compared is None else compared
    expected = moved * min(arrivals.total(_shifted(week, by)) for week in weeks for by in SHIFTS)
    if moved < LEAST_REST_SHARE or expected < LEAST_EXPECTED:
        return None
    seen = arrivals.total(span)
    if seen >= LOW_SHARE * expected:
        return Seen(span, expected, seen, is_low=False)
    is_little = compared is not None or seen < SILENT_SHARE * expected
    now, least = _pieces(arrivals, span), moved * _least(arrivals, weeks)
    counts = least >= LEAST_OF_GROUP
    groups, low_groups = int(counts.sum()), int((counts & (now < least)).sum())
    chance = 1 / (len(weeks) + 1)
    if chance**groups > RARE:
        return None if is_little else Seen(span, expected, seen, is_low=False)
    is_less = low_groups >= MOST_GROUPS * groups and at_least(low_groups, groups, chance) < RARE
    usual = tuple(np.flatnonzero(counts.any(axis=0)).tolist())
    return Seen(span, expected, seen, is_less and is_little, is_less, usual)


def _movement(rest: Arrivals, span: Span, weeks: Sequence[Span]) -> float | None:
    """How far everything else fell meanwhile, a rise being none of our business; None where there is too little else to say."""
    usual = float(np.median([rest.total(week) for week in weeks]))
    return min(1.0, rest.total(span) / usual) if usual >= LEAST_REST else None


def _pieces(arrivals: Arrivals, span: Span) -> Int64s:
    """By day and group: on another day a group speaks again."""
    step = PIECE_HOURS * HOUR
    starts = [span.start + n * step for n in range(-(-(span.end - span.start) // step))]
    return np.stack([arrivals.within(Span(start, min(start + step, span.end))) for start in starts])


def _least(arrivals: Arrivals, weeks: Sequence[Span]) -> Int64s:
    """What each piece of the stretch held at the least in any week."""
    found: Int64s = np.min([_pieces(arrivals, _shifted(week, by)) for week in weeks for by in SHIFTS], axis=0)
    return found


def _shifted(span: Span, hours: int) -> Span:
    return Span(span.start + hours * HOUR, span.end + hours * HOUR)


def at_least(k: int, n: int, chance: float) -> float:
    """The probability that k or more of n independent things happen, each by `chance`."""
    return sum(comb(n, i) * chance**i * (1 - chance) ** (n - i) for i in range(k, n + 1))


def everything(parts: Mapping[tuple[str, str], Arrivals]) -> Arrivals:
    """The sum; there must be some."""
    some = list(parts.values())
    sums: Int64s = np.sum([one.sums for one in some], axis=0)
    return Arrivals(some[0].first_hour, sums, min(one.known_from for one in some))


def without(whole: Arrivals, part: Arrivals) -> Arrivals:
    return Arrivals(whole.first_hour, whole.sums - part.sums, whole.known_from)
