"""Work that the clock asks for every so often, each piece by one replica at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from alerts.ports.ledger import Ledger


class Chore(Protocol):
    """`round` takes short transactions of its own, and may be cut off after any of them: the next one goes on from what is written."""

    @property
    def name(self) -> str: ...
    @property
    def every(self) -> timedelta: ...
    def round(self, ledger: Ledger, now: datetime) -> None: ...


@dataclass
class Chores:
    """Used by one thread."""

    chores: Sequence[Chore]
    _done_at: dict[str, datetime] = field(default_factory=dict)

    def round(self, ledger: Ledger, now: datetime) -> None:
        """Whatever is due. A clock that was put back makes everything due."""
        for chore in self.chores:
            before = self._done_at.get(chore.name)
            if before is not None and before <= now < before + chore.every:
                continue
            self._done_at[chore.name] = now
            lease = f"chore-{chore.name}"
            if not ledger.try_lease(lease):
                continue
            try:
                chore.round(ledger, now)
            finally:
                ledger.release([lease])
