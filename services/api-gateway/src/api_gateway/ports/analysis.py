"""What an analysis looks at: figures of one instant, and counts of raw events where figures can't tell."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from api_gateway.domain.lasting import Lasting
from common.analysis.late import Revision
from common.catalogue.models import Catalogue, Metric
from common.figures.model import Figure, Query
from common.figures.without import Begun

ByTypeAndDay = Mapping[tuple[str, date], int]


@dataclass(frozen=True, slots=True)
class Since:
    """What became of the events of a stretch of event time since an instant, as counts by type and local day.

    `came` arrived after it by themselves and stand now, corrected or not; `corrected` stand since in the place of others that
    had arrived by then, `left` had and stand no more.
    """

    came: ByTypeAndDay
    corrected: ByTypeAndDay
    left: ByTypeAndDay

    def of(self, counts: Callable[[str], bool]) -> "Since":
        """Of some types alone."""
        sides = (self.came, self.corrected, self.left)
        return Since(*({key: n for key, n in side.items() if counts(key[0])} for side in sides))

    @property
    def by_type(self) -> dict[str, int]:
        """How many came."""
        found: Counter[str] = Counter()
        for (kind, _), count in self.came.items():
            found[kind] += count
        return dict(found)

    @property
    def more(self) -> int:
        """How many more stand now than stood then."""
        return sum((*self.came.values(), *self.corrected.values())) - sum(self.left.values())

    @property
    def anything(self) -> bool:
        return bool(self.came or self.corrected or self.left)


@dataclass(frozen=True, slots=True)
class Version:
    """A metric as a version of the definitions has it, which was ready to answer from an instant on."""

    catalogue_version: int
    metric: Metric
    ready_at: datetime


class Look(Protocol):
    """One unchanging view of a tenant's data. Raises Rejected for what can't be answered, Unavailable when it takes too long."""

    def figures(self, catalogue: Catalogue, query: Query) -> Sequence[Figure]:
        """All rows of a question, page after page."""
        ...

    def known_by(
        self, catalogue: Catalogue, query: Query, then: datetime, types: Iterable[str]
    ) -> tuple[Figure, Figure] | None:
        """A question's one figure at an instant, of what is stored now, and of that without the events of these types, and those
        that say traits, that had not arrived by then. None where that can't be told apart, or there are too many to look at."""
        ...

    def begun_by(self, then: datetime) -> Begun | None:
        """Accounts that were first heard of at another instant than now, as far as what had arrived by then tells; None when there are
        too many events to look at, or they aren't all kept."""
        ...

    def accounts(self, since: datetime) -> int:
        """How many accounts had MRR, activity or a step (a deal, a ticket) since then; what only was created counts as nothing."""
        ...

    def account_names(self, since: datetime, most: int) -> Sequence[str]:
        """At most so many of these, chosen by a digest of their ids: always the same ones, and as good as drawn by lot."""
        ...

    def first_seen(self, accounts: Sequence[str]) -> Mapping[str, datetime]:
        """When each of these accounts was first heard of, by the time of its events."""
        ...

    def trait_now(self, trait: str, accounts: Sequence[str]) -> Mapping[str, object]:
        """What a trait of each of these accounts is now; those without it are left out, as are those that this
        release can't read."""
        ...

    def has_trait(self, trait: str) -> bool:
        """Whether any account ever had it."""
        ...

    def lasting(self, meanings: Mapping[str, str]) -> Mapping[tuple[str, str | None], Lasting]:
        """By edge and segment (None: all accounts), what nightly looks at an edge say of what it means now. `meanings`: edge -> digest."""
        ...

    def versions(self, metric: str) -> Sequence[Version]:
        """How each version in force up to now defined the metric, newest first; those without it are left out, as are those that this
        release can't read."""
        ...

    def catalogue_at(self, version: int) -> Catalogue | None:
        """The definitions of a version; None where this release can't read them."""
        ...

    def since(
        self,
        then: datetime,
        types: Iterable[str] | None,
        start: datetime | None,
        end: datetime,
        zone: str,
        accounts: Sequence[str] | None = None,
        *,
        internal: bool = True,
    ) -> Since | None:
        """Of events of these types (None: of any) and of these accounts (None: of all) that happened in [start, end), with or without
        those of internal people; None when there are too many to look at."""
        ...

    def any_by(self, then: datetime, start: datetime | None, end: datetime) -> bool | None:
        """Whether an event that happened in [start, end), or ever before the end, had arrived by then; None when there are too many to look at."""
        ...

    def spanned(self, then: datetime, first: date, last: date) -> bool:
        """Whether a backfill that changed figures of local days [first, last] began before an instant and was closed after it, or
        was closed before it and reverted after it: which of its events counted then can't be told from their stamps."""
        ...

    def rates_told(self, then: datetime, last: date, home: str, *, of_revenue: bool) -> bool:
        """Whether a rate into the currency `home` that may be used up to a local day was told after an instant; `of_revenue`: of
        currencies alone in which there is recurring revenue."""
        ...

    def kept_from(self) -> datetime | None:
        """Raw events that arrived before this may be gone; None: all are kept."""
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
        """What was revised since an instant on local days [first, last], of days that were empty too where somebody decided it."""
        ...


class Analysis(Protocol):
    def look(self, tenant_id: int) -> AbstractContextManager[Look]:
        """A view of now."""
        ...
