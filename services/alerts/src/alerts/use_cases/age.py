"""Cases with which the clock has something to do, and what is at stake in all the others: money, risk and deadlines move on their own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.domain.ageing import Aged, age, timed
from alerts.domain.cases import Case
from alerts.domain.episodes import State
from alerts.domain.priority import Renewal
from alerts.domain.severity import rank
from alerts.ports.ledger import Ledger
from alerts.ports.records import Account, Alert, Definitions
from alerts.use_cases.outcome import Outcome
from alerts.use_cases.tell import Teller
from alerts.use_cases.weigh import weighed

# A fraction of a second's work at a time: ten thousand open cases are weighed within two minutes.
PAGE = 100
# Many close at the same midnight; what happens now doesn't wait for all of them.
AGED_A_ROUND = 50
PASS_EVERY = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Ageing:
    """Lets acknowledgements run out and closes what recovered for long enough."""

    teller: Teller
    name: str = "ageing"
    every: timedelta = timedelta(seconds=1)

    def round(self, ledger: Ledger, now: datetime) -> None:
        for seen in ledger.due_cases(now, AGED_A_ROUND):
            with ledger.transaction():
                case = ledger.lock_case(seen.tenant_id, seen.id)
                definitions = ledger.definitions(seen.tenant_id)
                if case is not None and case.due_at is not None and definitions is not None:
                    self._age(ledger, case, definitions, now)

    def _age(self, ledger: Ledger, case: Case, definitions: Definitions, now: datetime) -> None:
        step = age(case, definitions.terms, now)
        if step.case == case:
            return
        if step.what is None:
            ledger.save_stakes([step.case])
            return
        ledger.save_cases([step.case])
        ledger.record(case, case.tenant_id, step.what.value, "alerts", now, _detail(case, step.what))
        self._tell(ledger, step.case, step.what, now)

    def _tell(self, ledger: Ledger, case: Case, what: Aged, now: datetime) -> None:
        accounts = ledger.accounts([case.account_id])
        if not accounts:
            return
        evidence = ledger.alerts_of_cases([case.id])
        outcome = Outcome()
        if what is Aged.LAPSED and case.paging.pages:
            self.teller.tell_lapsed(ledger, accounts[0], case, evidence, outcome, now)
        if what is Aged.CLOSED:
            self.teller.tell_closed(ledger, accounts[0], case, evidence, outcome, now)
        self.teller.save(ledger, outcome, now)


@dataclass
class Weighing:
    """Weighs every open case anew, a page a second, all of them once a minute or as fast as that goes: what opens meanwhile doesn't wait for it.

    One that begins to page, or gets graver, is told like any other; one that no longer does keeps what people know. Used by one thread.
    """

    name: str = "weighing"
    every: timedelta = timedelta(seconds=1)
    _after: str = ""
    _begun_at: datetime | None = None

    def round(self, ledger: Ledger, now: datetime) -> None:
        before = self._begun_at
        if not self._after:
            if before is not None and before <= now < before + PASS_EVERY:
                return
            self._begun_at = now
        page = ledger.open_cases_after(self._after, PAGE)
        self._weigh(ledger, page, now)
        self._after = page[-1].id if len(page) == PAGE else ""

    def _weigh(self, ledger: Ledger, page: list[Case], now: datetime) -> None:
        ids = [case.account_id for case in page]
        if not ids:
            return
        accounts = {account.account_id: account for account in ledger.accounts(ids)}
        renewals = ledger.open_renewals(ids)
        firing: dict[str, list[Alert]] = {}
        for alert in ledger.alerts_of_cases([case.id for case in page]):
            if alert.episode.state is State.FIRING:
                firing.setdefault(alert.case_id or "", []).append(alert)
        changed = []
        for case in page:
            definitions = ledger.definitions(case.tenant_id)
            account = accounts.get(case.account_id)
            if definitions is not None and account is not None:
                its = renewals.get(case.account_id, ())
                again = _again(case, account, firing.get(case.id, []), definitions, its, now)
                changed += [again] if again != case else []
        if changed:
            with ledger.transaction():
                ledger.save_stakes(changed)


def _again(
    case: Case,
    account: Account,
    firing: list[Alert],
    definitions: Definitions,
    renewals: Sequence[Renewal],
    now: datetime,
) -> Case:
    found = timed(weighed(case, account, firing, definitions, renewals, now), definitions.terms)
    begins = found.paging.pages and not case.paging.pages
    is_graver = rank(found.severity) > max(rank(case.severity), rank(found.told_severity))
    return replace(found, untold=True) if begins or (is_graver and found.paging.pages) else found


def _detail(case: Case, what: Aged) -> dict[str, object]:
    if what is Aged.LAPSED:
        return {"acknowledged_by": case.acknowledged_by}
    return {"healthy_since": case.recovered_at.isoformat() if case.recovered_at else None}
