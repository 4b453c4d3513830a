"""Reading the renewals that are open, how likely each is lost, and what that is worth."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from api_gateway.domain.renewals import Group, Grouping, RenewalRow, RenewalsQuery, RiskDay, Trained


class RenewalReader(Protocol):
    """Bound to one tenant. Raises Unavailable when the database doesn't answer."""

    def page(self, tenant_id: int, query: RenewalsQuery) -> Sequence[RenewalRow]:
        """Return up to `query.limit + 1` open renewals in the asked order."""
        ...

    def groups(self, tenant_id: int, query: RenewalsQuery, by: Grouping) -> Sequence[Group]:
        """Return all renewals that the query's filters let through, summed by group."""
        ...

    def risk(self, tenant_id: int, account_id: int) -> Mapping[str, Any] | None:
        """Return the risk as the engine wrote it; None where no renewal is open."""
        ...

    def history(self, tenant_id: int, account_id: int, limit: int) -> Sequence[RiskDay]:
        """Return the latest days first."""
        ...

    def model(self, tenant_id: int) -> Trained | None:
        """Return what came of the latest training; None where there was none."""
        ...

    def of(self, tenant_id: int, account_id: int) -> Sequence[Mapping[str, Any]]:
        """Return all renewals of the account, the latest due first, with what became of them, and the risk of those that are open."""
        ...

    def is_settling(self, tenant_id: int) -> bool:
        """Whether history is being loaded, or was and is not all in the figures yet."""
        ...
