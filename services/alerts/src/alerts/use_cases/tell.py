"""Settles cases after their alerts changed, weighs what is at stake, and decides what people are told."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from alerts.domain.ageing import closes_at, timed
from alerts.domain.cases import (
    AlertFact,
    Case,
    NoticeType,
    Origin,
    Status,
    mark_told,
    news_among,
    news_of,
    open_case,
    settle,
)
from alerts.domain.episodes import State
from alerts.domain.priority import Queue, Renewal
from alerts.domain.severity import rank
from alerts.domain.silences import quiet_until
from alerts.domain.terms import Terms
from alerts.domain.workdays import muting
from alerts.ports.ledger import Ledger
from alerts.ports.lives import SetStep
from alerts.ports.records import Account, Alert, Definitions
from alerts.use_cases.outcome import Outcome
from alerts.use_cases.playbooks import playbooks_of, set_steps
from alerts.use_cases.post import Post, text_of
from alerts.use_cases.weigh import is_hard, weighed

Key = tuple[int, Queue]
"""An account has at most one open case in each queue."""


class Teller:
    """Used by one thread."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._metrics = post.metrics

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
        outcome = Outcome()
        renewals = ledger.open_renewals(account_ids)
        open_cases = {(case.account_id, case.queue): case for case in ledger.open_cases(account_ids)}
        queues = {case.id: case.queue for case in open_cases.values()}
        by_case: dict[Key, list[Alert]] = {}
        for alert in changed:
            queue = queues.get(alert.case_id or "") or self._queue_of(ledger, alert)
            by_case.setdefault((alert.account_id, queue), []).append(alert)
        attached: dict[str, list[Alert]] = {}
        for alert in ledger.alerts_of_cases([case.id for case in open_cases.values()]):
            attached.setdefault(alert.case_id or "", []).append(alert)
        opening = [
            (accounts[key[0]], key[1])
            for key in sorted(by_case)
            if key not in open_cases and _firing(by_case[key])
        ]
        opened = self._opened(ledger, opening, now, silently)
        outcome.opened = sum(queue == "risk" for _, queue in opened)
        cases = open_cases | opened
        if not silently:
            families = {(case.tenant_id, case.family) for case in cases.values() if case.family is not None}
            outcome.read_families(ledger, families)
        for key in sorted(by_case):
            case = cases.get(key)
            if case is None:
                outcome.alerts += by_case[key]
            else:
                before = attached.get(case.id, [])
                situation = accounts[key[0]], renewals.get(key[0], ())
                self._settle(ledger, situation, case, before, by_case[key], outcome, now, silently)
        return outcome

    def _queue_of(self, ledger: Ledger, alert: Alert) -> Queue:
        definitions = ledger.definitions(alert.tenant_id)
        rule = definitions.rules.get(alert.rule) if definitions else None
        return rule.queue if rule else "risk"

    def _settle(
        self,
        ledger: Ledger,
        situation: tuple[Account, Sequence[Renewal]],
        case: Case,
        before: Sequence[Alert],
        changed: Sequence[Alert],
        outcome: Outcome,
        now: datetime,
        silently: bool,
    ) -> None:
        account, renewals = situation
        mine = [_attach(alert, case.id) for alert in changed]
        outcome.alerts += mine
        ids = {alert.id for alert in mine}
        kept = [alert for alert in before if alert.id not in ids]
        evidence = kept + [alert for alert in mine if alert.case_id == case.id]
        definitions = ledger.definitions(account.tenant_id)
        terms = definitions.terms if definitions else Terms()
        settled = settle(case, [a.fact for a in evidence], now, lambda at: closes_at(at, terms))
        if definitions is not None:
            settled = weighed(settled, account, _firing(evidence), definitions, renewals, now)
        known = {alert.rule for alert in kept}
        fresh = {alert.rule for alert in evidence if alert.episode.state is State.FIRING} - known
        if fresh:
            outcome.fresh.append((account, settled, tuple(sorted(fresh))))
        if silently:
            settled = mark_told(settled, firing_facts(evidence))
        else:
            settled = self.tell(ledger, account, settled, evidence, outcome, now)
            self._tell_ends(ledger, account, settled, evidence, mine, outcome, now)
        outcome.add_case(timed(settled, terms))

    def _opened(
        self, ledger: Ledger, opening: Sequence[tuple[Account, Queue]], now: datetime, silently: bool
    ) -> dict[Key, Case]:
        """Cases without evidence yet, each with its family."""
        if not opening:
            return {}
        origin = Origin.LOAD if silently else Origin.LIVE
        ids = ledger.next_case_ids(opening)
        tops = _tops_of_families(ledger, [account for account, _ in opening])
        found = {}
        for account, queue in opening:
            key = (account.account_id, queue)
            case = open_case(ids[key], account.tenant_id, account.account_id, origin, now, queue)
            parent = text_of(account.traits.get("parent"))
            found[key] = replace(case, parent=parent, family=tops.get(account.account_id, account.name))
            self._metrics.case_opened(origin)
        return found

    def tell(
        self,
        ledger: Ledger,
        account: Account,
        case: Case,
        evidence: Sequence[Alert],
        outcome: Outcome,
        now: datetime,
    ) -> Case:
        """Queues what people do not know yet. A snooze, a silence or a mute time keeps it for later; what doesn't page waits in the work queue."""
        firing = firing_facts(evidence)
        news = news_of(case, firing)
        definitions = ledger.definitions(account.tenant_id)
        if news is None or definitions is None:
            return replace(case, untold=False, held=None)
        if not case.paging.pages:
            return replace(case, untold=False, held=case.paging.value)
        held = self._held_back(ledger, account, case, firing, definitions, outcome, now)
        if held is not None:
            return replace(case, untold=True, held=held)
        covered = self._covered(ledger, case, news, definitions, outcome, now)
        told = mark_told(case, firing)
        if covered is not None:
            return replace(told, held=covered)
        self._post.send(ledger, news, account, case, evidence, outcome, now)
        if definitions.terms.storm is not None:
            outcome.note_told(case, definitions.terms.storm.within, now)
        return replace(told, paged_at=now)

    def _held_back(
        self,
        ledger: Ledger,
        account: Account,
        case: Case,
        firing: Sequence[AlertFact],
        definitions: Definitions,
        outcome: Outcome,
        now: datetime,
    ) -> str | None:
        """What keeps news for later."""
        if case.snoozed_until is not None and now < case.snoozed_until:
            return "snoozed"
        spoken_of = news_among([fact.rule for fact in firing], case.told_rules)
        silences = outcome.silences(ledger, account.tenant_id, now)
        if quiet_until(silences, account.name, spoken_of, now) is not None:
            return "silenced"
        windows = outcome.mute_times(ledger, definitions)
        hard = any(is_hard(rule, definitions) for rule in spoken_of)
        return "muted" if muting(windows, definitions.terms.calendar, now, hard=hard) else None

    def _covered(
        self,
        ledger: Ledger,
        case: Case,
        news: NoticeType,
        definitions: Definitions,
        outcome: Outcome,
        now: datetime,
    ) -> str | None:
        """What has told people already, or will: a notice of the account's family, or the summary of a storm."""
        if news is not NoticeType.OPENED:
            return None
        if case.family is not None:
            told = outcome.family_told(ledger, (case.tenant_id, case.family), case.id)
            if any(rank(severity) >= rank(case.severity) for severity in told):
                return "family-told"
        storm = definitions.terms.storm
        if storm is None or outcome.told_recently(ledger, case.tenant_id, storm.within, now) < storm.cases:
            return None
        outcome.stormed[case.tenant_id] += 1
        return "storm"

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
            self._post.send(ledger, NoticeType.WITHDRAWN, account, case, withdrawn, outcome, now)
        if case.status is Status.RESOLVED:
            self._post.send(ledger, NoticeType.RESOLVED, account, case, evidence, outcome, now)

    def tell_closed(
        self,
        ledger: Ledger,
        account: Account,
        case: Case,
        evidence: Sequence[Alert],
        outcome: Outcome,
        now: datetime,
    ) -> None:
        """That a case is over which time alone closed."""
        self._tell_ends(ledger, account, case, evidence, (), outcome, now)

    def tell_lapsed(
        self,
        ledger: Ledger,
        account: Account,
        case: Case,
        evidence: Sequence[Alert],
        outcome: Outcome,
        now: datetime,
    ) -> None:
        """That an acknowledged case is open again, because nobody touched it."""
        self._post.send(ledger, NoticeType.LAPSED, account, case, evidence, outcome, now)

    def save(self, ledger: Ledger, outcome: Outcome, now: datetime) -> None:
        """All of an outcome but its cases and alerts, which must be there before, in the caller's transaction."""
        for tenant_id, cases in outcome.stormed.items():
            begun = ledger.add_to_storm(tenant_id, cases, now)
            if begun is not None:
                outcome.notifications += self._post.storm(ledger, begun, now, over=False)
        ledger.add_steps([step for fresh in outcome.fresh for step in self._steps(ledger, *fresh, now)])
        self._post.put(ledger, outcome, now)

    def _steps(
        self, ledger: Ledger, account: Account, case: Case, rules: Sequence[str], now: datetime
    ) -> list[SetStep]:
        definitions = ledger.definitions(account.tenant_id)
        if definitions is None:
            return []
        return set_steps(
            case,
            account,
            playbooks_of(case, account, rules, definitions),
            definitions,
            now,
            self._post.new_id,
        )


def _tops_of_families(ledger: Ledger, accounts: Sequence[Account]) -> dict[int, str]:
    """By account, of those that have a parent."""
    children: dict[int, list[Account]] = {}
    for account in accounts:
        if text_of(account.traits.get("parent")):
            children.setdefault(account.tenant_id, []).append(account)
    found: dict[int, str] = {}
    for tenant_id, mine in children.items():
        tops = ledger.tops_of_families(tenant_id, [account.name for account in mine])
        found |= {account.account_id: tops[account.name] for account in mine}
    return found


def _attach(alert: Alert, case_id: str) -> Alert:
    """Evidence is what fired; what never did belongs to no case."""
    return replace(alert, case_id=case_id) if alert.episode.state is State.FIRING else alert


def firing_facts(alerts: Sequence[Alert]) -> list[AlertFact]:
    return [alert.fact for alert in alerts if alert.episode.state is State.FIRING]


def _firing(alerts: Sequence[Alert]) -> list[Alert]:
    return [alert for alert in alerts if alert.episode.state is State.FIRING]
