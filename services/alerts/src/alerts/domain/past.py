"""An account's figures at the end of every local day of its past, each from what was known by then.

Days are numbered from 0 for the first day of the history. An event says something of day D when it happened by then and was known by then: one
that is learnt of later moves the figures from that later day on, as it did, or would have done, live. The figures are those of the engine
(docs/architecture.md, "Database"); `tests/integration/alerts/test_backtest.py` holds the two together. Unknown is NaN.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

# metrics.md: under so many user-days in the base a trend says nothing.
LEAST_BASE = 8
COMPLAINT_BASE_WEEKS = 12
GAPS_OF_DAYS = 180
NEVER = -1
# Days on which anybody was there, named or not.
ACTIVITY = "active_accounts"


@dataclass(frozen=True, slots=True)
class Events:
    """Events of one account, those alike in one element. `known` is the day at whose end they are known, never before `day`. `person` 0: nobody named."""

    person: Int64s
    day: Int64s
    known: Int64s
    is_use: Booleans
    """Activity events of a person who isn't internal, or of nobody."""
    is_complaint: Booleans
    count: Int64s
    marks: Mapping[str, Booleans] = field(default_factory=dict)
    """By measure: which of them it counts."""


class TraitPieces(Protocol):
    """Values of an account's traits with the days [from, to) that each held."""

    def pieces(self, name: str, days: int) -> Iterator[tuple[Any, int, int]]: ...


@dataclass(frozen=True, slots=True)
class Past:
    """`days` is how many days the history has. Every figure is an array of that length."""

    events: Events
    days: int

    def figures(self, names: frozenset[str]) -> dict[str, Floats]:
        """Those of `names` that events alone make."""
        return {name: FIGURES[name](self) for name in names if name in FIGURES}

    def user_days(self) -> tuple[Floats, Floats]:
        """Of the 28 finished days, and of the 28 before."""
        _, day, known = _pairs(self._of_people())
        return _in_window(day, known, 1, 28, self.days), _in_window(day, known, 29, 56, self.days)

    def complaints(self, newest: int, oldest: int) -> Floats:
        return self.counted(self.events.is_complaint, newest, oldest)

    def counted(self, its: Booleans, newest: int, oldest: int) -> Floats:
        """How many of `its` events happened between `oldest` and `newest` days before each day, both included, and were known."""
        events = self.events
        return _in_window(events.day[its], events.known[its], newest, oldest, self.days, events.count[its])

    def active_users(self, window: int) -> Floats:
        """Distinct people of the `window` days that end with each day."""
        person, day, known = _pairs(self._of_people())
        return _covered(person, np.maximum(day, known), day + window - 1, self.days)

    def days_silent(self) -> Floats:
        last = np.full(self.days, NEVER, np.int64)
        its = self.events.is_use
        at = np.maximum(self.events.day[its], self.events.known[its])
        inside = at < self.days
        np.maximum.at(last, at[inside], self.events.day[its][inside])
        last = np.maximum.accumulate(last)
        return np.where(last == NEVER, np.nan, np.arange(self.days) - last)

    def usual_gap(self) -> Floats:
        """The median distance of active days of the last 180; unknown with fewer than two."""
        its = self.events.is_use
        _, day, known = _pairs((np.zeros(its.sum(), np.int64), self.events.day[its], self.events.known[its]))
        found = np.full(self.days, np.nan)
        asked: dict[tuple[int, int], float] = {}
        all_in_time = bool((known <= day).all())
        for today in range(self.days):
            low = int(np.searchsorted(day, today - GAPS_OF_DAYS + 1))
            high = int(np.searchsorted(day, today, "right"))
            if all_in_time and (low, high) in asked:
                found[today] = asked[low, high]
                continue
            active = day[low:high] if all_in_time else day[low:high][known[low:high] <= today]
            found[today] = asked[low, high] = float(np.median(np.diff(active))) if len(active) > 1 else np.nan
        return found

    def first_known(self) -> Floats:
        """The first day that was known of, by each day; infinite before anything was."""
        first = np.full(self.days, np.inf)
        inside = self.events.known < self.days
        np.minimum.at(first, self.events.known[inside], self.events.day[inside])
        found: Floats = np.minimum.accumulate(first)
        return found

    def marked(self, measure: str, *, is_distinct: bool) -> tuple[Int64s, Int64s, Int64s, Int64s]:
        """Person, day, known and how many of each event that a measure counts; people once a day where it is distinct."""
        events = self.events
        its = (
            events.is_use
            if measure == ACTIVITY
            else events.marks.get(measure, np.zeros(len(events.day), np.bool_))
        )
        if not is_distinct:
            return events.person[its], events.day[its], events.known[its], events.count[its]
        its = its & (events.person != 0)
        person, day, known = _pairs((events.person[its], events.day[its], events.known[its]))
        return person, day, known, np.ones(len(day), np.int64)

    def people(self, measure: str, newest: int, oldest: int) -> Floats:
        """Distinct people of a measure between `newest` and `oldest` days before each day, both included."""
        person, day, known, _ = self.marked(measure, is_distinct=True)
        return _covered(person, np.maximum(known, day + newest), day + oldest, self.days)

    def _of_people(self) -> tuple[Int64s, Int64s, Int64s]:
        its = self.events.is_use & (self.events.person != 0)
        return self.events.person[its], self.events.day[its], self.events.known[its]


