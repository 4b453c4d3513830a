"""What a notice tells beside its case, from the engine's views and the published accuracy."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from alerts.adapters.connected import Connected
from alerts.domain.facts import QUIET_FOR, REGULAR_DAYS, REGULAR_WITHIN, Facts, Stopped
from alerts.ports.facts import FactBook
from alerts.ports.records import Contacts


class PostgresFacts(Connected, FactBook):
    """Part of the ledger."""

    def facts(
        self,
        tenant_id: int,
        account_ids: Sequence[int],
        today: date,
        now: datetime,
        use: int | None,
        contacts: Contacts | None,
    ) -> dict[int, Facts]:
        ids = list(account_ids)
        stopped = self._stopped(tenant_id, ids, today, use) if use is not None else {}
        last = self._last_contacts(tenant_id, ids, now, contacts) if contacts is not None else {}
        return {
            account_id: Facts(tuple(stopped.get(account_id, ())), last.get(account_id))
            for account_id in stopped.keys() | last.keys()
        }

    def _stopped(self, tenant_id: int, ids: list[int], today: date, origin: int) -> dict[int, list[Stopped]]:
        stopped: dict[int, list[Stopped]] = {}
        for account_id, person_id, last_seen in self._rows(
            "quiet_people",
            tenant=tenant_id,
            accounts=ids,
            origin=origin,
            since=today - REGULAR_WITHIN,
            quiet_since=today - QUIET_FOR,
            least_days=REGULAR_DAYS,
        ):
            stopped.setdefault(account_id, []).append(Stopped(person_id, last_seen))
        return stopped

    def _last_contacts(
        self, tenant_id: int, ids: list[int], now: datetime, which: Contacts
    ) -> dict[int, datetime]:
        return dict(
            self._rows(
                "last_contacts",
                tenant=tenant_id,
                accounts=ids,
                now=now,
                origin=which.origin,
                by_us=which.by_us,
            )
        )

    def records_in_words(self, tenant_id: int) -> Mapping[str, str]:
        return dict(self._rows("records_in_words", tenant=tenant_id))
