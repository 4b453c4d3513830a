"""Accounts' pasts as rules ask for them: figures and traits of a day."""

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from alerts.domain.contracts import mrr_90d_ago_by_day, mrr_by_day, under_notice_by_day
from alerts.domain.past import FIGURES, Events, Floats, Past, trend
from alerts.domain.people_days import (
    OF_ANSWERS,
    OF_CHAMPIONS,
    OF_SURVEYS,
    Traits,
    answer_figures,
    champion_figures,
    days_since_survey,
)
from alerts.domain.rules import with_signals
from alerts.domain.signal_days import Company, SignalDays, figures_of_signals, signal_days
from alerts.domain.step_days import (
    OF_INVOICES,
    OF_PLANS,
    OF_TICKETS,
    invoices_failed,
    plan_figures,
    ticket_figures,
)
from common.catalogue.cel import SIGNALS
from common.catalogue.models import Measure
from common.catalogue.signal_figures import SIGNAL_FIGURES
from common.catalogue.signals import Signal
from common.figures.mrr import Change
from common.signals.said import INVOICES, PLANS, SEATS_CHANGED, SURVEYS, TICKETS, Answer, Step

ANSWER_IS_VALID_FOR_DAYS = 180
_SEATS_CHANGED_DAYS = SEATS_CHANGED.days
_OF_REVENUE: Mapping[str, Callable[[Sequence[Change], Sequence[datetime]], list[Decimal]]] = {
    "mrr": mrr_by_day,
    "mrr_90d_ago": mrr_90d_ago_by_day,
    "mrr_under_notice": under_notice_by_day,
}
_OF_SEATS = frozenset({"seats", "seats_before", "seats_used"})
_OF_THE_OWNER = frozenset({"owner_changes", "days_since_owner_change"})
_OF_THE_SEGMENT = frozenset({"segment_login_trend", "login_trend_vs_segment"})
_QUIET = ("quiet_days", "quiet_28d")
_UNTIL = {"days_to_renewal": "renewal_at", "days_to_notice": "notice_deadline"}
_DECIDED_BY = ("days_to_notice", "days_to_renewal")
# Taken as they were computed then: a replay makes neither health nor risk anew.
RECORDED = frozenset({"health", "health_band", "renewal_risk"})
# What a replay by days can say.
REPLAYED = (
    frozenset(FIGURES)
    | _OF_THE_SEGMENT
    | RECORDED
    | frozenset(_UNTIL)
    | frozenset(_QUIET)
    | {"age_days", "nps_latest", "mrr", "stage", "segment", "mrr_90d_ago", "mrr_under_notice"}
    | (OF_INVOICES | OF_PLANS | OF_TICKETS | OF_ANSWERS | OF_SURVEYS | OF_CHAMPIONS)
    | (_OF_SEATS | _OF_THE_OWNER | {"days_to_decide"})
)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Local days: `ends[d]` is the end of day d, the last one at most now; day 0 is `first_day`."""

    first_day: date
    zone: ZoneInfo
    ends: Sequence[datetime]

    @property
    def days(self) -> int:
        return len(self.ends)

    def number(self, said: object) -> int | None:
        """Of the day that a trait says as a date or an instant; None for anything else."""
        if not isinstance(said, str):
            return None
        try:
            at = datetime.fromisoformat(said)
        except ValueError:
            return None
        if len(said) != len("2026-01-31"):
            if at.tzinfo is None:
                return None
            at = at.astimezone(self.zone)
        return (at.date() - self.first_day).days


@dataclass(frozen=True, slots=True)
class Computed:
    """Figures as the engine recorded them, (day, value) in order: each holds from its local day on."""

    health: Sequence[tuple[date, Decimal | None]] = ()
    health_band: Sequence[tuple[date, str | None]] = ()
    renewal_risk: Sequence[tuple[date, Decimal | None]] = ()
    quiet: Collection[date] = ()
    """Days on which nobody expected the account to be there, as known today."""


@dataclass(frozen=True, slots=True)
class TraitDays:
    """An account's traits by day: each entry holds from its day on."""

    stretches: Sequence[tuple[int, Mapping[str, Any]]]

    @staticmethod
    def of(history: Sequence[tuple[datetime, str, Any]], ends: Sequence[datetime]) -> "TraitDays":
        """`history` in order within each name; what was said at the very end of a day is of the next."""
        at_days = [bisect_right(ends, at) for at, _, _ in history]
        found: list[tuple[int, Mapping[str, Any]]] = [(0, {})]
        traits: dict[str, Any] = {}
        for n in sorted(range(len(history)), key=at_days.__getitem__):
            _, name, value = history[n]
            traits = {key: known for key, known in traits.items() if key != name}
            if value is not None:
                traits[name] = value
            found.append((at_days[n], traits))
        return TraitDays(found)

    def on(self, day: int) -> Mapping[str, Any]:
        low, high = 0, len(self.stretches)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.stretches[middle][0] <= day else (low, middle)
        return self.stretches[low][1]

    def pieces(self, name: str, days: int) -> Iterator[tuple[Any, int, int]]:
        """Values of one trait with the days [from, to) that each held; unknown ones are left out."""
        for n, (start, traits) in enumerate(self.stretches):
            end = self.stretches[n + 1][0] if n + 1 < len(self.stretches) else days
            if start < min(end, days) and traits.get(name) is not None:
                yield traits[name], start, min(end, days)


