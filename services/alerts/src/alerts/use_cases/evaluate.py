"""Asks the rules about a handful of accounts and writes what follows from the answers, in one transaction.

The order: lock what is known of the accounts, judge, look at arrivals where a verdict turned, decide each episode, settle each case, write
the outbox. Doing it twice changes nothing the second time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from alerts.domain import freshness
from alerts.domain.episodes import Cause, Circumstances, Episode, Reason, State, decide
from alerts.domain.inhibition import Fault, held, hit_since, holds_back, released
from alerts.domain.present import figures_shown
from alerts.domain.rules import Finding, Rule, Verdict, fires, judge
from alerts.metrics import Metrics
from alerts.ports.ledger import Ledger
from alerts.ports.records import Account, Alert, ArrivalQuestion, Definitions, Watch
from alerts.use_cases.calm import CalmAccounts
from alerts.use_cases.doubt import Doubts, begins_to_fire, doubts_of
from alerts.use_cases.tell import Teller
from common import evidence

# How old the memory of an account's last look may be before it is written again although nothing happened.
WATCH_REFRESH = timedelta(seconds=60)
NewId = Callable[[str], str]


class Mode(Enum):
    FEED = "feed"
    LOAD_END = "load-end"


@dataclass(frozen=True, slots=True)
class _Look:
    """One rule's answer about one account, with the episode it meets."""

    account: Account
    rule: Rule
    finding: Finding
    alert: Alert | None
    watch: Watch
    held_since: datetime | None
    """When what the answer rests on stopped arriving; None while all of it does, or where what did arrive says enough."""

    @property
    def previous(self) -> Episode | None:
        return self.alert.episode if self.alert else None

    @property
    def needs_arrivals(self) -> bool:
        state = self.previous.state if self.previous else None
        if self.finding.verdict is Verdict.FIRING:
            return state is None or state is State.STANDING
        return self.finding.verdict is Verdict.HEALTHY and state is State.FIRING


class Evaluator:
    """Used by one thread. `calm` remembers accounts about which nothing needs to be written."""

    def __init__(self, teller: Teller, metrics: Metrics, new_id: NewId, calm: CalmAccounts) -> None:
        self._teller = teller
        self._metrics = metrics
        self._new_id = new_id
        self._calm = calm

    def evaluate(
        self, ledger: Ledger, account_ids: Sequence[int], now: datetime, mode: Mode = Mode.FEED
    ) -> int:
        """Returns how many cases were opened."""
        accounts = ledger.accounts(account_ids)
        definitions = ledger.newest_definitions({account.tenant_id for account in accounts})
        stirring = []
        for account in accounts:
            known = definitions[account.tenant_id]
            if known is not None and not self._calm.is_calm(account, known, now):
                stirring.append(account)
        if not stirring:
            return 0
        self._metrics.evaluated(len(stirring))
        with ledger.transaction():
            return self._decide(ledger, stirring, definitions, now, mode)

    def withdraw_of_gone(self, ledger: Ledger, since: datetime, now: datetime, limit: int) -> bool:
        """What was said of accounts of which nothing is left was wrong. Whether there may be more."""
        accounts = ledger.gone_accounts(since, limit)
        if accounts:
            with ledger.transaction():
                ledger.lock_watches(accounts)
                live = ledger.live_alerts([account.account_id for account in accounts])
                ended = [_ended(alert, _end_of(alert), Reason.ACCOUNT_GONE, now) for alert in live]
                self._save(ledger, accounts, ended, now, Mode.FEED)
        return len(accounts) == limit

    def _decide(
        self,
        ledger: Ledger,
        accounts: Sequence[Account],
        definitions: Mapping[int, Definitions | None],
        now: datetime,
        mode: Mode,
    ) -> int:
        watches = ledger.lock_watches(accounts)
        alerts: dict[int, dict[str, Alert]] = {}
        for alert in ledger.live_alerts([account.account_id for account in accounts]):
            alerts.setdefault(alert.account_id, {})[alert.rule] = alert
        looks: list[_Look] = []
        changed: list[Alert] = []
        faults: dict[int, list[Fault]] = {}
        for fault in ledger.faults(sorted({account.tenant_id for account in accounts})):
            faults.setdefault(fault.tenant_id, []).append(fault)
        for account in accounts:
            known = definitions[account.tenant_id]
            assert known is not None
            live = alerts.get(account.account_id, {})
            kept = {name: alert for name, alert in live.items() if _is_of(alert, known.rules.get(name))}
            looks += _looks(
                account, known, kept, watches[account.account_id], faults.get(account.tenant_id, ())
            )
            changed += [
                _ended(alert, State.RESOLVED, Reason.RULE_REMOVED, now)
                for name, alert in live.items()
                if name not in kept
            ]
        changed += self._transitions(ledger, looks, now, mode)
        opened = self._save(ledger, accounts, changed, now, mode) if changed else 0
        self._remember(ledger, accounts, definitions, watches, looks, now)
        return opened

    def _save(
        self, ledger: Ledger, accounts: Sequence[Account], changed: Sequence[Alert], now: datetime, mode: Mode
    ) -> int:
        """Returns how many cases were opened. What only watches is recorded, and no case hears of it."""
        ended = [alert for alert in changed if not alert.episode.is_live]
        begun = [alert for alert in changed if alert.episode.is_live and alert.is_shadow]
        telling = [alert for alert in changed if not alert.is_shadow]
        by_account = {account.account_id: account for account in accounts}
        outcome = self._teller.settle(ledger, by_account, telling, now, silently=mode is Mode.LOAD_END)
        # Ended ones first: the next episode of the same rule may begin in the same transaction.
        ledger.save_cases(outcome.cases)
        ledger.save_alerts(ended, now)
        ledger.save_alerts([*begun, *(a for a in outcome.alerts if a.episode.is_live)], now)
        self._teller.save(ledger, outcome, now)
        return outcome.opened

    def _transitions(self, ledger: Ledger, looks: Sequence[_Look], now: datetime, mode: Mode) -> list[Alert]:
        asking = [look for look in looks if look.needs_arrivals]
        answers = ledger.arrivals([_question(look, now) for look in asking], now) if asking else []
        arrivals = {id(look): answer for look, answer in zip(asking, answers, strict=True)}
        doubts = doubts_of(ledger, [(one.account, one.rule, one.alert) for one in looks], now)
        changed: list[Alert] = []
        begun: list[tuple[int, int, str]] = []
        for look in looks:
            arrived = arrivals.get(id(look), freshness.NOTHING_ARRIVED)
            if look.held_since is not None:
                episode = held(look.previous, look.rule, look.held_since, now)
                if episode is not None and episode != look.previous:
                    self._metrics.transition(episode.reason)
                    changed.append(self._alert(look, episode))
                continue
            transition = decide(
                released(look.previous),
                look.finding.verdict,
                now,
                _circumstances(look, arrived, mode, doubts, now),
            )
            if transition.episode is None or transition.episode == look.previous:
                continue
            self._metrics.transition(transition.reason)
            changed.append(self._alert(look, transition.episode))
            if mode is Mode.FEED and begins_to_fire(look.previous, transition):
                begun.append((look.account.tenant_id, look.account.account_id, look.rule.name))
        ledger.add_turns(begun, now)
        return changed

    def _alert(self, look: _Look, episode: Episode) -> Alert:
        rule, alert = look.rule, look.alert
        if alert is not None and not (
            episode.state is State.FIRING and alert.episode.state is not State.FIRING
        ):
            return replace(alert, episode=episode)
        return Alert(
            id=alert.id if alert else self._new_id("alert"),
            tenant_id=look.account.tenant_id,
            account_id=look.account.account_id,
            rule=rule.name,
            label=rule.label,
            severity=rule.severity,
            episode=episode,
            evidence=evidence.in_words(rule.template, look.account.figures, look.account.traits),
            figures=figures_shown(rule, look.account.figures),
            is_shadow=rule.is_shadow,
        )

    def _remember(
        self,
        ledger: Ledger,
        accounts: Sequence[Account],
        definitions: Mapping[int, Definitions | None],
        watches: Mapping[int, Watch],
        looks: Sequence[_Look],
        now: datetime,
    ) -> None:
        ledger.save_watches(
            [replace(watches[a.account_id], evaluated_at=now, ingest_at=a.newest_ingest_at) for a in accounts]
        )
        restless = {look.account.account_id for look in looks}
        for account in accounts:
            known = definitions[account.tenant_id]
            if known is not None and account.account_id not in restless:
                self._calm.add(account, known, now + WATCH_REFRESH)
            else:
                self._calm.discard(account.account_id)


