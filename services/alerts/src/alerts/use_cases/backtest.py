"""Replays a rule over a tenant's past, as if it had been in force, and holds its warnings against what came of the accounts."""

import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice

from alerts.domain.account_days import (
    RECORDED,
    REPLAYED,
    AccountDays,
    Asked,
    SegmentTrends,
    account_days,
    first_day,
    needs_segments,
)
from alerts.domain.accuracy import Ending, Fired, Verdict, judge_account
from alerts.domain.budgets import Episode
from alerts.domain.contracts import endings, pays
from alerts.domain.past import Past
from alerts.domain.replay import Firing, replay
from alerts.domain.rules import Rule
from alerts.domain.said_days import Said, TraitDays
from alerts.domain.signal_days import (
    Company,
    can_be_counted,
    compared_by,
    counted_by,
    figures_of_signals,
    span_by,
)
from alerts.domain.step_days import days_at
from alerts.ports.history import AccountHistory, History, Recorded, TenantHistory
from common import evidence
from common.catalogue.cel import SIGNALS
from common.catalogue.models import Catalogue
from common.contracts.known import KnownCounts
from common.errors import NotFound, Rejected, Unavailable

# Days of accounts that a rule is asked about, at some 10 us each.
MAX_ACCOUNT_DAYS = 2_000_000
# Days of accounts that are worked out together: as long as numpy's overhead shows, no more than caches hold.
_ROWS_AT_ONCE = 2_048
# A warning may have been open so long before the days that are asked about.
_LOOK_BACK_DAYS = 28
# Figures that count the people of a measure.
_PEOPLE = {"active_users_28d_before": "active_users", "key_users_28d": "key_users"}


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


@dataclass(frozen=True, slots=True)
class PastWarnings:
    """What a rule would have warned of before an instant, as (account, when), from the day `since` on. `note`: what it doesn't say."""

    warnings: Sequence[tuple[int, datetime]]
    since: date | None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class RuleLoad:
    """Warnings of rules from day number `first` on, and those still open then. `recorded`: rules that can't be replayed and stand with
    their own warnings, and from which day on there are any. `not_replayed`: rules without either, with what can't be said of them."""

    start: date
    end: date
    first: int
    episodes: Sequence[Episode]
    recorded: Mapping[str, date]
    not_replayed: Mapping[str, str]


@dataclass
class Backtest:
    """One replay at a time and process: it takes a core, and delivering must not wait for it."""

    history: History

    def __post_init__(self) -> None:
        self._one_at_a_time = threading.Lock()

    def run(self, tenant_id: int, catalogue: Catalogue, question: Question, now: datetime) -> Replayed:
        """Raises Unavailable while another one runs, Rejected for what can't be replayed, NotFound without history."""
        if (unknown := _not_replayed(question.rule, catalogue)) is not None:
            raise Rejected("figure-not-replayed", unknown)
        with self._alone():
            history = self.history.read(tenant_id, catalogue, now, _measures([question.rule]))
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
            if (unknown := _not_replayed(rule, catalogue)) is not None
        }
        asked = {name: its for name, its in rules.items() if name not in found}
        with self._alone():
            measures = _measures([rule for rule, _ in asked.values()])
            history = self.history.read(tenant_id, catalogue, now, measures) if asked else None
            if history is None:
                return found | dict.fromkeys(asked, PastWarnings((), None, "there is no history yet"))
            return found | _pasts(history, catalogue, asked)

    def load(
        self, tenant_id: int, catalogue: Catalogue, rules: Mapping[str, Rule], weeks: int, now: datetime
    ) -> RuleLoad:
        """What the rules would have opened in the last weeks, fewer where those are too many days at once.

        Raises Unavailable while another replay runs, Rejected for too long a history, NotFound without any.
        """
        unknown = {name: _not_replayed(rule, catalogue) for name, rule in rules.items()}
        asked = {name: rule for name, rule in rules.items() if unknown[name] is None}
        with self._alone():
            history = self.history.read(tenant_id, catalogue, now, _measures([*asked.values()]))
            if history is None:
                raise NotFound("history-empty", "there are no events yet that a rule could be replayed over")
            last = history.calendar.days - 1
            most = MAX_ACCOUNT_DAYS // max(len(history.accounts) * len(asked), 1)
            first = max(last + 1 - min(weeks * 7, max(most, 7)), 0)
            days = (max(first - _LOOK_BACK_DAYS, 0), last)
            episodes = [
                Episode(
                    one.account_id,
                    asked[name].queue,
                    name,
                    firing.day,
                    None if firing.ended_at is None else _number_of(history, firing.ended_at),
                    _owner(its.traits, firing.day),
                    _engagement(its.traits, firing.day, catalogue),
                )
                # What was open when the range begins opens nothing.
                for name, one, its, firings in _firings(
                    history, catalogue, {name: (rule, *days) for name, rule in asked.items()}
                )
                for firing in firings
            ]
            refused = {name: why for name, why in unknown.items() if why is not None}
            recorded = self.history.recorded(tenant_id, catalogue, refused, history.ends[first])
            for name, its in recorded.items():
                episodes += _as_episodes(history, catalogue, rules[name].queue, name, its)
            return RuleLoad(
                _day(history, first),
                _day(history, last),
                first,
                episodes,
                {
                    name: max(_day_of(history, its.since), _day(history, first))
                    for name, its in recorded.items()
                },
                {name: why for name, why in refused.items() if name not in recorded},
            )

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


