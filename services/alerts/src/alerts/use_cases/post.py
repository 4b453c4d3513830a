"""Puts notices about a case into the outbox: who hears it, what it says, and whom a page goes to first."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from alerts.domain.brief import ASKING
from alerts.domain.cases import Case, NoticeType
from alerts.domain.facts import Facts
from alerts.domain.identities import occasion_of
from alerts.domain.notices import Context, Evidence, case_notice
from alerts.domain.on_call import Duty, Override, Page, first_page, on_call
from alerts.domain.people import Team
from alerts.domain.routing import AFTERWARDS, Reach, Subject, Target, hearers, taken
from alerts.domain.silences import Silence
from alerts.domain.summaries import storm_notice
from alerts.domain.workdays import MuteTime
from alerts.metrics import Metrics
from alerts.ports.ledger import Ledger
from alerts.ports.records import Account, Alert, Definitions, Notification
from common.evidence import in_words

# What wakes people: only these page whoever is on call and begin an escalation.
PAGES = (NoticeType.OPENED, NoticeType.WORSENED, NoticeType.LAPSED)


@dataclass
class Outcome:
    """What is to be written: alerts with their case, cases, pages and the outbox. With it, what was read once for all of them."""

    notice_deadlines: Mapping[int, datetime]
    alerts: list[Alert] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    fresh: list[tuple[Account, Case, tuple[str, ...]]] = field(default_factory=list)
    """Cases with rules that are new to them: their playbooks are to be set."""
    opened: int = 0
    told: dict[int, int] = field(default_factory=dict)
    stormed: Counter[int] = field(default_factory=Counter)
    """Cases by tenant that a storm's summary tells of instead."""
    _targets: dict[int, tuple[Target, ...]] = field(default_factory=dict)
    _silences: dict[int, list[Silence]] = field(default_factory=dict)
    _records: dict[int, Mapping[str, str]] = field(default_factory=dict)
    _mute_times: dict[int, Sequence[MuteTime]] = field(default_factory=dict)
    _teams: dict[int, Team] = field(default_factory=dict)
    _overrides: dict[int, Sequence[Override]] = field(default_factory=dict)

    def targets(self, ledger: Ledger, tenant_id: int) -> tuple[Target, ...]:
        if tenant_id not in self._targets:
            self._targets[tenant_id] = ledger.targets(tenant_id)
        return self._targets[tenant_id]

    def silences(self, ledger: Ledger, tenant_id: int, now: datetime) -> list[Silence]:
        if tenant_id not in self._silences:
            self._silences[tenant_id] = ledger.silences(tenant_id, now)
        return self._silences[tenant_id]

    def mute_times(self, ledger: Ledger, definitions: Definitions) -> Sequence[MuteTime]:
        tenant_id = definitions.tenant_id
        if tenant_id not in self._mute_times:
            made = tuple(window.window for window in ledger.mute_times(tenant_id))
            self._mute_times[tenant_id] = (*definitions.terms.mute_times, *made)
        return self._mute_times[tenant_id]

    def team(self, ledger: Ledger, definitions: Definitions, now: datetime) -> Team:
        tenant_id = definitions.tenant_id
        if tenant_id not in self._teams:
            leaves = [row.leave for row in ledger.leaves(tenant_id, now)]
            self._teams[tenant_id] = definitions.team.joined_by(leaves)
        return self._teams[tenant_id]

    def overrides(self, ledger: Ledger, tenant_id: int, now: datetime) -> Sequence[Override]:
        if tenant_id not in self._overrides:
            self._overrides[tenant_id] = ledger.on_call_overrides(tenant_id, now)
        return self._overrides[tenant_id]

    def records(self, ledger: Ledger, tenant_id: int) -> Mapping[str, str]:
        if tenant_id not in self._records:
            self._records[tenant_id] = ledger.records_in_words(tenant_id)
        return self._records[tenant_id]

    def told_recently(self, ledger: Ledger, tenant_id: int, within: timedelta, now: datetime) -> int:
        """Cases that people were told of one by one, those of this outcome included."""
        if tenant_id not in self.told:
            self.told[tenant_id] = ledger.cases_told_since(tenant_id, now - within)
        return self.told[tenant_id]


