"""Replays a rule over a tenant's past, as if it had been in force, and holds its warnings against what came of the accounts."""

import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from alerts.domain import evidence
from alerts.domain.account_days import (
    NOT_REPLAYED,
    AccountDays,
    SegmentTrends,
    TraitDays,
    account_days,
    first_day,
    needs_segments,
)
from alerts.domain.accuracy import Ending, Fired, Verdict, judge_account
from alerts.domain.contracts import endings, pays
from alerts.domain.past import Past
from alerts.domain.replay import Firing, replay
from alerts.domain.rules import Rule
from alerts.ports.history import AccountHistory, History, Known, TenantHistory
from common.catalogue.models import Catalogue
from common.errors import NotFound, Rejected, Unavailable

# Days of accounts that a rule is asked about, at some 20 us each.
MAX_ACCOUNT_DAYS = 2_000_000


@dataclass(frozen=True, slots=True)
class Question:
    """Which days are told, both included, and how long after a warning a churn counts as foretold by it."""

    rule: Rule
    start: date | None
    end: date | None
    horizon: timedelta


@dataclass(frozen=True, slots=True)
class Warned:
    """A warning that the rule would have given. `from_day` is the day whose figures are the evidence."""

    account: str
    owner: str | None
    from_day: date
    to_day: date | None
    evidence: str
    verdict: Verdict
    days_before: float | None


@dataclass(frozen=True, slots=True)
class Missed:
    account: str
    owner: str | None
    decided_on: date


@dataclass(frozen=True, slots=True)
class Replayed:
    start: date
    end: date
    accounts: int
    known: Known
    warned: Sequence[Warned]
    missed: Sequence[Missed]


@dataclass(frozen=True, slots=True)
class PastWarnings:
    """What a rule would have warned of before an instant, as (account, when), from the day `since` on. `note`: what it doesn't say."""

    warnings: Sequence[tuple[int, datetime]]
    since: date | None
    note: str | None = None


@dataclass
class Backtest:
    """One replay at a time and process: it takes a core, and delivering must not wait for it."""

    history: History

    def __post_init__(self) -> None:
        self._one_at_a_time = threading.Lock()

    def run(self, tenant_id: int, catalogue: Catalogue, question: Question, now: datetime) -> Replayed:
        """Raises Unavailable while another one runs, Rejected for what can't be replayed, NotFound without history."""
        if (unknown := _not_replayed(question.rule)) is not None:
            raise Rejected("figure-not-replayed", unknown)
        with self._alone():
            history = self.history.read(tenant_id, catalogue, now)
            if history is None:
                raise NotFound("history-empty", "there are no events yet that a rule could be replayed over")
            return _replayed(history, question, now)

    def pasts(
        self, tenant_id: int, catalogue: Catalogue, rules: Mapping[str, tuple[Rule, datetime]], now: datetime
    ) -> dict[str, PastWarnings]:
        """Of each rule, over the days before an instant. Raises Unavailable while another replay runs, Rejected for too long a history."""
        with self._alone():
            history = self.history.read(tenant_id, catalogue, now)
            if history is None:
                return dict.fromkeys(rules, PastWarnings((), None, "there is no history yet"))
            return {name: _past(history, rule, before) for name, (rule, before) in rules.items()}

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._one_at_a_time.acquire(blocking=False):
            raise Unavailable(
                "backtest-running", "another replay is running; try again when it has ended", 10
            )
        try:
            yield
        finally:
            self._one_at_a_time.release()


def _not_replayed(rule: Rule) -> str | None:
    unknown = NOT_REPLAYED & _names(rule)
    return f"a replay by days can't say {', '.join(sorted(unknown))}; leave it out" if unknown else None


def _past(history: TenantHistory, rule: Rule, before: datetime) -> PastWarnings:
    """Over as many of the days before as can be read; the last ones where they are too many."""
    if (unknown := _not_replayed(rule)) is not None:
        return PastWarnings((), None, unknown)
    last = bisect_left(history.ends, before) - 1
    most = MAX_ACCOUNT_DAYS // max(len(history.accounts), 1)
    first = max(last + 1 - most, 0)
    if first > last:
        return PastWarnings((), None, "there was no history before it watched")
    warnings = [
        (account.account_id, firing.fired_at)
        for account, _, firings in _firings(history, rule, first, last)
        for firing in firings
        if firing.fired_at < before
    ]
    assumed = history.known.assumed
    note = f"{assumed:,} events came in a load of history and are taken as known when they happened"
    return PastWarnings(warnings, _day(history, first), note if assumed else None)


