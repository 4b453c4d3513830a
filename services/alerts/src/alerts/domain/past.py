"""An account's figures at the end of every local day of its past, each from what was known by then.

Days are numbered from 0 for the first day of the history. An event says something of day D when it happened by then and was known by then: one
that is learnt of later moves the figures from that later day on, as it did, or would have done, live. The figures are those of the engine
(docs/architecture.md, "Database"); `tests/integration/alerts/test_backtest.py` holds the two together. Unknown is NaN.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
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
    """Pasts of accounts, asked at once because a question costs far more than an account does.

    Every figure is an array of a row a day: row `n * days + d` is day d of the nth account.
    """

    events: Events
    """Of all of them."""
    of: Int64s
    """Which account each event is of."""
    accounts: int
    days: int
    """How many the history has."""

    @staticmethod
    def of_each(accounts: Sequence[Events], days: int) -> "Past":
        whole = {
            name: np.concatenate([getattr(one, name) for one in accounts])
            for name in ("person", "day", "known", "is_use", "is_complaint", "count")
        }
        marks = {name: np.concatenate([one.marks[name] for one in accounts]) for name in accounts[0].marks}
        of = np.repeat(np.arange(len(accounts)), [len(one.day) for one in accounts])
        return Past(Events(**whole, marks=marks), of, len(accounts), days)

    @property
    def rows(self) -> int:
        return self.accounts * self.days

    def figures(self, names: frozenset[str]) -> dict[str, Floats]:
        """Those of `names` that events alone make."""
        return {name: FIGURES[name](self) for name in names if name in FIGURES}

    def user_days(self) -> tuple[Floats, Floats]:
        """Of the 28 finished days, and of the 28 before."""
        of, _, day, known = self._of_people()
        return self._in_window(of, day, known, 1, 28), self._in_window(of, day, known, 29, 56)

    def complaints(self, newest: int, oldest: int) -> Floats:
        return self.counted(self.events.is_complaint, newest, oldest)

    def counted(self, its: Booleans, newest: int, oldest: int) -> Floats:
        """How many of `its` events happened between `oldest` and `newest` days before each day, both included, and were known."""
        events = self.events
        return self._in_window(
            self.of[its], events.day[its], events.known[its], newest, oldest, events.count[its]
        )

    def active_users(self, window: int) -> Floats:
        """Distinct people of the `window` days that end with each day."""
        of, person, day, known = self._of_people()
        return self._covered(of, person, np.maximum(day, known), day + window - 1)

    def days_silent(self) -> Floats:
        last = np.full(self.rows, NEVER, np.int64)
        its = self.events.is_use
        at = np.maximum(self.events.day[its], self.events.known[its])
        inside = at < self.days
        np.maximum.at(last, self.of[its][inside] * self.days + at[inside], self.events.day[its][inside])
        last = np.maximum.accumulate(last.reshape(self.accounts, self.days), axis=1).ravel()
        return np.where(last == NEVER, np.nan, self.today() - last)

    def today(self) -> Int64s:
        """The day of each row."""
        return np.tile(np.arange(self.days), self.accounts)

    def usual_gap(self) -> Floats:
        """The median distance of active days of the last 180; unknown with fewer than two."""
        its = self.events.is_use
        nobody = np.zeros(int(its.sum()), np.int64)
        of, _, day, known = _once((self.of[its], nobody, self.events.day[its], self.events.known[its]))
        # Accounts are set apart by more than the days that are looked back to.
        apart, today = self.days + 2 * GAPS_OF_DAYS, self.today()
        where = np.repeat(np.arange(self.accounts), self.days) * apart + today
        active = of * apart + np.minimum(day, self.days)
        low = np.searchsorted(active, where - GAPS_OF_DAYS + 1).tolist()
        high = np.searchsorted(active, where, "right").tolist()
        has_late = np.zeros(self.accounts, np.bool_)
        has_late[of[known > day]] = True
        found, gaps = np.full(self.rows, np.nan), np.diff(day).tolist()
        asked: dict[tuple[int, int], float] = {}
        for row in np.flatnonzero(np.array(high, np.int64) - low > 1).tolist():
            window = (low[row], high[row])
            if has_late[row // self.days]:
                its_days = day[slice(*window)][known[slice(*window)] <= today[row]]
                found[row] = median(np.diff(its_days).tolist()) if len(its_days) > 1 else np.nan
                continue
            if window not in asked:
                asked[window] = median(gaps[window[0] : window[1] - 1])
            found[row] = asked[window]
        return found

    def first_known(self) -> Floats:
        """The first day that was known of, by each day; infinite before anything was."""
        first = np.full(self.rows, np.inf)
        inside = self.events.known < self.days
        at = self.of[inside] * self.days + self.events.known[inside]
        np.minimum.at(first, at, self.events.day[inside])
        found: Floats = np.minimum.accumulate(first.reshape(self.accounts, self.days), axis=1)
        return found.ravel()

    def marked(self, measure: str, *, is_distinct: bool) -> tuple[Int64s, Int64s, Int64s, Int64s, Int64s]:
        """Account, person, day, known and how many of each event that a measure counts; people once a day where it is distinct."""
        events = self.events
        its = (
            events.is_use
            if measure == ACTIVITY
            else events.marks.get(measure, np.zeros(len(events.day), np.bool_))
        )
        if not is_distinct:
            return self.of[its], events.person[its], events.day[its], events.known[its], events.count[its]
        its = its & (events.person != 0)
        of, person, day, known = _once((self.of[its], events.person[its], events.day[its], events.known[its]))
        return of, person, day, known, np.ones(len(day), np.int64)

    def people(self, measure: str, newest: int, oldest: int) -> Floats:
        """Distinct people of a measure between `newest` and `oldest` days before each day, both included."""
        of, person, day, known, _ = self.marked(measure, is_distinct=True)
        return self._covered(of, person, np.maximum(known, day + newest), day + oldest)

    def _of_people(self) -> tuple[Int64s, Int64s, Int64s, Int64s]:
        its = self.events.is_use & (self.events.person != 0)
        return _once((self.of[its], self.events.person[its], self.events.day[its], self.events.known[its]))

    def _in_window(
        self,
        of: Int64s,
        day: Int64s,
        known: Int64s,
        newest: int,
        oldest: int,
        weights: Int64s | None = None,
    ) -> Floats:
        return self._sum_of_stretches(of, np.maximum(day + newest, known), day + oldest, weights)

    def _covered(self, of: Int64s, person: Int64s, start: Int64s, end: Int64s) -> Floats:
        """How many people have a stretch [start, end] that holds each day; stretches of one person may overlap."""
        order = np.lexsort((start, person, of))
        of, person, start, end = of[order], person[order], start[order], end[order]
        # People are set apart by more than any stretch reaches, so one running maximum serves all of them.
        apart = np.cumsum(_is_first(of, person)) * (4 * self.days + 4_000)
        reached = np.maximum.accumulate(end + apart)
        start = start.copy()
        start[1:] = np.maximum(start[1:] + apart[1:], reached[:-1] + 1) - apart[1:]
        return self._sum_of_stretches(of, start, end)

    def _sum_of_stretches(
        self, of: Int64s, start: Int64s, end: Int64s, weights: Int64s | None = None
    ) -> Floats:
        start, end = np.maximum(start, 0), np.minimum(end, self.days - 1)
        some = start <= end
        counts = np.ones(int(some.sum())) if weights is None else weights[some].astype(np.float64)
        # A day more for each account, on which what lasts to its end is over.
        first, size = of[some] * (self.days + 1), self.accounts * (self.days + 1)
        up = np.bincount(first + start[some], counts, minlength=size)
        down = np.bincount(first + end[some] + 1, counts, minlength=size)
        changes = (up - down).reshape(self.accounts, self.days + 1)[:, : self.days]
        return np.cumsum(changes, axis=1, dtype=np.float64).ravel()


def trend(recent: Floats, base: Floats) -> Floats:
    """Relative change; unknown where the base is too small to say."""
    enough = base >= LEAST_BASE
    return np.where(enough, recent / np.where(enough, base, 1) - 1, np.nan)


def _once(columns: tuple[Int64s, Int64s, Int64s, Int64s]) -> tuple[Int64s, Int64s, Int64s, Int64s]:
    """Each (account, person, day) once, with the first day on which it was known; sorted."""
    of, person, day, known = columns
    order = np.lexsort((known, day, person, of))
    of, person, day, known = of[order], person[order], day[order], known[order]
    is_first = _is_first(of, person, day)
    return of[is_first], person[is_first], day[is_first], known[is_first]


def _is_first(*columns: Int64s) -> Booleans:
    """Where something differs from the element before."""
    found = np.ones(len(columns[0]), np.bool_)
    found[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return found


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
