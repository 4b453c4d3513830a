"""What does not arrive, as the engine found, and what people were told of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from alerts.domain.inhibition import Fault


@dataclass(frozen=True, slots=True)
class News:
    """A fault that people don't know of (`until` None), or whose end they don't know of. `retired`: somebody said that it isn't sent any more."""

    fault: Fault
    until: datetime | None
    retired: bool


class Tracks(Protocol):
    """Part of the ledger: same connection, same errors."""

    def faults(self, tenant_ids: Sequence[int]) -> list[Fault]:
        """All that does not arrive now."""

    def tracking_news(self) -> list[News]: ...
    def fired_since(self, tenant_id: int, rules: Sequence[str], since: datetime) -> list[int]:
        """Accounts on which one of these rules fires since then."""

    def taken_back(self, tenant_id: int, reason: str, at: datetime) -> int:
        """How many alerts ended at that instant, for that reason."""

    def note_broken(self, faults: Sequence[Fault], withdrawn: int, at: datetime) -> None: ...
    def note_mended(self, faults: Sequence[Fault], at: datetime) -> None: ...