@dataclass
class SegmentTrends:
    """How user-days moved in each segment, every account counted in the segment that it had on the day."""

    days: int
    _sums: dict[str, tuple[Floats, Floats]] = field(default_factory=dict)

    def add(self, past: Past, traits: Sequence[TraitDays]) -> None:
        """`traits`: of each account of `past`, in their order."""
        each = (days.reshape(past.accounts, self.days) for days in past.user_days())
        for its, recent, base in zip(traits, *each, strict=True):
            for segment, start, end in its.pieces("segment", self.days):
                of = self._sums.setdefault(str(segment), (np.zeros(self.days), np.zeros(self.days)))
                of[0][start:end] += recent[start:end]
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
class Said:
    """What was said of an account beside its events."""

    traits: TraitDays
    changes: Sequence[Change]
    answers: Sequence[Answer]
    steps: Mapping[str, Sequence[Step]]
    computed: Computed
    events: Events
    champions: Mapping[int, Traits]


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
    each = [_of_one(said, names, calendar) for said in accounts]
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


def _of_one(said: Said, names: frozenset[str], calendar: Calendar) -> dict[str, Floats]:
    """What was said of one account makes without its events."""
    columns: dict[str, Floats] = {}
    if "nps_latest" in names:
        columns["nps_latest"] = latest_answers(said.answers, calendar.ends)
    for name in _UNTIL.keys() & names:
        columns[name] = _until(said.traits, _UNTIL[name], calendar)
    if "days_to_decide" in names:
        notice, end = (_until(said.traits, _UNTIL[name], calendar) for name in _DECIDED_BY)
        columns["days_to_decide"] = np.where(np.isnan(notice), end, notice)
    for name, figure in _OF_REVENUE.items():
        if name in names:
            columns[name] = np.array(figure(said.changes, calendar.ends), np.float64)
    if not names.isdisjoint(_OF_SEATS):
        columns |= _seats(said.traits, calendar.days)
    if names & OF_INVOICES:
        columns["invoices_failed"] = invoices_failed(said.steps.get(INVOICES, ()), calendar.ends)
    if names & OF_PLANS:
        columns |= plan_figures(said.steps.get(PLANS, ()), calendar)
    if names & OF_TICKETS:
        columns |= ticket_figures(said.steps.get(TICKETS, ()), calendar.ends)
    if names & OF_ANSWERS:
        columns |= answer_figures(said.answers, calendar.ends)
    if names & OF_SURVEYS:
        columns["days_since_survey"] = days_since_survey(said.steps.get(SURVEYS, ()), calendar.ends)
    if names & OF_CHAMPIONS:
        columns |= champion_figures(said.champions, said.events, said.computed.quiet, calendar)
    if names & _OF_THE_OWNER:
        changes = _owner_changes(said.traits, calendar.days)
        columns |= dict(zip(("owner_changes", "days_since_owner_change"), changes, strict=True))
    return columns


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


def _seats(traits: TraitDays, days: int) -> dict[str, Floats]:
    seats, told = np.full(days, np.nan), np.full(days + _SEATS_CHANGED_DAYS, np.nan)
    for value, start, end in traits.pieces("seats", days):
        number = _as_number(value)
        if number is not None:
            seats[start:end] = number
            # Who said so for the first time since then had as many before, as far as anybody knows.
            told[(start + _SEATS_CHANGED_DAYS if told[-1] == told[-1] else 0) :] = number
    known = np.where(seats > 0, seats, np.nan)
    return {"seats": known, "seats_before": np.where(np.isnan(known), np.nan, told[:days])}


def _as_number(value: object) -> float | None:
    try:
        return None if isinstance(value, bool) else float(str(value))
    except ValueError:
        return None


def _owner_changes(traits: TraitDays, days: int) -> tuple[Floats, Floats]:
    """How many, and days since the last. The first owner is nobody's successor, and who was taken away has none."""
    changes, since, before = np.full(days, np.nan), np.full(days, np.nan), None
    for start, its in traits.stretches:
        owner = its.get("owner")
        if owner != before and start < days:
            follows = owner is not None and before is not None
            changes[start:] = changes[start] + 1 if follows else np.nan if owner is None else 0
            since[start:] = np.arange(days - start) if follows else np.nan
        before = owner
    return changes, since


def _until(traits: TraitDays, name: str, calendar: Calendar) -> Floats:
    """Days to the day that a trait says, negative once it is past."""
    found = np.full(calendar.days, np.nan)
    for said, start, end in traits.pieces(name, calendar.days):
        day = calendar.number(said)
        if day is not None:
            found[start:end] = day - np.arange(start, end)
    return found


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


def latest_answers(answers: Sequence[Answer], ends: Sequence[datetime]) -> Floats:
    """The latest score of the last 180 days, at the end of each; `answers` in order."""
    found = np.full(len(ends), np.nan)
    for one in answers:
        day = bisect_right(ends, one.at)
        found[day : day + ANSWER_IS_VALID_FOR_DAYS] = one.score
    return found


def _number(value: float) -> float | int | None:
    """Whole numbers as such, so that evidence reads as it does live."""
    if value != value:  # noqa: PLR0124 - NaN, at the price of a comparison
        return None
    return int(value) if value.is_integer() else value


def first_day(events: Events, days: int) -> int:
    """The first day on which anything was known of the account; beyond the last one when nothing ever was."""
    return int(events.known.min(initial=days))
