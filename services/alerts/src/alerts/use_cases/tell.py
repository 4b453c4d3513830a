"""Settles cases after their alerts changed, and decides who is told what."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import orjson

from alerts.domain.cases import (
    AlertFact,
    Case,
    NoticeType,
    Origin,
    Status,
    mark_told,
    news_of,
    open_case,
    settle,
)
from alerts.domain.episodes import State
from alerts.domain.evidence import in_words
from alerts.domain.notices import Context, Evidence, case_notice
from alerts.domain.routing import Subject, Target, hearers
from alerts.domain.silences import Silence, is_silenced
from alerts.metrics import Metrics
from alerts.ports.ledger import Ledger
from alerts.ports.records import Account, Alert, Definitions, Notification


@dataclass
class Outcome:
    """What is to be written: alerts with their case, cases, and the outbox. With it, what was read once for all of them."""

    notice_deadlines: Mapping[int, datetime]
    alerts: list[Alert] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)
    opened: int = 0
    _targets: dict[int, tuple[Target, ...]] = field(default_factory=dict)
    _silences: dict[int, list[Silence]] = field(default_factory=dict)

    def targets(self, ledger: Ledger, tenant_id: int) -> tuple[Target, ...]:
        if tenant_id not in self._targets:
            self._targets[tenant_id] = ledger.targets(tenant_id)
        return self._targets[tenant_id]

    def silences(self, ledger: Ledger, tenant_id: int, now: datetime) -> list[Silence]:
        if tenant_id not in self._silences:
            self._silences[tenant_id] = ledger.silences(tenant_id, now)
        return self._silences[tenant_id]


class Teller:
    """Used by one thread."""

    def __init__(self, new_id: Callable[[str], str], public_url: str, metrics: Metrics) -> None:
        self._new_id = new_id
        self._public_url = public_url
        self._metrics = metrics

    def settle(
        self,
        ledger: Ledger,
        accounts: Mapping[int, Account],
        changed: Sequence[Alert],
        now: datetime,
        *,
        silently: bool,
    ) -> Outcome:
        """Cases of the accounts whose alerts changed. `silently`: after a load, people are not told one by one."""
        account_ids = sorted({alert.account_id for alert in changed})
        outcome = Outcome({} if silently else ledger.notice_deadlines(account_ids, now))
        open_cases = ledger.open_cases(account_ids)
        by_account: dict[int, list[Alert]] = {}
        for alert in changed:
            by_account.setdefault(alert.account_id, []).append(alert)
        attached: dict[str, list[Alert]] = {}
        for alert in ledger.alerts_of_cases([case.id for case in open_cases.values()]):
            attached.setdefault(alert.case_id or "", []).append(alert)
        for account_id in account_ids:
            mine = by_account[account_id]
            case = open_cases.get(account_id)
            before = attached.get(case.id, []) if case else []
            self._settle_account(ledger, accounts[account_id], case, before, mine, outcome, now, silently)
        return outcome

    def _settle_account(
        self,
        ledger: Ledger,
        account: Account,
        case: Case | None,
        before: Sequence[Alert],
        changed: Sequence[Alert],
        outcome: Outcome,
        now: datetime,
        silently: bool,
    ) -> None:
        if case is None and not any(alert.episode.state is State.FIRING for alert in changed):
            outcome.alerts += changed
            return
        if case is None:
            origin = Origin.LOAD if silently else Origin.LIVE
            case = open_case(self._new_id("case"), account.tenant_id, account.account_id, origin, now)
            outcome.opened += 1
            self._metrics.case_opened(origin)
        mine = [_attach(alert, case.id) for alert in changed]
        outcome.alerts += mine
        ids = {alert.id for alert in mine}
        evidence = [alert for alert in before if alert.id not in ids] + [
            a for a in mine if a.case_id == case.id
        ]
        settled = settle(case, [alert.fact for alert in evidence], now)
        if silently:
            settled = mark_told(settled, _firing(evidence))
        else:
            settled = self.tell(ledger, account, settled, evidence, outcome, now)
            self._tell_ends(ledger, account, settled, evidence, mine, outcome, now)
        outcome.cases.append(settled)

    def tell(
        self,
        ledger: Ledger,
        account: Account,
        case: Case,
        evidence: Sequence[Alert],
        outcome: Outcome,
        now: datetime,
    ) -> Case:
        """Queues what people do not know yet; a snooze or a silence keeps it for later."""
        firing = _firing(evidence)
        news = news_of(case, firing)
        if news is None:
            return replace(case, untold=False)
        new_rules = [fact.rule for fact in firing if fact.rule not in case.told_rules]
        spoken_of = new_rules or [fact.rule for fact in firing]
        snoozed = case.snoozed_until is not None and now < case.snoozed_until
        if snoozed or is_silenced(
            outcome.silences(ledger, account.tenant_id, now), account.name, spoken_of, now
        ):
            return replace(case, untold=True)
        self._queue(ledger, news, account, case, evidence, outcome, now)
        return mark_told(case, firing)

    def _tell_ends(
        self,
        ledger: Ledger,
        account: Account,
        case: Case,
        evidence: Sequence[Alert],
        changed: Sequence[Alert],
        outcome: Outcome,
        now: datetime,
    ) -> None:
        """That a warning was wrong, or that it is over, concerns only those who heard it."""
        if not case.told_rules:
            return
        withdrawn = [
            alert
            for alert in changed
            if alert.episode.state is State.WITHDRAWN and alert.rule in case.told_rules
        ]
        if withdrawn:
            self._queue(ledger, NoticeType.WITHDRAWN, account, case, withdrawn, outcome, now)
        if case.status is Status.RESOLVED:
            self._queue(ledger, NoticeType.RESOLVED, account, case, evidence, outcome, now)

    def _queue(
        self,
        ledger: Ledger,
        notice: NoticeType,
        account: Account,
        case: Case,
        evidence: Sequence[Alert],
        outcome: Outcome,
        now: datetime,
    ) -> None:
        definitions = ledger.definitions(account.tenant_id)
        if definitions is None:
            return
        targets = outcome.targets(ledger, account.tenant_id)
        receivers = self._receivers(ledger, targets, notice, account, case, evidence, definitions)
        if not receivers:
            return
        context = Context(
            account.name,
            account.traits,
            account.mrr,
            definitions.currency,
            outcome.notice_deadlines.get(account.account_id),
            self._public_url,
        )
        shown = [_shown(alert, account, definitions) for alert in evidence]
        body = orjson.dumps(case_notice(notice, case, shown, context, now), default=str).decode()
        for target in receivers:
            outcome.notifications.append(
                Notification(
                    self._new_id("msg"), account.tenant_id, target.receiver_id, case.id, notice, body, now
                )
            )
            self._metrics.queued(notice)

    def _receivers(
        self,
        ledger: Ledger,
        targets: Sequence[Target],
        notice: NoticeType,
        account: Account,
        case: Case,
        evidence: Sequence[Alert],
        definitions: Definitions,
    ) -> list[Target]:
        subject = Subject(
            case.severity,
            _text(account.traits.get("owner")),
            _text(account.traits.get("segment")),
            frozenset(alert.rule for alert in evidence),
        )
        found = hearers(targets, definitions.routes, notice, subject)
        if notice in (NoticeType.RESOLVED, NoticeType.WITHDRAWN):
            told = ledger.told_receivers(case.id)
            return [target for target in found if target.receiver_id in told]
        return found


def _attach(alert: Alert, case_id: str) -> Alert:
    """Evidence is what fired; what never did belongs to no case."""
    return replace(alert, case_id=case_id) if alert.episode.state is State.FIRING else alert


def _firing(alerts: Sequence[Alert]) -> list[AlertFact]:
    return [alert.fact for alert in alerts if alert.episode.state is State.FIRING]


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


def _text(value: object) -> str | None:
    return None if value is None else str(value)
