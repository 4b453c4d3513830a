"""Holds every warning of a tenant against what came of its accounts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from alerts.domain.accuracy import AccountJudged, Ending, Fired, Judged, Work, judge_account
from alerts.domain.contracts import endings, expansions, pays
from alerts.domain.record import Entry, MissedEntry, Source, Span
from common.figures.mrr import Change, step_functions, value_before
from common.figures.rates import Rates

# How long after a warning a churn counts as foretold by it.
HORIZON = timedelta(days=90)
ZERO = Decimal(0)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Episode:
    """A warning that was given, recorded or replayed. `case_id`: the case whose evidence it was. `is_withdrawn`: late data refuted it.

    `subscription`: whose renewal it is about; None where that isn't known, or it is about the account.
    """

    account_id: int
    at: datetime
    source: Source
    rule: str
    case_id: str | None = None
    is_withdrawn: bool = False
    subscription: str | None = None


Contract = tuple[int, str]
"""An account and its subscription; an empty one is all of the account."""


@dataclass(frozen=True, slots=True)
class Watch:
    """All warnings that one rule gave as it is defined now, in the order of time."""

    rule: str
    warnings: Sequence[Episode]
    reads_silence: bool = False
    growth: bool = False


Came = tuple[Literal["caught", "renewed"], datetime]
"""What was foretold of an account, and when it was decided."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What is known of a tenant's accounts, by account: what was agreed, from when to when cases were open, who looked after them.

    `closed_unused`: when cancellations were told that were made because nobody used the product. `work` and `growth_work`: by the queue
    of the cases. `said`: by case, the last verdict. `traits`: of owner and segment, (from, name, value) in order.
    """

    zone: ZoneInfo
    changes: Mapping[int, Sequence[Change]]
    closed_unused: Mapping[int, frozenset[datetime]]
    work: Mapping[int, Sequence[Work]]
    growth_work: Mapping[int, Sequence[Work]]
    said: Mapping[str, bool]
    traits: Mapping[int, Sequence[tuple[datetime, str, Any]]]
    rates: Rates

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

    def changes_of(self, one: Contract) -> Sequence[Change]:
        account_id, subscription = one
        told = self.changes.get(account_id, ())
        return [its for its in told if its.subscription == subscription] if subscription else told

    def renewing(self, account_id: int) -> list[str]:
        """The subscriptions that have terms: each of them is renewed or lost by itself."""
        return sorted({its.subscription for its in self.changes.get(account_id, ()) if its.term_end})

    def mrr(self, one: Contract, at: datetime) -> Decimal | None:
        """In the tenant's currency, by what had been said until then; None where a rate is missing."""
        known = [change for change in self.changes_of(one) if change.event_at <= at]
        steps = step_functions(known, at, lambda change: change.currency)
        total = ZERO
        for currency, its in steps.items():
            value = value_before(its, at)
            if value != 0:
                rate = self.rates.on(currency, self.day(at - _TICK))
                if rate is None:
                    return None
                total += value * rate
        return max(total, ZERO)


