"""Accounts' pasts as rules ask for them: figures and traits of a day."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

from alerts.domain.past import FIGURES, Events, Floats, Past, trend
from alerts.domain.rules import with_signals
from alerts.domain.said_days import OF_WHAT_WAS_SAID, Calendar, Said, TraitDays, figures_said
from alerts.domain.signal_days import Company, SignalDays, figures_of_signals, signal_days
from common.catalogue.cel import SIGNALS
from common.catalogue.models import Measure
from common.catalogue.signal_figures import SIGNAL_FIGURES
from common.catalogue.signals import Signal

_OF_THE_SEGMENT = frozenset({"segment_login_trend", "login_trend_vs_segment"})
_QUIET = ("quiet_days", "quiet_28d")
# Taken as they were computed then: a replay makes neither health nor risk anew.
RECORDED = frozenset({"health", "health_band", "renewal_risk"})
# What a replay by days can say.
REPLAYED = (
    frozenset(FIGURES)
    | _OF_THE_SEGMENT
    | RECORDED
    | frozenset(_QUIET)
    | OF_WHAT_WAS_SAID
    | {"age_days", "stage", "segment"}
)


@dataclass
class SegmentTrends:
    """How user-days moved in each segment, every account with a base counted in the segment that it had on the day."""

    days: int
    _sums: dict[str, tuple[Floats, Floats]] = field(default_factory=dict)

    def add(self, past: Past, traits: Sequence[TraitDays]) -> None:
        """`traits`: of each account of `past`, in their order."""
        each = (days.reshape(past.accounts, self.days) for days in past.user_days())
        for its, recent, base in zip(traits, *each, strict=True):
            for segment, start, end in its.pieces("segment", self.days):
                of = self._sums.setdefault(str(segment), (np.zeros(self.days), np.zeros(self.days)))
                of[0][start:end] += np.where(base[start:end] > 0, recent[start:end], 0)
                of[1][start:end] += base[start:end]

    def of(self, traits: TraitDays) -> Floats:
        """Of the segment that an account had on each day; NaN without one."""
        found = np.full(self.days, np.nan)
        for segment, start, end in traits.pieces("segment", self.days):
            if str(segment) in self._sums:
                recent, base = self._sums[str(segment)]
                found[start:end] = trend(recent[start:end], base[start:end])
        return found


def needs_segments(names: frozenset[str]) -> bool:
    return bool(names & _OF_THE_SEGMENT)


@dataclass(frozen=True, slots=True)
class AccountDays:
    """What was true of an account on a day, by the figures that were asked for. Columns and signals hold its days from row `begin` on."""

    columns: Mapping[str, Sequence[float | int | str | None]]
    traits: TraitDays
    signals: Mapping[str, SignalDays] = field(default_factory=dict)
    begin: int = 0

    def on(self, day: int) -> tuple[dict[str, Any], Mapping[str, Any]]:
        traits, row = self.traits.on(day), self.begin + day
        figures: dict[str, Any] = {name: column[row] for name, column in self.columns.items()}
        figures["stage"], figures["segment"] = traits.get("stage"), traits.get("segment")
        if self.signals:
            figures = with_signals(figures, {name: its.said(row) for name, its in self.signals.items()})
        return figures, traits

    def inputs(self, names: Sequence[str], first: int, days: int) -> Iterable[tuple[Any, ...]]:
        """The same of these figures alone, of each of the days [first, days)."""
        columns = [self._column(name, first, days) for name in names]
        return zip(*columns, strict=True) if columns else [()] * (days - first)

    def _column(self, name: str, first: int, days: int) -> Sequence[Any]:
        rows = slice(self.begin + first, self.begin + days)
        if name in self.columns:
            return self.columns[name][rows]
        signal = self.signals.get(name.removeprefix(f"{SIGNALS}."))
        if name.startswith(f"{SIGNALS}.") and signal is not None:
            return signal.on[rows]
        if name in ("stage", "segment"):
            return [self.traits.on(day).get(name) for day in range(first, days)]
        return [None] * (days - first)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of every account: figures by name, and signals with the measures that they count."""

    names: frozenset[str]
    signals: Collection[Signal]
    measures: Mapping[str, Measure]