@dataclass(frozen=True)
class Post:
    """Used by one thread."""

    new_id: Callable[[str], str]
    public_url: str
    metrics: Metrics

    def send(
        self,
        ledger: Ledger,
        notice: NoticeType,
        account: Account,
        case: Case,
        evidence: Sequence[Alert],
        outcome: Outcome,
        now: datetime,
    ) -> None:
        """To all whom the routes name; a page also begins its way through the rotations they name."""
        definitions = ledger.definitions(account.tenant_id)
        if definitions is None:
            return
        subject = _subject(account, case, evidence)
        duties = self._duties(ledger, subject, definitions, outcome, now)
        reach = self._reach(ledger, account, case, definitions, duties, outcome, now)
        targets = outcome.targets(ledger, account.tenant_id)
        found = hearers(targets, definitions.routes, notice, subject, reach)
        if notice in AFTERWARDS:
            told = ledger.told_receivers(case.id)
            found = [target for target in found if target.receiver_id in told]
        if notice in PAGES:
            outcome.pages += [
                first_page(case.id, case.tenant_id, definitions.rotations[name], duty, now)
                for name, duty in duties.items()
            ]
        self.write(ledger, notice, account, case, evidence, found, outcome, now)

    def write(
        self,
        ledger: Ledger,
        notice: NoticeType,
        account: Account,
        case: Case,
        evidence: Sequence[Alert],
        receivers: Sequence[Target],
        outcome: Outcome,
        now: datetime,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """To exactly these. `more` is added to what the notice says."""
        definitions = ledger.definitions(account.tenant_id)
        if not receivers or definitions is None:
            return
        context = Context(
            account.name,
            account.traits,
            account.mrr,
            definitions.currency,
            outcome.notice_deadlines.get(account.account_id) or case.notice_deadline,
            self.public_url,
            _facts(ledger, notice, account, definitions, now),
        )
        records = outcome.records(ledger, account.tenant_id)
        shown = [
            replace(_shown(alert, account, definitions), record=records.get(alert.rule)) for alert in evidence
        ]
        notice_body = case_notice(notice, case, shown, context, now)
        notice_body["data"] |= {"stakes": _stakes(case, definitions.currency), **(more or {})}
        body = orjson.dumps(notice_body, default=str).decode()
        occasion = occasion_of(notice, case, [alert.fact for alert in evidence])
        for target in receivers:
            outcome.notifications.append(
                Notification("", account.tenant_id, target.receiver_id, case.id, notice, body, now, occasion)
            )
            self.metrics.queued(notice)

    def storm(
        self, ledger: Ledger, tenant_id: int, cases: int, began_at: datetime, now: datetime, *, over: bool
    ) -> list[Notification]:
        """To the shared receivers that want it; the people's own ones where there are no others."""
        definitions = ledger.definitions(tenant_id)
        own = definitions.team.receivers if definitions else frozenset()
        targets = [one for one in ledger.targets(tenant_id) if one.wants(NoticeType.STORM_SUMMARY)]
        heard = [one for one in targets if not one.disabled]
        shared = [one for one in heard if one.name not in own]
        body = storm_notice(cases, began_at, self.public_url, now, over=over)
        occasion = f"{began_at.isoformat()} {'over' if over else 'began'}"
        return self.to_all(tenant_id, NoticeType.STORM_SUMMARY, body, shared or heard, now, occasion)

    def to_all(
        self,
        tenant_id: int,
        notice: NoticeType,
        body: Mapping[str, Any],
        receivers: Sequence[Target],
        now: datetime,
        occasion: str = "",
    ) -> list[Notification]:
        """The same to each of them, about no single case. With an `occasion` it is written once, whatever is tried again."""
        text = orjson.dumps(body).decode()
        for _ in receivers:
            self.metrics.queued(notice)
        return [
            Notification(self.new_id("msg"), tenant_id, target.receiver_id, None, notice, text, now, occasion)
            for target in receivers
        ]

    def _duties(
        self, ledger: Ledger, subject: Subject, definitions: Definitions, outcome: Outcome, now: datetime
    ) -> dict[str, Duty]:
        """Who is on call in each rotation that the routes name for this case."""
        named = {route.on_call for route in taken(definitions.routes, subject) if route.on_call}
        known = sorted(named & set(definitions.rotations))
        if not known:
            return {}
        team = outcome.team(ledger, definitions, now)
        overrides = outcome.overrides(ledger, definitions.tenant_id, now)
        return {name: on_call(definitions.rotations[name], overrides, team, now) for name in known}

    def _reach(
        self,
        ledger: Ledger,
        account: Account,
        case: Case,
        definitions: Definitions,
        duties: Mapping[str, Duty],
        outcome: Outcome,
        now: datetime,
    ) -> Reach:
        team = outcome.team(ledger, definitions, now)
        reached = {name: team.people.get(duty.person) for name, duty in duties.items()}
        on_duty = {name: one.receiver for name, one in reached.items() if one and one.receiver}
        shared = {name for route in definitions.routes for name in route.receivers}
        owner = team.receiver_of(case.assignee or owner_of(account), now)
        return Reach(owner, on_duty, definitions.own_receivers - shared)


def _facts(
    ledger: Ledger, notice: NoticeType, account: Account, definitions: Definitions, now: datetime
) -> Facts:
    """What helps who is to act; nothing for a notice that asks for nothing."""
    if notice.value not in ASKING:
        return Facts()
    today = definitions.terms.calendar.day_of(now)
    return ledger.facts(account.tenant_id, account.account_id, today, now)


def _stakes(case: Case, currency: str) -> dict[str, Any]:
    """Money a year, and why it pages."""
    money, probability = case.money_at_risk, case.probability
    return {
        "money_at_risk": None if money is None else {"amount": format(money, "f"), "currency": currency},
        "probability": None if probability is None else float(probability),
        "probability_from": case.probability_from,
        "told_because": case.paging.value,
    }


def _subject(account: Account, case: Case, evidence: Sequence[Alert]) -> Subject:
    return Subject(
        case.severity,
        owner_of(account),
        text_of(account.traits.get("segment")),
        frozenset(alert.rule for alert in evidence),
    )


def _shown(alert: Alert, account: Account, definitions: Definitions) -> Evidence:
    rule = definitions.rules.get(alert.rule)
    return Evidence(
        alert.rule,
        alert.label,
        alert.severity,
        alert.episode.state.value,
        alert.episode.since_at,
        alert.evidence,
        in_words(rule.next_step, account.figures, account.traits) if rule else "",
        alert.figures,
    )


def text_of(value: object) -> str | None:
    return None if value is None else str(value)


def owner_of(account: Account) -> str | None:
    return text_of(account.traits.get("owner"))
