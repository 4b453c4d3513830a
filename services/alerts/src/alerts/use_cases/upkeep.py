"""What the clock alone asks for: telling what was held back, and removing what nobody needs any more."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alerts.domain.cases import Case
from alerts.ports.ledger import Ledger
from alerts.ports.records import Alert
from alerts.use_cases.outcome import Outcome
from alerts.use_cases.tell import Teller

# Told together in one transaction: what keeps their locks for about a second, and empties a night's thousands in a minute.
PAGE = 250


@dataclass
class Upkeep:
    """Safe to run in any number of replicas at once: cases are locked while they are told. Each is used by one thread."""

    teller: Teller
    page: int = PAGE
    _after: str = ""

    def tell_held_back(self, ledger: Ledger, now: datetime) -> None:
        """A page of those that wait, all of them in turn: many that are held the whole night don't keep others from being told."""
        with ledger.transaction():
            page = ledger.lock_untold_cases(self._after, self.page)
            if page:
                self._tell(ledger, page, now)
        self._after = page[-1].id if len(page) == self.page else ""

    def _tell(self, ledger: Ledger, page: Sequence[Case], now: datetime) -> None:
        accounts = {one.account_id: one for one in ledger.accounts([case.account_id for case in page])}
        evidence: dict[str, list[Alert]] = {case.id: [] for case in page}
        for alert in ledger.alerts_of_cases(list(evidence)):
            evidence[alert.case_id or ""].append(alert)
        outcome = Outcome()
        outcome.read_families(ledger, {(one.tenant_id, one.family) for one in page if one.family is not None})
        for case in page:
            if case.account_id in accounts:
                account = accounts[case.account_id]
                told = self.teller.tell(ledger, account, case, evidence[case.id], outcome, now)
                if told != case:
                    outcome.add_case(replace(told, updated_at=now))
        if outcome.cases:
            ledger.save_cases(outcome.cases)
            self.teller.save(ledger, outcome, now)

    def tidy(self, ledger: Ledger, now: datetime) -> None:
        if ledger.try_lease("tidy"):
            try:
                ledger.tidy(now)
            finally:
                ledger.release(["tidy"])