def _not_replayed(rule: Rule, catalogue: Catalogue) -> str | None:
    """What a replay can't say of it."""
    unknown = (_names(rule) | figures_of_signals(rule.signals.values())) - REPLAYED
    for name in _measures([rule]):
        measure = catalogue.measures.get(name)
        if measure is None or not can_be_counted(measure):
            unknown |= {name}
    return f"a replay by days can't say {', '.join(sorted(unknown))}; leave it out" if unknown else None


def _measures(rules: Sequence[Rule]) -> frozenset[str]:
    """Which of them are to be marked in events."""
    signals = [signal for rule in rules for signal in rule.signals.values()]
    names = {name for rule in rules for name in _names(rule)} | figures_of_signals(signals)
    return counted_by(signals) | {measure for figure, measure in _PEOPLE.items() if figure in names}


def _pasts(
    history: TenantHistory, catalogue: Catalogue, rules: Mapping[str, tuple[Rule, datetime]]
) -> dict[str, PastWarnings]:
    """Over as many of the days before as can be read; the last ones where they are too many."""
    most = MAX_ACCOUNT_DAYS // max(len(history.accounts), 1)
    last = {name: bisect_left(history.ends, before) - 1 for name, (_, before) in rules.items()}
    begun = {name: _computed_from(history, rule) for name, (rule, _) in rules.items()}
    days = {
        name: (first, its)
        for name, its in last.items()
        if (first := max(its + 1 - most, begun[name], 0)) <= its
    }
    warnings: dict[str, list[tuple[int, datetime]]] = {name: [] for name in days}
    asked = {name: (rules[name][0], *its) for name, its in days.items()}
    for name, account, _, firings in _firings(history, catalogue, asked):
        before = rules[name][1]
        warnings[name] += [(account.account_id, its.fired_at) for its in firings if its.fired_at < before]
    assumed = history.known.assumed
    note = f"{assumed:,} events came in a load of history and are taken as known when they happened"
    found = {
        name: PastWarnings(
            (),
            None,
            "what it reads was not computed before it watched"
            if its > last[name] >= 0
            else "there was no history before it watched",
        )
        for name, its in begun.items()
    }
    for name, (first, _) in days.items():
        found[name] = PastWarnings(warnings[name], _day(history, first), note if assumed else None)
    return found


def _computed_from(history: TenantHistory, rule: Rule) -> int:
    """The first day on which it could have warned: health and risk are taken as they were computed then, and before that there was neither."""
    days = [history.calendar.days]
    names = _names(rule) & RECORDED
    for one in history.accounts if names else ():
        for name in names:
            known = (day for day, value in getattr(one.computed, name) if value is not None)
            days += [(day - history.first_day).days for day in islice(known, 1)]
    return max(min(days), 0) if names else 0


def _as_episodes(
    history: TenantHistory, catalogue: Catalogue, queue: str, rule: str, recorded: Recorded
) -> Iterator[Episode]:
    warned = {account_id for account_id, _, _ in recorded.warnings}
    traits = {
        one.account_id: TraitDays.of(one.traits, history.ends)
        for one in history.accounts
        if one.account_id in warned
    }
    for account_id, fired_at, ended_at in recorded.warnings:
        if account_id in traits:
            day = _number_of(history, fired_at)
            yield Episode(
                account_id,
                queue,
                rule,
                day,
                None if ended_at is None else _number_of(history, ended_at),
                _owner(traits[account_id], day),
                _engagement(traits[account_id], day, catalogue),
            )


