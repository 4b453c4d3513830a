"""Annotations: what people say happened in a stretch of time, and to whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

KINDS = ("release", "price", "outage", "market", "holiday")
MOST_CHARACTERS, MOST_NAMES = 2_000, 100
DEFAULT_LIMIT, MAX_LIMIT = 100, 1_000


@dataclass(frozen=True, slots=True)
class Annotation:
    """[starts_at, ends_at). Without segments and accounts it concerns everybody."""

    id: str
    starts_at: datetime
    ends_at: datetime
    kind: str
    text: str
    author: str
    segments: Sequence[str]
    accounts: Sequence[str]
    created_at: datetime

    def may_concern(self, accounts: Sequence[str]) -> bool:
        """Where it names segments, accounts that it doesn't name may be in one of them."""
        return not self.accounts or bool(self.segments) or not set(self.accounts).isdisjoint(accounts)


@dataclass(frozen=True, slots=True)
class AnnotationsQuery:
    """Those that overlap [start, end); None is unbounded. `after`: start and id of the last one seen."""

    start: datetime | None = None
    end: datetime | None = None
    kind: str | None = None
    account: str | None = None
    segment: str | None = None
    limit: int = DEFAULT_LIMIT
    after: tuple[str, str] | None = None
