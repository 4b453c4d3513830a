"""What nightly looks at the edges of the tree found, and which edges stopped to hold."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from api_gateway.domain.lasting import Missing, PastLook
from common.catalogue.models import Catalogue

Segment = str | None
"""The value of the trait; None: all accounts."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A look at an edge: when, at the periods before `through`, by which definitions. `meaning`: a digest of what these make of the edge."""

    tenant_id: int
    edge: str
    through: date
    meaning: str
    catalogue_version: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Stop:
    """An edge that held and holds no more. `says`: what was found, as a sentence."""

    segment: Segment
    driver: str
    moves: str
    owners: Sequence[str]
    says: str
    held_until: date


class EdgeBook(Protocol):
    """One connection. What it raises when the database does not answer ends the round: the next one begins within the hour."""

    def try_lease(self) -> bool:
        """Take the only lease, which ends with `release` or with the connection. False while another process has it."""
        ...

    def release(self) -> None: ...

    def transaction(self) -> AbstractContextManager[object]:
        """What happens inside becomes visible at once, or not at all."""
        ...

    def tenants(self) -> Sequence[tuple[int, str]]:
        """Those that have definitions, each with its time zone, but those whose history is being loaded: half of it is missing."""
        ...

    def definitions(self, tenant_id: int) -> Catalogue | None:
        """Those in force."""
        ...

    def faults(self, tenant_id: int, since: datetime, now: datetime) -> Sequence[Missing]:
        """What of tracking was broken since then; what is broken still, until now."""
        ...

    def has(self, look: Looked) -> bool:
        """Whether there is a look at these periods by definitions that mean the same."""
        ...

    def forget_others(self, tenant_id: int, edges: Collection[str]) -> None:
        """Edges that are no longer in the tree."""
        ...

    def begin_anew(self, look: Looked) -> None:
        """Forget what the edge was when it meant something else: its looks, and that it stopped."""
        ...

    def keep(self, look: Looked, found: Mapping[Segment, Mapping[str, Any]]) -> None:
        """`found` by segment, as the API shows it. What no rule asks for any more is removed."""
        ...

    def past(self, look: Looked) -> Mapping[Segment, Sequence[PastLook]]:
        """All looks at the edge up to this one, in order."""
        ...

    def stopped(self, tenant_id: int, edge: str) -> Collection[Segment]:
        """Where the edge is known to hold no more."""
        ...

    def stop(self, look: Looked, stop: Stop) -> None: ...
    def resume(self, look: Looked, segment: Segment) -> None: ...