@dataclass
class Judging:
    """`watches`: of all rules in force; the money of what came goes to the first of them that foretold it."""

    outcomes: Outcomes
    watches: Sequence[Watch]
    now: datetime
    horizon: timedelta = HORIZON
    _endings: dict[tuple[Contract, bool], list[Ending]] = field(default_factory=dict)
    _leavers: dict[tuple[bool, bool], Sequence[Contract]] = field(default_factory=dict)
    _watched: dict[int, dict[str, list[Episode]]] = field(default_factory=dict)
    _foretold: dict[tuple[int, bool, bool], dict[Came, tuple[datetime, str]]] = field(default_factory=dict)
    _owners: dict[datetime, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for watch in self.watches:
            for one in watch.warnings:
                self._watched.setdefault(one.account_id, {}).setdefault(watch.rule, []).append(one)

    def endings(self, one: Contract, *, growth: bool) -> list[Ending]:
        """What a rule of risk, or of growth, could have foretold."""
        key = (one, growth)
        if key not in self._endings:
            changes = self.outcomes.changes_of(one)
            unused = self.outcomes.closed_unused.get(one[0], frozenset())
            self._endings[key] = (
                expansions(changes, self.now) if growth else endings(changes, self.now, unused)
            )
        return self._endings[key]

    def _left(self, *, growth: bool, by_renewal: bool) -> Sequence[Contract]:
        """Accounts with something that could have been foretold: of the others only their warnings say anything."""
        key = (growth, by_renewal)
        if key not in self._leavers:
            self._leavers[key] = [
                (account_id, subscription)
                for account_id in self.outcomes.changes
                for subscription in (by_renewal and self.outcomes.renewing(account_id)) or [""]
                if any(
                    one.kind != "renewed" for one in self.endings((account_id, subscription), growth=growth)
                )
            ]
        return self._leavers[key]

    def _about(self, one: Episode) -> Contract:
        """Whose renewal a score warned of; where that was not kept, the one whose term ended first then."""
        renewing = self.outcomes.renewing(one.account_id)
        if not renewing:
            return one.account_id, ""
        if one.subscription in renewing:
            return one.account_id, one.subscription
        ends = [
            (its.term_end, its.subscription)
            for its in self.outcomes.changes[one.account_id]
            if its.event_at <= one.at and its.term_end is not None and its.term_end > one.at
        ]
        return one.account_id, min(ends)[1] if ends else renewing[0]

    def judge(
        self,
        warnings: Iterable[Episode],
        since: datetime,
        until: datetime | None = None,
        *,
        reads_silence: bool = False,
        growth: bool = False,
        by_renewal: bool = False,
    ) -> tuple[list[Entry], list[MissedEntry]]:
        """Warnings of one subject from `since` on and before `until`, with the churns that were decided in between.

        `by_renewal`: each is held against what became of the subscription that it is about, and each subscription with terms is missed
        by itself.
        """
        end = until or self.now
        by_account: dict[Contract, list[Episode]] = {}
        for one in warnings:
            if since <= one.at < end or (until is None and one.at == end):
                about = self._about(one) if by_renewal else (one.account_id, "")
                by_account.setdefault(about, []).append(one)
        entries: list[Entry] = []
        missed: list[MissedEntry] = []
        for about in sorted({*by_account, *self._left(growth=growth, by_renewal=by_renewal)}):
            mine = sorted(by_account.get(about, ()), key=lambda one: one.at)
            judged = self._account(about, mine, reads_silence=reads_silence, growth=growth)
            entries += [
                self._entry(about, one, what, growth=growth)
                for one, what in zip(mine, judged.warnings, strict=True)
            ]
            missed += [
                self._missed(about[0], one.ending, worked=one.worked)
                for one in judged.missed
                if since <= one.ending.decided_at <= end
            ]
        entries.sort(key=lambda entry: (entry.day, entry.account_id))
        missed.sort(key=lambda one: (one.day, one.account_id))
        return entries, missed

    def _account(
        self, about: Contract, mine: Sequence[Episode], *, reads_silence: bool, growth: bool
    ) -> AccountJudged:
        changes = self.outcomes.changes_of(about)
        fired = [Fired(one.at, self._said(one), pays(changes, one.at), one.is_withdrawn) for one in mine]
        known = self.endings(about, growth=growth)
        work = (self.outcomes.growth_work if growth else self.outcomes.work).get(about[0], ())
        return judge_account(fired, known, self.horizon, self.now, work, reads_silence=reads_silence)

    def _said(self, episode: Episode) -> bool | None:
        said = None if episode.case_id is None else self.outcomes.said.get(episode.case_id)
        return False if said is None and episode.is_withdrawn else said

    def _entry(self, about: Contract, one: Episode, judged: Judged, *, growth: bool) -> Entry:
        came = _came(one, judged)
        return Entry(
            one.account_id,
            self.outcomes.day(one.at),
            one.source,
            judged,
            self.outcomes.trait(one.account_id, "owner", one.at),
            self.outcomes.trait(one.account_id, "segment", one.at),
            self.outcomes.mrr(about, one.at) if came else ZERO,
            came is not None and self._is_first(one, came, growth=growth),
        )

    def _is_first(self, one: Episode, came: Came, *, growth: bool) -> bool:
        """Whether no other rule of its queue foretold the same before, of those that could have been heard then."""
        mine = (one.at, one.rule)
        return mine <= self._firsts(one.account_id, growth, one.source == "live").get(came, mine)

    def _firsts(self, account_id: int, growth: bool, live: bool) -> Mapping[Came, tuple[datetime, str]]:
        """The first warning, and its rule, of all that was foretold of an account. `live`: by warnings that people were told."""
        key = (account_id, growth, live)
        if key not in self._foretold:
            found = self._foretold[key] = {}
            for watch in self.watches:
                said = self._watched.get(account_id, {}).get(watch.rule, ())
                mine = [one for one in said if watch.growth is growth and (one.source == "live" or not live)]
                if mine:
                    judged = self._account(
                        (account_id, ""), mine, reads_silence=watch.reads_silence, growth=growth
                    )
                    for one, what in zip(mine, judged.warnings, strict=True):
                        came = _came(one, what)
                        if came is not None:
                            found[came] = min(found.get(came, (one.at, one.rule)), (one.at, one.rule))
        return self._foretold[key]

    def _missed(self, account_id: int, ending: Ending, *, worked: bool) -> MissedEntry:
        at = ending.decided_at
        owner, segment = (self.outcomes.trait(account_id, name, at) for name in ("owner", "segment"))
        return MissedEntry(account_id, self.outcomes.day(at), worked, owner, segment)

    def span(self, since: datetime, until: datetime | None = None) -> Span:
        last = min(until - timedelta(microseconds=1), self.now) if until else self.now
        if last not in self._owners:
            self._owners[last] = self.outcomes.owners(last)
        return Span(self.outcomes.day(since), self.outcomes.day(last), self._owners[last])


def _came(one: Episode, judged: Judged) -> Came | None:
    """What a warning foretold in time: a churn, or what was worked on and renewed."""
    if judged.days_before is not None:
        return "caught", one.at + timedelta(days=judged.days_before)
    if judged.renewed_at is not None and judged.worked:
        return "renewed", judged.renewed_at
    return None
