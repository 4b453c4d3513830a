"""What was known of accounts at an instant of the past: the figures that risk reads, made of nothing that became known later."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from common.contracts.instants import instant_of, microseconds
from common.figures.histories import CLOSED
from common.figures.mrr import ZERO, Change, Step, step_functions, value_before
from common.figures.rates import Rates
from common.figures.terms import dues
from common.risk.renewals import Renewal, ahead, renewals_of

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

LEAST_BASE = 8
"""Under so many user-days in the base a trend says nothing (metrics.md, login_trend)."""
_TRACED_DAYS = 180
_DAY_BITS = 17
_YEAR, _TICK = dt.timedelta(days=365), dt.timedelta(microseconds=1)
_ANSWER_DAYS = dt.timedelta(days=180)


@dataclass(frozen=True, slots=True)
class Events:
    """A row an event, in any order. `day`: local days since 1970; `person` 0 names nobody."""

    account: Int64s
    person: Int64s
    day: Int64s
    at_us: Int64s
    known_us: Int64s

    def where(self, rows: Bools) -> Events:
        return Events(
            self.account[rows], self.person[rows], self.day[rows], self.at_us[rows], self.known_us[rows]
        )

    def known_before(self, at_us: int) -> Events:
        """What had happened and was known by then."""
        return self.where((self.known_us < at_us) & (self.at_us < at_us))


@dataclass(frozen=True, slots=True)
class Told:
    """Something said of one account: `at` when it holds from, `known_at` when it was known."""

    at: dt.datetime
    known_at: dt.datetime
    name: str
    value: Any


@dataclass(slots=True)
class Facts:
    """Of one account. `answers`: scores of relationship surveys, `traits` by name, both in the order in which they hold."""

    changes: list[tuple[dt.datetime, Change]] = field(default_factory=list)
    answers: list[Told] = field(default_factory=list)
    traits: list[Told] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Past:
    """`use`: activity of people who count, and of nobody named."""

    zone: ZoneInfo
    use: Events
    complaints: Events
    facts: Mapping[int, Facts]
    rates: Rates

    def converted(self, amount: Decimal, currency: str | None, at: dt.datetime) -> Decimal:
        """In the tenant's currency at the rates of the day before an instant; one for one without any, as figures have terms."""
        return amount * self.rates.counted(currency, self.day_before(at))

    def day_before(self, at: dt.datetime) -> dt.date:
        return (at - _TICK).astimezone(self.zone).date()


@dataclass(frozen=True, slots=True)
class Known:
    """An account as it was known at an instant. `open`: its open renewals, that first which had to be decided first."""

    figures: Mapping[str, Any]
    traits: Mapping[str, Any]
    renewals: Sequence[Renewal]
    open: Sequence[Renewal]

    @property
    def next(self) -> Renewal | None:
        return self.open[0] if self.open else None


def known_at(past: Past, at: dt.datetime) -> dict[int, Known]:
    """Every account of which a subscription was known, at the start of a local day. Figures are those of the engine by name."""
    at_us = microseconds(at)
    today = day_of(at, past.zone)
    counted = _counted(past.use.known_before(at_us), past.complaints.known_before(at_us), today)
    facts = {account: known for account, its in past.facts.items() if (known := _facts(its, past, at))}
    trends = _segment_trends(
        counted, {account: traits.get("segment") for account, (_, traits, _) in facts.items()}
    )
    found = {}
    for account, (figures, traits, renewals) in facts.items():
        its = counted.get(account, _Counts())
        segment = trends.get(traits.get("segment"))
        own = its.trend
        told = {
            "days_silent": its.silent,
            "usual_gap_days": its.gap,
            "active_users_28d": its.users,
            "complaints_28d": its.complaints,
            "login_trend": own,
            "segment_login_trend": segment,
            "login_trend_vs_segment": None if own is None or segment is None else own - segment,
            "segment": traits.get("segment"),
        }
        found[account] = Known({**told, **figures}, traits, renewals, ahead(renewals, at))
    return found


@dataclass(slots=True)
class _Counts:
    users: int = 0
    recent: int = 0
    base: int = 0
    complaints: int = 0
    silent: int | None = None
    gap: float | None = None

    @property
    def trend(self) -> float | None:
        return None if self.base < LEAST_BASE else self.recent / self.base - 1


def _counted(use: Events, complaints: Events, today: int) -> dict[int, _Counts]:
    found: dict[int, _Counts] = defaultdict(_Counts)
    named = use.where((use.person != 0) & (use.day >= today - 56))
    _, rows = np.unique(_pairs(named.person, named.day), return_index=True)
    days = named.day[rows]
    for name, some in (("recent", days >= today - 28), ("base", days < today - 28)):
        for account, count in _tally(named.account[rows][some]):
            setattr(found[account], name, count)
    lately = named.where(named.day >= today - 27)
    _, rows = np.unique(lately.person, return_index=True)
    for account, count in _tally(lately.account[rows]):
        found[account].users = count
    for account, count in _tally(complaints.account[complaints.day >= today - 27]):
        found[account].complaints = count
    for account, active in _by_account(use):
        its = found[account]
        its.silent = max(today - int(active[-1]), 0)
        gaps = np.diff(active[active >= today - _TRACED_DAYS + 1])
        its.gap = float(np.median(gaps)) if len(gaps) else None
    return found


