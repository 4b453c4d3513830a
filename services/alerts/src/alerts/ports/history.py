"""What a replay needs to know of a tenant's past."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from alerts.domain.past import Events
from alerts.domain.people_days import Traits
from alerts.domain.said_days import Calendar, Computed, Rates
from common.catalogue.models import Catalogue
from common.contracts.known import KnownCounts
from common.figures.mrr import Change
from common.signals.said import Answer, Step


@dataclass(frozen=True, slots=True)
class AccountHistory:
    """`traits`: (at, name, value), those of one name in their order. `answers`: of relationship surveys, in order.

    `steps`: of invoices, success plans, surveys and tickets, by measure and in order. `champions`: of people who were ever called
    one, what was said of that and of their leaving, as `traits`.
    """

    account_id: int
    name: str
    events: Events
    traits: Sequence[tuple[datetime, str, Any]]
    changes: Sequence[Change]
    answers: Sequence[Answer]
    steps: Mapping[str, Sequence[Step]]
    computed: Computed
    champions: Mapping[int, Traits]


@dataclass(frozen=True, slots=True)
class TenantHistory:
    calendar: Calendar
    accounts: Sequence[AccountHistory]
    known: KnownCounts
    rates: Rates

    @property
    def first_day(self) -> date:
        return self.calendar.first_day

    @property
    def ends(self) -> Sequence[datetime]:
        return self.calendar.ends


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a rule itself warned of since it means what it does: account, when it fired and ended (None: not yet). What was withdrawn is left out."""

    since: datetime
    warnings: Sequence[tuple[int, datetime, datetime | None]]


class History(Protocol):
    """Safe to use from many threads. Raises Unavailable when the database does not answer: ask again later."""

    def catalogue(self, tenant_id: int) -> Catalogue | None: ...
    def recorded(
        self, tenant_id: int, catalogue: Catalogue, rules: Collection[str], begin: datetime
    ) -> Mapping[str, Recorded]:
        """Of those of `rules` that are watched, live or as shadows, as `catalogue` defines them: what was open at `begin` or fired later."""
        ...

    def read(
        self, tenant_id: int, catalogue: Catalogue, now: datetime, measures: Collection[str] = ()
    ) -> TenantHistory | None:
        """`measures` are marked in the events. All of a tenant's past; None when there is none. Raises Rejected (`history-too-long`) rather than take too much memory."""
