"""What a notice tells beside its case."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Protocol

from alerts.domain.facts import Facts
from alerts.ports.records import Contacts


class FactBook(Protocol):
    """Part of the ledger: same connection, same errors."""

    def facts(
        self,
        tenant_id: int,
        account_ids: Sequence[int],
        today: date,
        now: datetime,
        use: int | None,
        contacts: Contacts | None,
    ) -> dict[int, Facts]:
        """By account, of those of which anything is known. `today` by the tenant's calendar.

        `use`: the origin of the measure of who was active; None, as of `contacts`, where nothing counts any.
        """

    def records_in_words(self, tenant_id: int) -> Mapping[str, str]:
        """By rule, how often it was right; of those of which anything was published."""
