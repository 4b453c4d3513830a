"""What ids of cases and notices are made from."""

from typing import Protocol

from alerts.domain.identities import Line


class Identities(Protocol):
    """Part of the ledger: same connection, same transaction, same errors."""

    def next_case_id(self, tenant_id: int, account_id: int, account: str, queue: str) -> str:
        """Of the case that the account opens now; its watch is locked. The same until that case is saved."""

    def lock_line(self) -> Line: ...
    def save_line(self, line: Line) -> None: ...
