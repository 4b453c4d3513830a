"""Replays a rule over a tenant's past, as if it had been in force, and holds its warnings against what came of the accounts."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from alerts.domain.account_days import AccountDays
from alerts.domain.accuracy import Ending, Fired, Verdict, judge_account
from alerts.domain.contracts import endings, pays
from alerts.domain.replay import Firing
from alerts.domain.rules import Rule
from alerts.ports.history import AccountHistory, History, Recorded, TenantHistory
from alerts.use_cases.replaying import (
    MAX_ACCOUNT_DAYS,
    computed_from,
    firings_of,
    measures_of,
    not_replayed,
    owner_on,
)
from alerts.use_cases.rule_load import RuleLoad, load_of
from alerts.use_cases.rule_past import PastWarnings, pasts_of
from common import evidence
from common.catalogue.models import Catalogue
from common.contracts.known import KnownCounts
from common.errors import NotFound, Rejected, Unavailable


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
    known: KnownCounts
    warned: Sequence[Warned]
    missed: Sequence[Missed]


@dataclass
class Backtest:
    """One replay at a time and process: it takes a core, and delivering must not wait for it."""

    history: History

    def __post_init__(self) -> None:
        self._one_at_a_time = threading.Lock()

    def run(self, tenant_id: int, catalogue: Catalogue, question: Question, now: datetime) -> Replayed:
        """Raises Unavailable while another one runs, Rejected for what can't be replayed, NotFound without history."""
        if (unknown := not_replayed(question.rule, catalogue)) is not None:
            raise Rejected("figure-not-replayed", unknown)
        with self._alone():
            history = self.history.read(tenant_id, catalogue, now, measures_of([question.rule]))
            if history is None:
                raise NotFound("history-empty", "there are no events yet that a rule could be replayed over")
            return _replayed(history, catalogue, question, now)

    def pasts(
        self, tenant_id: int, catalogue: Catalogue, rules: Mapping[str, tuple[Rule, datetime]], now: datetime
    ) -> dict[str, PastWarnings]:
        """Of each rule, over the days before an instant. Raises Unavailable while another replay runs, Rejected for too long a history."""
        found = {
            name: PastWarnings((), None, unknown)
            for name, (rule, _) in rules.items()
            if (unknown := not_replayed(rule, catalogue)) is not None
        }
        asked = {name: its for name, its in rules.items() if name not in found}
        with self._alone():
            measures = measures_of([rule for rule, _ in asked.values()])
            history = self.history.read(tenant_id, catalogue, now, measures) if asked else None
            if history is None:
                return found | dict.fromkeys(asked, PastWarnings((), None, "there is no history yet"))
            return found | pasts_of(history, catalogue, asked)

    def load(
        self, tenant_id: int, catalogue: Catalogue, rules: Mapping[str, Rule], weeks: int, now: datetime
    ) -> RuleLoad:
        """What the rules would have opened in the last weeks, fewer where those are too many days at once.

        Raises Unavailable while another replay runs, Rejected for too long a history, NotFound without any.
        """
        unknown = {name: not_replayed(rule, catalogue) for name, rule in rules.items()}
        refused = {name: why for name, why in unknown.items() if why is not None}
        with self._alone():
            asked = [rule for name, rule in rules.items() if name not in refused]
            history = self.history.read(tenant_id, catalogue, now, measures_of(asked))
            if history is None:
                raise NotFound("history-empty", "there are no events yet that a rule could be replayed over")

            def recorded(since: datetime) -> Mapping[str, Recorded]:
                return self.history.recorded(tenant_id, catalogue, refused, since)

            return load_of(history, catalogue, rules, refused, weeks, recorded)

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


def _replayed(history: TenantHistory, catalogue: Catalogue, question: Question, now: datetime) -> Replayed:
    first, last = _range(history, question)
    first = max(first, computed_from(history, question.rule))
    if first > last:
        raise Rejected(
            "figure-not-replayed",
            "health and risk are taken as they were computed then, and on these days they were not computed yet",
        )
    if len(history.accounts) * (last - first + 1) > MAX_ACCOUNT_DAYS:
        raise Rejected(
            "history-too-long",
            f"{len(history.accounts):,} accounts over {last - first + 1:,} days are too many at once; give a later `from`",
        )
    warned: list[Warned] = []
    missed: list[Missed] = []
    start, end = history.calendar.day(first), history.calendar.day(last)
    # A churn of the first days may have been foretold before them.
    before = first - question.horizon // timedelta(days=1)
    asked = {question.rule.name: (question.rule, before, last)}
    for _, account, days, firings in firings_of(history, catalogue, asked):
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
            f"`from` must be a day up to `to`, and within {history.first_day} to {history.calendar.day(last)}",
        )
    return start, end


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
                owner_on(days.traits, firing.day),
                history.calendar.day(firing.day),
                None if firing.ended_at is None else history.calendar.day_of(firing.ended_at),
                evidence.in_words(question.rule.template, figures, traits),
                one.verdict,
                one.days_before,
            )
        )
    missed = []
    for one_missed in judged.missed:
        on = history.calendar.day_of(one_missed.ending.decided_at)
        missed.append(Missed(account.name, owner_on(days.traits, (on - history.first_day).days), on))
    return warned, missed