def _tally(accounts: Int64s) -> Iterator[tuple[int, int]]:
    names, counts = np.unique(accounts, return_counts=True)
    return zip(names.tolist(), counts.tolist(), strict=True)


def _by_account(use: Events) -> Iterator[tuple[int, Int64s]]:
    """The active days of each account, ascending."""
    pairs = np.unique(_pairs(use.account, use.day))
    names, starts = np.unique(pairs >> _DAY_BITS, return_index=True)
    days = np.split(pairs & ((1 << _DAY_BITS) - 1), starts[1:]) if len(names) else []
    return zip(names.tolist(), days, strict=True)


def _pairs(of: Int64s, day: Int64s) -> Int64s:
    """One number a pair; days since 1970 fit 17 bits until the year 2328."""
    return (of << _DAY_BITS) | day


def _segment_trends(counted: Mapping[int, _Counts], segments: Mapping[int, Any]) -> dict[Any, float | None]:
    sums: dict[Any, _Counts] = defaultdict(_Counts)
    for account, segment in segments.items():
        if segment is not None and account in counted and counted[account].base:
            sums[segment].recent += counted[account].recent
            sums[segment].base += counted[account].base
    return {segment: its.trend for segment, its in sums.items()}


def _facts(
    its: Facts, past: Past, at: dt.datetime
) -> tuple[dict[str, Any], dict[str, Any], tuple[Renewal, ...]] | None:
    """Figures, traits and renewals; None where no subscription was known."""
    changes = [change for known, change in its.changes if known < at and change.event_at < at]
    if not changes:
        return None
    traits = {one.name: one.value for one in its.traits if one.known_at < at and one.at < at}
    traits = {name: value for name, value in traits.items() if value is not None}
    steps = step_functions(changes, at, lambda change: change.currency)
    mrr, year_ago = (_worth(steps, past, then, at) for then in (at, at - _YEAR))
    zone = past.zone
    renewal_at, deadline = (local_start(traits.get(name), zone) for name in ("renewal_at", "notice_deadline"))
    is_closed = traits.get(CLOSED) is True
    unrated = {
        change.currency for change in changes if change.currency and not past.rates.has(change.currency)
    }
    renewals = renewals_of(
        dues(changes, at, past.converted), mrr, renewal_at, deadline, at, is_closed=is_closed, unrated=unrated
    )
    answers = [one.value for one in its.answers if one.known_at < at and at - _ANSWER_DAYS <= one.at < at]
    figures = {
        "mrr": mrr,
        "mrr_change_365d": None if mrr is None or not year_ago else float(mrr / year_ago - 1),
        "renewals_kept": sum(1 for one in renewals if one.renewed) if renewals else None,
        "paying_days": paying_days(min(change.effective_at for change in changes), at, zone),
        "nps_latest": answers[-1] if answers else None,
    }
    return figures, traits, renewals


def _worth(
    steps: Mapping[str | None, Sequence[Step]], past: Past, then: dt.datetime, at: dt.datetime
) -> Decimal | None:
    """What was paid then at the rates of now, as the engine says it; None where some of it has no rate."""
    total = ZERO
    for currency, its in steps.items():
        if amount := value_before(its, then):
            rate = past.rates.on(currency, past.day_before(at))
            if rate is None:
                return None
            total += amount * rate
    return max(total, ZERO)


def paying_days(first_at: dt.datetime, at: dt.datetime, zone: dt.tzinfo) -> int:
    return max((at.astimezone(zone).date() - first_at.astimezone(zone).date()).days, 0)


def months_until(at: dt.datetime, due_at: dt.datetime, zone: dt.tzinfo) -> int:
    return months_between(at.astimezone(zone).date(), due_at.astimezone(zone).date())


def months_between(first: dt.date, last: dt.date) -> int:
    """Calendar months from that of `first` to that of `last`: 0 in the same one or when it is over."""
    return max((last.year - first.year) * 12 + last.month - first.month, 0)


def local_start(said: object, zone: ZoneInfo) -> dt.datetime | None:
    """The local midnight at which the day begins that a trait says."""
    if not isinstance(said, str):
        return None
    try:
        day = dt.date.fromisoformat(said[:10])
        if len(said) > 10:
            day = instant_of(said).astimezone(zone).date()
        return dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


def day_of(at: dt.datetime, zone: dt.tzinfo) -> int:
    return (at.astimezone(zone).date() - dt.date(1970, 1, 1)).days
