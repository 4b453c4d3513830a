"""What does not arrive as it usually does."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Tracked:
    """A type of event, a source, or all that the tenant sends (name `*`), that is missing or once was."""

    kind: str
    name: str
    state: str
    since: datetime
    expected: float
    seen: int
    types: list[str]
    share: float
    renamed_to: str | None
    found_at: datetime


class TrackingReader(Protocol):
    """Raises Unavailable when the database doesn't answer."""

    def judged_until(self, tenant_id: int) -> datetime | None:
        """The end of the last hour that was judged; None before the first."""
        ...

    def all_of(self, tenant_id: int) -> Sequence[Tracked]:
        """What is missing first, then what was, the latest first."""
        ...

    def retire(self, tenant_id: int, kind: str, name: str, by: str) -> None:
        """It isn't sent any more, and not waited for. Raises NotFound (`tracking-unknown`) where it isn't missing."""
        ...
