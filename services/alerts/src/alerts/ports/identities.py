"""What ids of cases and notices are made from."""

from collections.abc import Sequence
from typing import Protocol

from alerts.domain.identities import Line
from alerts.domain.priority import Queue
from alerts.ports.records import Account


class Identities(Protocol):
    """Part of the ledger: same connection, same transaction, same errors."""

    def next_case_ids(self, opening: Sequence[tuple[Account, Queue]]) -> dict[tuple[int, Queue], str]:
        """By account and queue, of the cases that open now; the accounts' watches are locked. The same until those cases are saved."""

    def lock_line(self) -> Line: ...
    def save_line(self, line: Line) -> None: ...
