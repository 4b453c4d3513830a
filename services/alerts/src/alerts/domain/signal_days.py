"""Accounts' signals on every day of their past, by the formulas that the engine asks them by (`common.signals`).

A row is a day of an account, a column a day that its window reaches back to, the row's own day last. What was learnt of a day later counts
from then on. Which data a company had, and when it stopped, is known by day too: a signal without it says nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from alerts.domain.past import ACTIVITY, NEVER, Booleans, Floats, Int64s, Past, TraitPieces
from common.catalogue.models import Measure
from common.catalogue.signal_figures import SOURCES
from common.catalogue.signals import Burst, Moved, Signal
from common.figures.histories import CLOSED
from common.signals.judging import Rows, ask, figures_read, span_of
from common.signals.states import may_stop, sources_of
from common.signals.weeks import YEAR_DAYS

_USE = f"measure.{ACTIVITY}"
_THERE = Measure(name=ACTIVITY, agg="count", activity=True)
# What signals rest on beside events, and replays can tell.
_TRAITS = ("owner", "seats")


def counted_by(signals: Collection[Signal]) -> frozenset[str]:
    """The measures whose days signals read."""
    return frozenset(one.test.measure for one in signals if isinstance(one.test, Moved | Burst))


def compared_by(signals: Collection[Signal]) -> frozenset[tuple[str, str]]:
    """Traits with the measures of which they read the days of all accounts with the same value too."""
    return frozenset(
        (trait, one.test.measure)
        for one in signals
        if isinstance(one.test, Moved)
        for trait in one.test.excused_by
    )


def span_by(signals: Collection[Signal]) -> int:
    return max([1, *(span_of(one) for one in signals)])


def can_be_counted(measure: Measure) -> bool:
    """Whether its days can be told from events: counts, and distinct people."""
    return measure.agg == "count" or (measure.agg == "distinct" and measure.field is None)


def rows_of(past: Past, measure: Measure, span: int, ago: int = 0) -> Floats:
    """How much of the measure there was on the days before each day, as it was known on it: a row a day, `span` columns.

    `ago`: the row's last column is so many days before it.
    """
    of, _, day, known, weight = past.marked(measure.name, is_distinct=measure.is_distinct)
    # The column of the row of day d that is of day c is c - d + ago + span - 1.
    behind, width = span - 1 + ago, past.days + span - 1
    in_time = known <= day + ago
    seen = in_time & (day + behind < width)
    counts: Floats = np.bincount(
        of[seen] * width + day[seen] + behind,
        weight[seen].astype(np.float64),
        minlength=past.accounts * width,
    ).astype(np.float64)
    rows = _windows(counts.reshape(past.accounts, width), span)
    late = np.flatnonzero(~in_time)
    begin = known[late]
    lasts = np.maximum(np.minimum(day[late] + ago + span, past.days) - begin, 0)
    each = np.repeat(late, lasts)
    at = np.arange(len(each)) + np.repeat(begin - np.cumsum(lasts) + lasts, lasts)
    np.add.at(rows, (of[each] * past.days + at, behind - (at - day[each])), weight[each])
    return rows


def _windows(cells: npt.NDArray[Any], span: int) -> npt.NDArray[Any]:
    """Of a row of cells an account a row a day, with the `span` cells that end with it; the cells begin so many days, less one, before the first."""
    return np.lib.stride_tricks.sliding_window_view(cells, span, axis=1).copy().reshape(-1, span)


# Sums of as many groups as most companies have are kept as rows; of more each is made anew when it is asked for.
_GROUPS_KEPT = 64
# What was added to a group is put together whenever it has become so much and twice what it was.
_PILED_UP = 4_096


@dataclass
class Group:
    """How much of a measure accounts with one value of a trait did, by the day it was of and the rows [from, to) that see it."""

    days: int
    span: int
    keys: Int64s = field(default_factory=lambda: np.zeros(0, np.int64))
    weights: Int64s = field(default_factory=lambda: np.zeros(0, np.int64))
    _least: int = _PILED_UP

    def add(self, day: Int64s, known: Int64s, weight: Int64s, start: int, end: int) -> None:
        """What accounts did that had the value on the days [start, end)."""
        begin = np.maximum(np.maximum(known, day), start)
        until = np.minimum(day + self.span, min(end, self.days))
        seen = begin < until
        wide = self.days + 1
        keys = ((day[seen] + self.span) * wide + begin[seen]) * wide + until[seen]
        self.keys = np.concatenate([self.keys, keys])
        self.weights = np.concatenate([self.weights, weight[seen]])
        if len(self.keys) > self._least:
            self.keys, of = np.unique(self.keys, return_inverse=True)
            self.weights = np.bincount(of, self.weights).astype(np.int64)
            self._least = 2 * max(len(self.keys), _PILED_UP)

    def rows(self) -> Floats:
        """As `rows_of` has them for one account: a row a day, `span` columns."""
        wide = self.days + 1
        whole, until = np.divmod(self.keys, wide)
        day, begin = np.divmod(whole, wide)
        lasts = until - begin
        each = np.repeat(np.arange(len(lasts)), lasts)
        at = np.arange(len(each)) + np.repeat(begin - np.cumsum(lasts) + lasts, lasts)
        column = day[each] - self.span - at + self.span - 1
        found = np.bincount(at * self.span + column, self.weights[each], self.days * self.span)
        return found.astype(np.float64).reshape(self.days, self.span)


@dataclass
class Company:
    """What all accounts together did: the days of each segment and country, and until when there was data of each kind, by day.

    `together`: by trait, its value and measure; the whole company's are the segment's of an empty name.
    """

    days: int
    span: int
    together: dict[tuple[str, str, str], Group] = field(default_factory=dict)
    newest: dict[str, Int64s] = field(default_factory=dict)
    _rows: dict[tuple[str, str, str], Floats] = field(default_factory=dict)

    def add(
        self, past: Past, traits: Sequence[TraitPieces], compared: Mapping[tuple[str, str], Measure]
    ) -> None:
        """`traits`: of each account of `past`, in their order."""
        for (trait, name), measure in compared.items():
            of, _, day, known, weight = past.marked(measure.name, is_distinct=measure.is_distinct)
            if trait == "segment":
                self._group(trait, "", name).add(day, known, weight, 0, self.days)
            for n, its in enumerate(traits):
                mine = of == n
                for value, start, end in its.pieces(trait, self.days):
                    group = self._group(trait, str(value), name)
                    group.add(day[mine], known[mine], weight[mine], start, end)
        for kind in _TRAITS:
            newest = self.newest.setdefault(f"trait.{kind}", np.full(self.days, NEVER, np.int64))
            for its in traits:
                for _, start, _ in its.pieces(kind, self.days):
                    newest[start] = start
        self._note(_USE, past.events.day, past.events.known, past.events.is_use)
        for name, marked in past.events.marks.items():
            self._note(f"measure.{name}", past.events.day, past.events.known, marked)

    def note(self, kind: str, days: Int64s) -> None:
        """That it had data of this kind on these days, and knew of it."""
        newest = self.newest.setdefault(kind, np.full(self.days, NEVER, np.int64))
        inside = days[days < self.days]
        np.maximum.at(newest, inside, inside)

    def _group(self, trait: str, value: str, name: str) -> Group:
        key = (trait, value, name)
        if key not in self.together:
            self.together[key] = Group(self.days, self.span)
        return self.together[key]

    def _days(self, trait: str, value: str, name: str) -> Floats:
        key = (trait, value, name)
        if key not in self._rows:
            if len(self._rows) >= _GROUPS_KEPT:
                del self._rows[next(iter(self._rows))]
            self._rows[key] = self._group(*key).rows()
        return self._rows[key]

    def _note(self, kind: str, day: Int64s, known: Int64s, its: Booleans) -> None:
        newest = self.newest.setdefault(kind, np.full(self.days, NEVER, np.int64))
        inside = its & (known < self.days)
        np.maximum.at(newest, known[inside], day[inside])

    def done(self) -> "Company":
        """Once every account was added."""
        for kind, newest in self.newest.items():
            self.newest[kind] = np.maximum.accumulate(newest)
        return self

    def others(self, trait: str, name: str, traits: Sequence[TraitPieces]) -> Floats:
        """The days of the segment that each account had on each day, of the whole company where it had none; of its country, else of nobody."""
        found = np.empty((len(traits), self.days, self.span))
        found[:] = self._days(trait, "", name)
        for its, mine in zip(traits, found, strict=True):
            for value, start, end in its.pieces(trait, self.days):
                mine[start:end] = self._days(trait, str(value), name)[start:end]
        return found.reshape(-1, self.span)

    def has_data_of(self, figure: str) -> Booleans:
        """On which days the company had sent what a figure is made of."""
        found = np.ones(self.days, np.bool_)
        for kind in SOURCES.get(figure, ()):
            newest = self._newest_of(kind)
            found &= newest is not None and newest != NEVER
        return found

    def _newest_of(self, kind: str) -> Int64s | None:
        return self.newest.get(_USE if kind == "measure.active_users" else kind)

    def says_nothing(self, signal: Signal) -> Booleans:
        """On which days the company had never sent the data behind a signal, or not for long."""
        silent = np.zeros(self.days, np.bool_)
        for kind in sources_of(signal):
            newest = self._newest_of(kind)
            if newest is None:
                # What isn't counted by events is known by the account's own figures.
                silent |= kind.startswith("measure.")
                continue
            silent |= newest == NEVER
            if signal.stale_after_days is not None and may_stop(kind):
                silent |= np.arange(self.days) - newest > signal.stale_after_days
        return silent


@dataclass(frozen=True, slots=True)
class SignalDays:
    """Of a row a day, as `Past` has them. `on`: None where nothing can be said."""

    on: Sequence[bool | None]
    value: Sequence[float]
    baseline: Sequence[float]
    unusual: Sequence[float]

    def said(self, row: int) -> dict[str, Any]:
        """As the engine tells it, without since when."""
        told: dict[str, Any] = {"state": _STATES[self.on[row]]}
        for name, column in (("value", self.value), ("baseline", self.baseline), ("unusual", self.unusual)):
            number = column[row]
            if number == number:  # noqa: PLR0124 - NaN, at the price of a comparison
                told[name] = int(number) if number.is_integer() else number
        return told


_STATES = {True: "on", False: "off", None: "no-data"}


def signal_days(
    signals: Collection[Signal],
    past: Past,
    traits: Sequence[TraitPieces],
    figures: Mapping[str, Floats],
    measures: Mapping[str, Measure],
    company: Company,
    quiet: Sequence[Collection[int]],
) -> dict[str, SignalDays]:
    """By name. `figures` has at least what the signals read; `quiet`: of each account, numbers of days on which nobody is expected."""
    span = company.span
    begun = _since_first(past, span)
    included = begun & ~_columns_of(quiet, past.days, span)

    def last_year(measure: str, rows: Int64s) -> tuple[Floats, Booleans]:
        then = _since_first(past, span, YEAR_DAYS)[rows]
        away = _columns_of(quiet, past.days, span, YEAR_DAYS)[rows]
        counted = _THERE if measure == ACTIVITY else measures[measure]
        return rows_of(past, counted, span, YEAR_DAYS)[rows], then & ~away

    rows = Rows(
        size=past.rows,
        figures=figures,
        days={name: rows_of(past, measures[name], span) for name in counted_by(signals)},
        others={of: company.others(*of, traits) for of in compared_by(signals)},
        included=included,
        begun=begun,
        last_year=last_year,
    )
    closed = np.zeros((past.accounts, past.days), np.bool_)
    for mine, its in zip(closed, traits, strict=True):
        for value, start, end in its.pieces(CLOSED, past.days):
            mine[start:end] = value is True
    is_closed, found = closed.ravel(), {}
    for signal in signals:
        said = ask(signal, rows)
        known = said.known & ~np.tile(company.says_nothing(signal), past.accounts) | is_closed
        on = said.on & ~is_closed
        is_on = [one if sure else None for one, sure in zip(on.tolist(), known.tolist(), strict=True)]
        numbers = (
            np.where(is_closed, np.nan, its).tolist() for its in (said.value, said.baseline, said.unusual)
        )
        found[signal.name] = SignalDays(is_on, *numbers)
    return found


def _columns_of(days: Sequence[Collection[int]], size: int, span: int, ago: int = 0) -> Booleans:
    """Which cell of `size` rows an account is one of its days; also days before the first row may be. `ago` as in `rows_of`."""
    marked = np.zeros((len(days), size + span - 1), np.bool_)
    for its, mine in zip(days, marked, strict=True):
        columns = [day + span - 1 + ago for day in its]
        mine[[column for column in columns if 0 <= column < len(mine)]] = True
    return _windows(marked, span)


def _since_first(past: Past, span: int, ago: int = 0) -> Booleans:
    """Which days lie behind the first one that was known of the account by then."""
    first = past.first_known()
    columns = past.today()[:, None] - ago - np.arange(span - 1, -1, -1)[None, :]
    return columns >= np.where(np.isinf(first), past.days, first)[:, None]


def figures_of_signals(signals: Collection[Signal]) -> frozenset[str]:
    return frozenset(name for one in signals for name in figures_read(one))
