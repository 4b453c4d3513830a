"""Holds every warning of a tenant against what came of its accounts."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from alerts.domain.accuracy import AccountJudged, Ending, Fired, Judged, Work, judge_account
from alerts.domain.contracts import endings, expansions, pays
from alerts.domain.record import Entry, MissedEntry, Source, Span
from common.figures.mrr import Change, step_functions, value_before

# How long after a warning a churn counts as foretold by it.
HORIZON = timedelta(days=90)
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Episode:
    """A warning that was given, recorded or replayed. `case_id`: the case whose evidence it was. `is_withdrawn`: late data refuted it."""

    account_id: int
    at: datetime
    source: Source
    rule: str
    case_id: str | None = None
    is_withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What is known of a tenant's accounts, by account: what was agreed, from when to when cases were open, who looked after them.

    `closed_unused`: when cancellations were told that were made because nobody used the product. `work` and `growth_work`: by the queue
    of the cases. `said`: by case, the last verdict. `traits`: of owner and segment, (from, name, value) in order. `rates`: by currency, (day, into the tenant's), in order.
    """

    currency: str
    zone: ZoneInfo
    changes: Mapping[int, Sequence[Change]]
    closed_unused: Mapping[int, frozenset[datetime]]
    work: Mapping[int, Sequence[Work]]
    growth_work: Mapping[int, Sequence[Work]]
    said: Mapping[str, bool]
    traits: Mapping[int, Sequence[tuple[datetime, str, Any]]]
    rates: Mapping[str, Sequence[tuple[date, Decimal]]]

    def day(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def trait(self, account_id: int, name: str, at: datetime) -> str | None:
        """The last value strictly before an instant."""
        found = None
        for since, of, value in self.traits.get(account_id, ()):
            if since >= at:
                break
            if of == name:
                found = value
        return None if found is None else str(found)

    def owners(self, now: datetime) -> int:
        """How many people look after accounts."""
        return len({owner for one in self.traits if (owner := self.trait(one, "owner", now)) is not None})

    def mrr(self, account_id: int, at: datetime) -> Decimal | None:
        """In the tenant's currency, by what had been said until then; None where a rate is missing."""
        known = [change for change in self.changes.get(account_id, ()) if change.event_at <= at]
        steps = step_functions(known, at, lambda change: change.currency or self.currency)
        total = ZERO
        for currency, its in steps.items():
            value = value_before(its, at)
            if value != 0:
                rate = self._rate(currency, self.day(at))
                if rate is None:
                    return None
                total += value * rate
        return total

    def _rate(self, currency: str, day: date) -> Decimal | None:
        if currency == self.currency:
            return Decimal(1)
        days = self.rates.get(currency, ())
        place = bisect_right([known for known, _ in days], day)
        return days[place - 1][1] if place else None


@dataclass
class Judging:
    """`episodes`: of all rules, in the order of time; money goes to the first of them."""

    outcomes: Outcomes
    episodes: Sequence[Episode]
    now: datetime
    horizon: timedelta = HORIZON
    _endings: dict[tuple[int, bool], list[Ending]] = field(default_factory=dict)
    _leavers: dict[bool, Sequence[int]] = field(default_factory=dict)
    _others: dict[int, list[Episode]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for episode in self.episodes:
            self._others.setdefault(episode.account_id, []).append(episode)

    def endings(self, account_id: int, *, growth: bool) -> list[Ending]:
        """What a rule of risk, or of growth, could have foretold."""
        key = (account_id, growth)
        if key not in self._endings:
            changes = self.outcomes.changes.get(account_id, ())
            unused = self.outcomes.closed_unused.get(account_id, frozenset())
            self._endings[key] = (
                expansions(changes, self.now) if growth else endings(changes, self.now, unused)
            )
        return self._endings[key]

    def _left(self, *, growth: bool) -> Sequence[int]:
        """Accounts with something that could have been foretold: of the others only their warnings say anything."""
        if growth not in self._leavers:
            self._leavers[growth] = [
                account_id
                for account_id in self.outcomes.changes
                if any(one.kind != "renewed" for one in self.endings(account_id, growth=growth))
            ]
        return self._leavers[growth]

    def judge(
        self,
        warnings: Iterable[Episode],
        since: datetime,
        until: datetime | None = None,
        *,
        reads_silence: bool = False,
        growth: bool = False,
    ) -> tuple[list[Entry], list[MissedEntry]]:
        """Warnings of one subject from `since` on and before `until`, with the churns that were decided in between."""
        end = until or self.now
        by_account: dict[int, list[Episode]] = {}
        for one in warnings:
            if since <= one.at < end or (until is None and one.at == end):
                by_account.setdefault(one.account_id, []).append(one)
        entries: list[Entry] = []
        missed: list[MissedEntry] = []
        for account_id in sorted({*by_account, *self._left(growth=growth)}):
            mine = sorted(by_account.get(account_id, ()), key=lambda one: one.at)
            judged = self._account(account_id, mine, reads_silence=reads_silence, growth=growth)
            entries += [self._entry(one, what) for one, what in zip(mine, judged.warnings, strict=True)]
            missed += [
                self._missed(account_id, one.ending, worked=one.worked)
                for one in judged.missed
                if since <= one.ending.decided_at <= end
            ]
        entries.sort(key=lambda entry: (entry.day, entry.account_id))
        missed.sort(key=lambda one: (one.day, one.account_id))
        return entries, missed

    def _account(
        self, account_id: int, mine: Sequence[Episode], *, reads_silence: bool, growth: bool
    ) -> AccountJudged:
        changes = self.outcomes.changes.get(account_id, ())
        fired = [Fired(one.at, self._said(one), pays(changes, one.at)) for one in mine]
        known = self.endings(account_id, growth=growth)
        work = (self.outcomes.growth_work if growth else self.outcomes.work).get(account_id, ())
        return judge_account(fired, known, self.horizon, self.now, work, reads_silence=reads_silence)

    def _said(self, episode: Episode) -> bool | None:
        said = None if episode.case_id is None else self.outcomes.said.get(episode.case_id)
        return False if said is None and episode.is_withdrawn else said

    def _entry(self, one: Episode, judged: Judged) -> Entry:
        decided_at = judged.renewed_at
        if judged.days_before is not None:
            decided_at = one.at + timedelta(days=judged.days_before)
        return Entry(
            one.account_id,
            self.outcomes.day(one.at),
            one.source,
            judged,
            self.outcomes.trait(one.account_id, "owner", one.at),
            self.outcomes.trait(one.account_id, "segment", one.at),
            self.outcomes.mrr(one.account_id, one.at) if decided_at else ZERO,
            decided_at is not None and self._is_first(one, decided_at - self.horizon),
        )

    def _is_first(self, one: Episode, since: datetime) -> bool:
        """Whether no other rule warned before, of those that could have been heard then."""
        return not any(
            since <= other.at <= one.at and (other.at, other.rule) < (one.at, one.rule)
            for other in self._others.get(one.account_id, ())
            if other.rule != one.rule and (one.source != "live" or other.source == "live")
        )

    def _missed(self, account_id: int, ending: Ending, *, worked: bool) -> MissedEntry:
        at = ending.decided_at
        owner, segment = (self.outcomes.trait(account_id, name, at) for name in ("owner", "segment"))
        return MissedEntry(account_id, self.outcomes.day(at), worked, owner, segment)

    def span(self, since: datetime, until: datetime | None = None) -> Span:
        last = min(until - timedelta(microseconds=1), self.now) if until else self.now
        return Span(self.outcomes.day(since), self.outcomes.day(last), self.outcomes.owners(last))
