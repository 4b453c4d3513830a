"""What was said of an account beside its events, day by day: traits, subscriptions, answers, steps; and the days themselves."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from alerts.domain.contracts import mrr_90d_ago_by_day, mrr_by_day, seats_by_day, under_notice_by_day
from alerts.domain.past import Events, Floats
from alerts.domain.people_days import (
    OF_ANSWERS,
    OF_CHAMPIONS,
    OF_SURVEYS,
    Traits,
    answer_figures,
    champion_figures,
    days_since_survey,
)
from alerts.domain.step_days import (
    OF_INVOICES,
    OF_PLANS,
    OF_TICKETS,
    invoices_failed,
    plan_figures,
    ticket_figures,
)
from common.contracts.instants import instant_of
from common.figures.mrr import Change
from common.signals.said import INVOICES, PLANS, SURVEYS, TICKETS, Answer, Step

ANSWER_IS_VALID_FOR_DAYS = 180
_Revenue = Callable[[Sequence[Change], Sequence[datetime]], list[Decimal]]
_OF_REVENUE: Mapping[str, _Revenue] = {
    "mrr": mrr_by_day,
    "mrr_90d_ago": mrr_90d_ago_by_day,
    "mrr_under_notice": under_notice_by_day,
}
_OF_SEATS = frozenset({"seats", "seats_before", "seats_used"})
_OF_THE_OWNER = frozenset({"owner_changes", "days_since_owner_change"})
_UNTIL = {"days_to_renewal": "renewal_at", "days_to_notice": "notice_deadline"}
_DECIDED_BY = ("days_to_notice", "days_to_renewal")
OF_WHAT_WAS_SAID = (
    (OF_INVOICES | OF_PLANS | OF_TICKETS | OF_ANSWERS | OF_SURVEYS | OF_CHAMPIONS)
    | (_OF_SEATS | _OF_THE_OWNER | frozenset(_OF_REVENUE) | frozenset(_UNTIL))
    | {"nps_latest", "days_to_decide"}
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

    def day(self, number: int) -> date:
        return self.first_day + timedelta(days=number)

    def number_of(self, at: datetime) -> int:
        """Of the day that an instant is of; the end of a day is still its own."""
        return bisect_left(self.ends, at)

    def day_of(self, at: datetime) -> date:
        return self.day(self.number_of(at))

    def number(self, said: object) -> int | None:
        """Of the day that a trait says as a date or an instant; None for anything else."""
        if not isinstance(said, str):
            return None
        try:
            at = date.fromisoformat(said) if len(said) == len("2026-01-31") else self._said_day(said)
        except (ValueError, OverflowError):
            return None
        return (at - self.first_day).days

    def _said_day(self, said: str) -> date:
        return instant_of(said).astimezone(self.zone).date()


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
    def of(history: Sequence[tuple[datetime, str, Any]], ends: Sequence[datetime]) -> TraitDays:
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


@dataclass(frozen=True, slots=True)
class Rates:
    """What a unit of each currency that has a rate is worth in the tenant's own, `home`, on every day."""

    home: str
    by_day: Mapping[str, Floats]

    @staticmethod
    def of(home: str, told: Sequence[tuple[str, date, Decimal]], calendar: Calendar) -> Rates:
        """`told`: (currency, from when on, rate), in order. Before its first day a currency counts at its first rate."""
        known: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for currency, day, rate in told:
            known[currency].append(((day - calendar.first_day).days, float(rate)))
        days = np.arange(calendar.days)
        by_day = {}
        for currency, its in known.items():
            since, values = (np.array(column) for column in zip(*its, strict=True))
            by_day[currency] = values[np.maximum(np.searchsorted(since, days, "right") - 1, 0)]
        return Rates(home, by_day)

    def on_days(self, currency: str) -> Floats | float:
        """NaN without any."""
        return 1.0 if currency == self.home else self.by_day.get(currency, np.nan)


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of an account beside its events."""

    traits: TraitDays
    seats: Sequence[tuple[datetime, float | None]]
    """What its trait says of them, in order; None where that is no number."""
    changes: Sequence[Change]
    answers: Sequence[Answer]
    steps: Mapping[str, Sequence[Step]]
    computed: Computed
    events: Events
    champions: Mapping[int, Traits]
    rates: Rates


def figures_said(said: Said, names: frozenset[str], calendar: Calendar) -> dict[str, Floats]:
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
            columns[name] = _in_money(figure, said, calendar.ends)
    if not names.isdisjoint(_OF_SEATS):
        columns |= _seats(said, calendar.ends)
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


def _in_money(figure: _Revenue, said: Said, ends: Sequence[datetime]) -> Floats:
    """In the tenant's currency at the rates of each day, as the engine says it; unknown while some of it has no rate."""
    found = np.zeros(len(ends))
    for currency in sorted({change.currency for change in said.changes if change.currency}):
        # What is paid in another one counts nothing here; a cancellation names none and ends what there is.
        its = [
            change if change.currency in (currency, None) else replace(change, mrr=Decimal(0))
            for change in said.changes
        ]
        amounts = np.array(figure(its, ends), np.float64)
        found += np.where(amounts == 0, 0.0, amounts * said.rates.on_days(currency))
    return np.maximum(found, 0.0)


def _seats(said: Said, ends: Sequence[datetime]) -> dict[str, Floats]:
    known = seats_by_day(said.seats, said.changes, ends)
    seats, before = zip(*((np.nan, np.nan) if one is None else one for one in known), strict=True)
    return {"seats": np.array(seats), "seats_before": np.array(before)}


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


def latest_answers(answers: Sequence[Answer], ends: Sequence[datetime]) -> Floats:
    """The latest score of the last 180 days, at the end of each; `answers` in order."""
    found = np.full(len(ends), np.nan)
    for one in answers:
        day = bisect_right(ends, one.at)
        found[day : day + ANSWER_IS_VALID_FOR_DAYS] = one.score
    return found
