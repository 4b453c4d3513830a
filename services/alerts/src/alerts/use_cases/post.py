"""Puts notices about a case into the outbox: who hears it, what it says, and whom a page goes to first."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from alerts.domain.brief import ASKING
from alerts.domain.cases import Case, NoticeType
from alerts.domain.facts import Facts
from alerts.domain.identities import occasion_of, storm_occasion
from alerts.domain.notices import NOTHING_KNOWN, Context, Evidence, case_notice
from alerts.domain.on_call import Duty, first_page, on_call
from alerts.domain.present import Present, present_of
from alerts.domain.routing import AFTERWARDS, Reach, Subject, Target, hearers, taken
from alerts.domain.summaries import storm_notice
from alerts.metrics import Metrics
from alerts.ports.ledger import Ledger
from alerts.ports.lives import Storm
from alerts.ports.records import Account, Alert, Definitions, Notification
from alerts.use_cases.outcome import Letter, Outcome
from common.evidence import in_words

# What wakes people: only these page whoever is on call and begin an escalation.
PAGES = (NoticeType.OPENED, NoticeType.WORSENED, NoticeType.LAPSED)


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
        if notice in PAGES:
            outcome.pages += [
                first_page(case.id, case.tenant_id, definitions.rotations[name], duty, now)
                for name, duty in duties.items()
            ]
        only_told = notice in AFTERWARDS
        outcome.letters.append(Letter(notice, account, case, evidence, found, only_told, {}))

    def put(self, ledger: Ledger, outcome: Outcome, now: datetime) -> None:
        """Words the letters, and writes them with the pages. What the letters need is read once for all of them."""
        told = ledger.told_receivers([one.case.id for one in outcome.letters if one.only_told])
        heard = []
        for letter in outcome.letters:
            known = told.get(letter.case.id, frozenset())
            receivers = [r for r in letter.receivers if not letter.only_told or r.receiver_id in known]
            heard += [replace(letter, receivers=receivers)] if receivers else []
        facts = _facts(ledger, heard, now)
        worded = [notice for letter in heard for notice in self._worded(ledger, letter, facts, outcome, now)]
        ledger.add_notifications([*worded, *outcome.notifications])
        ledger.add_pages(outcome.pages)

    def _worded(
        self,
        ledger: Ledger,
        letter: Letter,
        facts: Mapping[int, Facts],
        outcome: Outcome,
        now: datetime,
    ) -> list[Notification]:
        notice, account, case = letter.notice, letter.account, letter.case
        definitions = ledger.definitions(account.tenant_id)
        if definitions is None:
            return []
        context = Context(
            account.name,
            account.traits,
            account.mrr,
            definitions.currency,
            case.notice_deadline,
            self.public_url,
            facts.get(account.account_id, NOTHING_KNOWN) if notice.value in ASKING else NOTHING_KNOWN,
        )
        records = outcome.records(ledger, account.tenant_id)
        shown = [
            replace(_shown(alert, account, definitions), record=records.get(alert.rule))
            for alert in letter.evidence
        ]
        notice_body = case_notice(notice, case, shown, context, now)
        notice_body["data"] |= {"stakes": _stakes(case, definitions.currency), **letter.more}
        body = orjson.dumps(notice_body, default=str).decode()
        occasion = occasion_of(notice, case, [alert.fact for alert in letter.evidence])
        for _ in letter.receivers:
            self.metrics.queued(notice)
        return [
            Notification("", account.tenant_id, target.receiver_id, case.id, notice, body, now, occasion)
            for target in letter.receivers
        ]

    def storm(self, ledger: Ledger, storm: Storm, now: datetime, *, over: bool) -> list[Notification]:
        """To the shared receivers that want it; the people's own ones where there are no others."""
        tenant_id = storm.tenant_id
        definitions = ledger.definitions(tenant_id)
        own = definitions.team.receivers if definitions else frozenset()
        targets = [one for one in ledger.targets(tenant_id) if one.wants(NoticeType.STORM_SUMMARY)]
        heard = [one for one in targets if not one.disabled]
        shared = [one for one in heard if one.name not in own]
        body = storm_notice(storm.cases, storm.started_at, self.public_url, now, over=over)
        occasion = storm_occasion(storm.line, storm.number, over=over)
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


def _facts(ledger: Ledger, letters: Sequence[Letter], now: datetime) -> dict[int, Facts]:
    """By account, what helps who is to act; nothing for notices that ask for nothing."""
    asking: dict[int, set[int]] = {}
    for letter in letters:
        if letter.notice.value in ASKING:
            asking.setdefault(letter.account.tenant_id, set()).add(letter.account.account_id)
    found: dict[int, Facts] = {}
    for tenant_id, accounts in asking.items():
        definitions = ledger.definitions(tenant_id)
        if definitions is not None:
            today = definitions.terms.calendar.day_of(now)
            found |= ledger.facts(
                tenant_id, sorted(accounts), today, now, definitions.use, definitions.contacts
            )
    return found


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
        now=present(alert, account, definitions),
    )


def present(alert: Alert, account: Account, definitions: Definitions) -> Present | None:
    """What its evidence says now."""
    rule, episode = definitions.rules.get(alert.rule), alert.episode
    lacks_data = episode.no_data_since is not None
    return present_of(rule, episode.state, account.figures, account.traits, lacks_data=lacks_data)


def text_of(value: object) -> str | None:
    return None if value is None else str(value)


def owner_of(account: Account) -> str | None:
    return text_of(account.traits.get("owner"))