def account_days(
    past: Past,
    accounts: Sequence[Said],
    segments: SegmentTrends,
    company: Company,
    calendar: Calendar,
    asked: Asked,
) -> list[AccountDays]:
    """The figures and signals that are asked for, and what they need, for every day of each account of `past`, in their order."""
    names = asked.names | figures_of_signals(asked.signals)
    if "days_not_asked" in names:
        names |= {"age_days"}
    columns = past.figures(names)
    for name in columns.keys() & SIGNAL_FIGURES.keys():
        has_data = np.tile(company.has_data_of(name), past.accounts)
        columns[name] = np.where(has_data, columns[name], np.nan)
    columns |= _of_the_past(past, accounts, names, calendar)
    if needs_segments(names):
        of_segment = np.concatenate([segments.of(one.traits) for one in accounts])
        columns["segment_login_trend"] = of_segment
        columns["login_trend_vs_segment"] = trend(*past.user_days()) - of_segment
    each = [figures_said(said, names, calendar) for said in accounts]
    columns |= {name: np.concatenate([its[name] for its in each]) for name in each[0]}
    if "days_not_asked" in names:
        # Who was never asked, where others were, has not been asked for as long as it is there.
        asked_before = columns["days_since_survey"]
        of_age = np.where(np.isnan(asked_before), columns["age_days"], asked_before)
        has_data = np.tile(company.has_data_of("days_not_asked"), past.accounts)
        columns["days_not_asked"] = np.where(has_data, of_age, np.nan)
    if "seats_used" in names:
        columns["seats_used"] = past.active_users(28) / columns["seats"]
    traits = [one.traits for one in accounts]
    quiet = [[(day - calendar.first_day).days for day in one.computed.quiet] for one in accounts]
    signals = (
        signal_days(asked.signals, past, traits, columns, asked.measures, company, quiet)
        if asked.signals
        else {}
    )
    found: dict[str, Sequence[float | int | str | None]] = {
        name: [_number(value) for value in column.tolist()] for name, column in columns.items()
    }
    for name in RECORDED & names:
        found[name] = [
            value for one in accounts for value in _as_recorded(getattr(one.computed, name), calendar)
        ]
    return [AccountDays(found, its, signals, n * past.days) for n, its in enumerate(traits)]


def _of_the_past(
    past: Past, accounts: Sequence[Said], names: frozenset[str], calendar: Calendar
) -> dict[str, Floats]:
    """What follows from events and what was said together."""
    found: dict[str, Floats] = {}
    shape = (past.accounts, past.days)
    if "age_days" in names:
        first = past.first_known().reshape(shape)
        each = zip(first, accounts, strict=True)
        found["age_days"] = np.concatenate([_ages(its, one.traits, calendar) for its, one in each])
    if not names.isdisjoint(_QUIET):
        silent = past.days_silent().reshape(shape)
        quiet = [
            _quiet_days(its, one.computed.quiet, calendar) for its, one in zip(silent, accounts, strict=True)
        ]
        for name, its in zip(_QUIET, zip(*quiet, strict=True), strict=True):
            found[name] = np.concatenate(its)
    return found


def _quiet_days(silent: Floats, quiet: Collection[date], calendar: Calendar) -> tuple[Floats, Floats]:
    """How many of the days of silence, and of the last 28, were quiet ones, by `common.context.quiet.quiet_between`."""
    until = np.zeros(calendar.days + 1)
    for day in quiet:
        number = (day - calendar.first_day).days
        until[max(number + 1, 0) :] += number < calendar.days
    today = np.arange(calendar.days)
    last_active = np.maximum(today - np.nan_to_num(silent), 0).astype(np.int64)
    since = np.maximum(today - 27, 0)
    of_silence = np.where(np.isnan(silent), np.nan, until[today + 1] - until[last_active + 1])
    return of_silence, until[today + 1] - until[since]


def _ages(first: Floats, traits: TraitDays, calendar: Calendar) -> Floats:
    """Days since the contract began, else since the first event that was known by then, which `first` becomes."""
    for said, start, end in traits.pieces("contract_start", calendar.days):
        day = calendar.number(said)
        if day is not None:
            first[start:end] = day
    first[np.isinf(first)] = np.nan
    ages: Floats = np.maximum(np.arange(calendar.days) - first, 0)
    return ages


def _as_recorded(
    rows: Sequence[tuple[date, Decimal | str | None]], calendar: Calendar
) -> list[float | int | str | None]:
    found: list[float | int | str | None] = [None] * calendar.days
    for day, value in rows:
        start = min(max((day - calendar.first_day).days, 0), calendar.days)
        said = _number(float(value)) if isinstance(value, Decimal) else value
        found[start:] = [said] * (calendar.days - start)
    return found


def _number(value: float) -> float | int | None:
    """Whole numbers as such, so that evidence reads as it does live."""
    if value != value:  # noqa: PLR0124 - NaN, at the price of a comparison
        return None
    return int(value) if value.is_integer() else value


def first_day(events: Events, days: int) -> int:
    """The first day on which anything was known of the account; beyond the last one when nothing ever was."""
    return int(events.known.min(initial=days))