def _replayed(history: TenantHistory, catalogue: Catalogue, question: Question, now: datetime) -> Replayed:
    first, last = _range(history, question)
    first = max(first, _computed_from(history, question.rule))
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
    start, end = _day(history, first), _day(history, last)
    # A churn of the first days may have been foretold before them.
    before = first - question.horizon // timedelta(days=1)
    asked = {question.rule.name: (question.rule, before, last)}
    for _, account, days, firings in _firings(history, catalogue, asked):
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


def days_of(history: TenantHistory, asked: Asked) -> Iterator[tuple[AccountHistory, AccountDays]]:
    """Every account with what is asked of it, for every day."""
    calendar = history.calendar
    traits = {one.account_id: TraitDays.of(one.traits, history.ends) for one in history.accounts}
    segments, company = SegmentTrends(calendar.days), Company(calendar.days, span_by(asked.signals))
    compared = {of: asked.measures[of[1]] for of in compared_by(asked.signals)}
    together = max(_ROWS_AT_ONCE // calendar.days, 1)
    parts = [history.accounts[n : n + together] for n in range(0, len(history.accounts), together)]
    for some in parts:
        past, its = _past_of(some, calendar.days), [traits[one.account_id] for one in some]
        if needs_segments(asked.names | figures_of_signals(asked.signals)):
            segments.add(past, its)
        company.add(past, its, compared)
        for one in some:
            for measure, steps in one.steps.items():
                company.note_steps(measure, days_at([step.at for step in steps], history.ends))
    company.done()
    for some in parts:
        said = [
            Said(
                traits[one.account_id],
                one.changes,
                one.answers,
                one.steps,
                one.computed,
                one.events,
                one.champions,
            )
            for one in some
        ]
        past = _past_of(some, calendar.days)
        yield from zip(some, account_days(past, said, segments, company, calendar, asked), strict=True)


def _past_of(accounts: Sequence[AccountHistory], days: int) -> Past:
    return Past.of_each([one.events for one in accounts], days)


def _firings(
    history: TenantHistory, catalogue: Catalogue, rules: Mapping[str, tuple[Rule, int, int]]
) -> Iterator[tuple[str, AccountHistory, AccountDays, list[Firing]]]:
    """Of each rule, from one of its days to another, both included; account by account, so that rules share what they ask of it."""
    names = frozenset(name for rule, _, _ in rules.values() for name in _names(rule))
    signals = {name: its for rule, _, _ in rules.values() for name, its in rule.signals.items()}
    asked = Asked(names, signals.values(), catalogue.measures)
    for one, its in days_of(history, asked) if rules else ():
        known_from = first_day(one.events, history.calendar.days)
        for name, (rule, first, last) in rules.items():
            begin = max(first - 1, known_from, 0)
            found = replay(rule, its, history.ends[: last + 1], begin)
            # What was true before the first day is no warning of that day.
            yield name, one, its, [firing for firing in found if firing.day >= first]


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
                _owner(days.traits, firing.day),
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
        missed.append(Missed(account.name, _owner(days.traits, (on - history.first_day).days), on))
    return warned, missed


def _names(rule: Rule) -> set[str]:
    """The figures it reads or shows; not its signals."""
    named = {*rule.inputs, *evidence.figures_of(rule.template, {})}
    return {name for name in named if not name.startswith(f"{SIGNALS}.")}


def _engagement(traits: TraitDays, day: int, catalogue: Catalogue) -> str:
    """The engagement model that looks after the account; an empty name where there is none."""
    said = traits.on(day).get("engagement_model")
    models = catalogue.engagement_models.values()
    named = [one.name for one in models if one.trait_value == said]
    return next(iter([*named, *(one.name for one in models if one.default)]), "")


def _owner(traits: TraitDays, day: int) -> str | None:
    owner = traits.on(day).get("owner")
    return None if owner is None else str(owner)


def _day(history: TenantHistory, day: int) -> date:
    return history.first_day + timedelta(days=day)


def _number_of(history: TenantHistory, at: datetime) -> int:
    return (_day_of(history, at) - history.first_day).days


def _day_of(history: TenantHistory, at: datetime) -> date:
    """The local day that an instant is of; the end of a day is still its own."""
    low, high = 0, len(history.ends)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if history.ends[middle] < at else (low, middle)
    return _day(history, low)