def _looks(
    account: Account,
    definitions: Definitions,
    live: Mapping[str, Alert],
    watch: Watch,
    faults: Sequence[Fault],
) -> list[_Look]:
    """What neither fires nor was remembered stays so, whatever else is known of it: of that there is none."""
    looks = []
    for name, rule in definitions.rules.items():
        alert = live.get(name)
        if alert is None and not fires(rule, account.figures, account.traits):
            continue
        is_firing = alert is not None and alert.episode.state is State.FIRING
        finding = judge(rule, account.figures, account.traits, is_firing=is_firing)
        reads = definitions.reads.get(name)
        since = hit_since(reads, faults) if reads and holds_back(rule, finding.verdict) else None
        looks.append(_Look(account, rule, finding, alert, watch, since))
    return looks


def _question(look: _Look, now: datetime) -> ArrivalQuestion:
    after = freshness.looks_back_from(look.watch.ingest_at, now)
    return ArrivalQuestion(
        look.account.account_id,
        look.rule.name,
        look.rule.driven_by,
        after,
        freshness.stored_since(look.watch.evaluated_at, after),
        look.previous.fired_at if look.previous else None,
    )


def _circumstances(
    look: _Look, arrived: freshness.Arrivals, mode: Mode, doubts: Doubts, now: datetime
) -> Circumstances:
    if mode is Mode.LOAD_END:
        cause = Cause.LOAD_ENDED
    else:
        seen_before = look.watch.evaluated_at is not None
        cause = freshness.cause_of(look.rule, arrived, seen_before=seen_before, previous=look.previous)
    # People can expect quiet; nobody expects complaints.
    expected_until = look.watch.expected_until if look.rule.is_driven_by_time else None
    doubt = doubts.about(look.account, look.rule, now)
    return Circumstances(
        not_real_until=doubt.not_real_until,
        is_worse=doubt.is_worse,
        calm_for=doubt.calm_for,
        cause=cause,
        pending_for=look.rule.pending_for,
        recover_for=look.rule.recover_for,
        refuted_by_late_data=freshness.is_refuted(look.rule, arrived),
        expected_until=expected_until,
    )


def _is_of(alert: Alert, rule: Rule | None) -> bool:
    """A rule that is switched on, or back to watching, begins anew."""
    return rule is not None and rule.is_shadow == alert.is_shadow


def _end_of(alert: Alert) -> State:
    """What never fired was never shown to anybody, and is not taken back."""
    return State.WITHDRAWN if alert.episode.state is State.FIRING else State.RESOLVED


def _ended(alert: Alert, state: State, reason: Reason, now: datetime) -> Alert:
    return replace(
        alert, episode=replace(alert.episode, state=state, reason=reason, ended_at=now, due_at=None)
    )