def _replayed(history: TenantHistory, question: Question, now: datetime) -> Replayed:
    first, last = _range(history, question)
    if len(history.accounts) * (last - first + 1) > MAX_ACCOUNT_DAYS:
        raise Rejected(
            "history-too-long",
            f"{len(history.accounts):,} accounts over {last - first + 1:,} days are too many at once; give a later `from`",
        )
    warned: list[Warned] = []
    missed: list[Missed] = []
    start, end = _day(history, first), _day(history, last)
    # A churn of the first days may have been foretold before them.
    before = first - question.horizon // timedelta(days=1)
    for account, days, firings in _firings(history, question.rule, before, last):
        some, none = _judged(history, account, days, firings, endings(account.changes, now), question, now)
        warned += [one for one in some if one.from_day >= start]
        missed += [one for one in none if start <= one.decided_on <= end]
    warned.sort(key=lambda one: (one.from_day, one.account))
    missed.sort(key=lambda one: (one.decided_on, one.account))
    return Replayed(start, end, len(history.accounts), history.known, warned, missed)


def _range(history: TenantHistory, question: Question) -> tuple[int, int]:
    last = len(history.ends) - 1
    start = 0 if question.start is None else max((question.start - history.first_day).days, 0)
    end = last if question.end is None else min((question.end - history.first_day).days, last)
    if start > end:
        raise Rejected(
            "range-invalid",
            f"`from` must be a day up to `to`, and within {history.first_day} to {_day(history, last)}",
        )
    return start, end


def _firings(
    history: TenantHistory, rule: Rule, first: int, last: int
) -> Iterator[tuple[AccountHistory, AccountDays, list[Firing]]]:
    names, days = frozenset(_names(rule)), len(history.ends)
    traits = {one.account_id: TraitDays.of(one.traits, history.ends) for one in history.accounts}
    segments = SegmentTrends(days)
    if needs_segments(names):
        for one in history.accounts:
            segments.add(Past(one.events, days), traits[one.account_id])
    for one in history.accounts:
        past = Past(one.events, days)
        its = traits[one.account_id]
        asked = account_days(
            past, its, one.changes, one.answers, one.computed, segments, history.calendar, names
        )
        begin = max(first - 1, first_day(past), 0)
        found = replay(rule, asked.on, history.ends[: last + 1], begin)
        # What was true before the first day is no warning of that day.
        yield one, asked, [firing for firing in found if firing.day >= first]


def _judged(
    history: TenantHistory,
    account: AccountHistory,
    days: AccountDays,
    firings: Sequence[Firing],
    known: Sequence[Ending],
    question: Question,
    now: datetime,
) -> tuple[list[Warned], list[Missed]]:
    fired = [Fired(firing.fired_at, pays=pays(account.changes, firing.fired_at)) for firing in firings]
    judged = judge_account(fired, known, question.horizon, now, reads_silence=question.rule.reads_silence)
    warned = []
    for firing, one in zip(firings, judged.warnings, strict=True):
        figures, traits = days.on(firing.day)
        warned.append(
            Warned(
                account.name,
                _owner(days, firing.day),
                _day(history, firing.day),
                None if firing.ended_at is None else _day_of(history, firing.ended_at),
                evidence.in_words(question.rule.template, figures, traits),
                one.verdict,
                one.days_before,
            )
        )
    missed = []
    for one_missed in judged.missed:
        on = _day_of(history, one_missed.ending.decided_at)
        missed.append(Missed(account.name, _owner(days, (on - history.first_day).days), on))
    return warned, missed


def _names(rule: Rule) -> set[str]:
    return {*rule.inputs, *evidence.figures_of(rule.template, {})}


def _owner(days: AccountDays, day: int) -> str | None:
    owner = days.traits.on(day).get("owner")
    return None if owner is None else str(owner)


def _day(history: TenantHistory, day: int) -> date:
    return history.first_day + timedelta(days=day)


def _day_of(history: TenantHistory, at: datetime) -> date:
    """The local day that an instant is of; the end of a day is still its own."""
    low, high = 0, len(history.ends)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if history.ends[middle] < at else (low, middle)
    return _day(history, low)
