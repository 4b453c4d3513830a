"""What a notice tells beside its case, from the engine's views and the published accuracy."""

from collections.abc import Mapping
from datetime import date, datetime

from alerts.adapters.connected import Connected
from alerts.domain.facts import QUIET_FOR, REGULAR_DAYS, REGULAR_WITHIN, Facts, Stopped
from alerts.ports.facts import FactBook


class PostgresFacts(Connected, FactBook):
    """Part of the ledger."""

    def facts(self, tenant_id: int, account_id: int, today: date, now: datetime) -> Facts:
        stopped = self._rows(
            "quiet_people",
            tenant=tenant_id,
            account=account_id,
            since=today - REGULAR_WITHIN,
            quiet_since=today - QUIET_FOR,
            least_days=REGULAR_DAYS,
        )
        ((last_contact_at,),) = self._rows("last_contact", tenant=tenant_id, account=account_id, now=now)
        return Facts(tuple(Stopped(*row) for row in stopped), last_contact_at)

    def records_in_words(self, tenant_id: int) -> Mapping[str, str]:
        return dict(self._rows("records_in_words", tenant=tenant_id))
