"""What a notice tells beside its case, from the engine's views and the published accuracy."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from alerts.adapters.connected import Connected
from alerts.domain.facts import QUIET_FOR, REGULAR_DAYS, REGULAR_WITHIN, Facts, Stopped
from alerts.ports.facts import FactBook


class PostgresFacts(Connected, FactBook):
    """Part of the ledger."""

    def facts(
        self, tenant_id: int, account_ids: Sequence[int], today: date, now: datetime
    ) -> dict[int, Facts]:
        ids = list(account_ids)
        stopped: dict[int, list[Stopped]] = {}
        for account_id, person_id, last_seen in self._rows(
            "quiet_people",
            tenant=tenant_id,
            accounts=ids,
            since=today - REGULAR_WITHIN,
            quiet_since=today - QUIET_FOR,
            least_days=REGULAR_DAYS,
        ):
            stopped.setdefault(account_id, []).append(Stopped(person_id, last_seen))
        contacts = dict(self._rows("last_contacts", tenant=tenant_id, accounts=ids, now=now))
        return {
            account_id: Facts(tuple(stopped.get(account_id, ())), contacts.get(account_id))
            for account_id in stopped.keys() | contacts.keys()
        }

    def records_in_words(self, tenant_id: int) -> Mapping[str, str]:
        return dict(self._rows("records_in_words", tenant=tenant_id))
