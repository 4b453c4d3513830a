"""Reading accounts: what is known of each now, and what happened to it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from api_gateway.domain.accounts import AccountsQuery
from api_gateway.domain.records import AccountRow, Standing, StoredEvent, SubscriptionRow


class AccountReader(Protocol):
    """Every method is bound to one tenant; another tenant's account is not found. Raises Unavailable when the database doesn't answer."""

    def standing(self, tenant_id: int) -> Standing:
        """Return what the tenant's accounts and their events follow from, open cases too."""
        ...

    def page(self, tenant_id: int, query: AccountsQuery) -> Sequence[AccountRow]:
        """Return up to `query.limit + 1` rows in the asked order."""
        ...

    def one(self, tenant_id: int, account: str) -> AccountRow:
        """Return an account by its external id; raises NotFound."""
        ...

    def by_ids(self, tenant_id: int, account_ids: Sequence[int]) -> Sequence[AccountRow]:
        """Return the accounts of these internal ids, by external id; unknown ones are left out."""
        ...

    def names(self, tenant_id: int, account_ids: Sequence[int]) -> Sequence[str]:
        """Return the external ids of these accounts alone, in order: a hundredth of the work."""
        ...

    def gone(self, tenant_id: int, account_ids: Sequence[int]) -> Sequence[str]:
        """Return the external ids of those of these accounts of which nothing is left, in order."""
        ...

    def events(
        self,
        tenant_id: int,
        account_id: int,
        limit: int,
        after: tuple[datetime, datetime, int] | None,
        types: Sequence[str],
    ) -> Sequence[StoredEvent]:
        """Return up to `limit` accepted events, newest event time first, after (at, ingested_at, tie). Account 0: those of no account."""
        ...

    def subscriptions(self, tenant_id: int, account_id: int) -> Sequence[SubscriptionRow]:
        """Return the account's subscriptions, each with its last change that came into effect or is due."""
        ...
