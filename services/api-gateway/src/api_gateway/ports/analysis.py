"""What an analysis looks at: figures of one instant, and counts of raw events where figures can't tell."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from common.analysis.late import Revision
from common.catalogue.models import Catalogue, Metric
from common.figures.model import Figure, Query


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Events of a stretch of event time, by type: those that arrived by an instant, and those after it."""

    by_then: Mapping[str, int]
    after: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Version:
    """A metric as a version of the definitions has it."""

    catalogue_version: int
    metric: Metric


class Look(Protocol):
    """One unchanging view of a tenant's data. Raises Rejected for what can't be answered, Unavailable when it takes too long."""

    def figures(self, catalogue: Catalogue, query: Query) -> Sequence[Figure]:
        """All rows of a question, page after page."""
        ...

    def accounts(self) -> int:
        """How many accounts there are."""
        ...

    def account_names(self, most: int) -> Sequence[str]:
        """At most so many, chosen by a digest of their ids: always the same ones, and as good as drawn by lot."""
        ...

    def trait_now(self, trait: str, accounts: Sequence[str]) -> Mapping[str, object]:
        """What a trait of each of these accounts is now; those without it are left out, as are those that this
        release can't read."""
        ...

    def versions(self, metric: str) -> Sequence[Version]:
        """How each version in force up to now defined the metric, newest first; those without it are left out, as are those that this
        release can't read."""
        ...

    def catalogue_at(self, version: int) -> Catalogue | None:
        """The definitions of a version; None where this release can't read them."""
        ...

    def arrivals(
        self, types: Iterable[str] | None, start: datetime, end: datetime, then: datetime, *, internal: bool
    ) -> Arrivals | None:
        """Events of these types (None: of any), with or without those of internal people; None when there are too many to look at."""
        ...

    def daily(
        self, types: Iterable[str] | None, start: datetime, end: datetime, zone: str
    ) -> Mapping[str, Mapping[date, int]] | None:
        """Type -> local day -> events; None when there are too many raw events to look at."""
        ...

    def daily_by_source(
        self, types: Iterable[str], start: datetime, end: datetime, zone: str
    ) -> Mapping[tuple[str, str], Mapping[date, int]] | None:
        """(type, source) -> local day -> events; reads bodies, so None comes much sooner."""
        ...

    def revisions(self, rows: Sequence[str], first: date, last: date, since: datetime) -> Sequence[Revision]:
        """Of days that were complete, on local days [first, last], since an instant."""
        ...


class Analysis(Protocol):
    def look(self, tenant_id: int) -> AbstractContextManager[Look]:
        """A view of now."""
        ...