def trend(recent: Floats, base: Floats) -> Floats:
    """Relative change; unknown where the base is too small to say."""
    enough = base >= LEAST_BASE
    return np.where(enough, recent / np.where(enough, base, 1) - 1, np.nan)


def _pairs(columns: tuple[Int64s, Int64s, Int64s]) -> tuple[Int64s, Int64s, Int64s]:
    """Each (person, day) once, with the first day on which it was known; sorted."""
    person, day, known = columns
    order = np.lexsort((known, day, person))
    person, day, known = person[order], day[order], known[order]
    is_first = np.ones(len(day), np.bool_)
    is_first[1:] = (person[1:] != person[:-1]) | (day[1:] != day[:-1])
    return person[is_first], day[is_first], known[is_first]


def _in_window(
    day: Int64s, known: Int64s, newest: int, oldest: int, days: int, weights: Int64s | None = None
) -> Floats:
    return _sum_of_stretches(np.maximum(day + newest, known), day + oldest, days, weights)


def _covered(person: Int64s, start: Int64s, end: Int64s, days: int) -> Floats:
    """How many people have a stretch [start, end] that holds each day; stretches of one person may overlap."""
    if not len(person):
        return np.zeros(days)
    order = np.lexsort((start, person))
    person, start, end = person[order], start[order], end[order]
    _, of = np.unique(person, return_inverse=True)
    # People are set apart by more than any stretch reaches, so one running maximum serves all of them.
    apart = of.astype(np.int64) * (4 * days + 4_000)
    reached = np.maximum.accumulate(end + apart)
    start = start.copy()
    start[1:] = np.maximum(start[1:] + apart[1:], reached[:-1] + 1) - apart[1:]
    return _sum_of_stretches(start, end, days)


def _sum_of_stretches(start: Int64s, end: Int64s, days: int, weights: Int64s | None = None) -> Floats:
    start, end = np.maximum(start, 0), np.minimum(end, days - 1)
    some = start <= end
    of = np.ones(int(some.sum())) if weights is None else weights[some].astype(np.float64)
    up = np.bincount(start[some], of, minlength=days + 1)
    down = np.bincount(end[some] + 1, of, minlength=days + 1)
    return np.cumsum((up - down)[:days], dtype=np.float64)


FIGURES: Mapping[str, Callable[[Past], Floats]] = {
    "events_28d": lambda past: past.counted(np.ones(len(past.events.day), np.bool_), 0, 27),
    "active_users_7d": lambda past: past.active_users(7),
    "active_users_28d": lambda past: past.active_users(28),
    "user_days_28d": lambda past: past.user_days()[0],
    "user_days_base": lambda past: past.user_days()[1],
    "login_trend": lambda past: trend(*past.user_days()),
    "complaints_7d": lambda past: past.complaints(0, 6),
    "complaints_28d": lambda past: past.complaints(0, 27),
    "complaints_base": lambda past: past.complaints(7, 90) / COMPLAINT_BASE_WEEKS,
    "days_silent": lambda past: past.days_silent(),
    "usual_gap_days": lambda past: past.usual_gap(),
    "active_users_28d_before": lambda past: past.people("active_users", 56, 83),
    "key_users_28d": lambda past: past.people("key_users", 0, 27),
}
