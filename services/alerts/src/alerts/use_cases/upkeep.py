"""What the clock alone asks for: telling what was held back, and removing what nobody needs any more."""

from dataclasses import dataclass, replace
from datetime import datetime

from alerts.domain.cases import Case
from alerts.ports.ledger import Ledger
from alerts.use_cases.outcome import Outcome
from alerts.use_cases.tell import Teller

PAGE = 100


@dataclass
class Upkeep:
    """Safe to run in any number of replicas at once: each case is locked while it is told. Each is used by one thread."""

    teller: Teller
    _after: str = ""

    def tell_held_back(self, ledger: Ledger, now: datetime) -> None:
        """A page of those that wait, all of them in turn: many that are held the whole night don't keep others from being told."""
        page = ledger.untold_cases(self._after, PAGE)
        self._after = page[-1].id if len(page) == PAGE else ""
        for seen in page:
            with ledger.transaction():
                case = ledger.lock_case(seen.tenant_id, seen.id)
                if case is not None and case.untold:
                    self._tell(ledger, case, now)

    def _tell(self, ledger: Ledger, case: Case, now: datetime) -> None:
        accounts = ledger.accounts([case.account_id])
        if not accounts:
            return
        outcome = Outcome()
        told = self.teller.tell(ledger, accounts[0], case, ledger.alerts_of_cases([case.id]), outcome, now)
        if told == case:
            return
        ledger.save_cases([replace(told, updated_at=now)])
        self.teller.save(ledger, outcome, now)

    def tidy(self, ledger: Ledger, now: datetime) -> None:
        if ledger.try_lease("tidy"):
            try:
                ledger.tidy(now)
            finally:
                ledger.release(["tidy"])
