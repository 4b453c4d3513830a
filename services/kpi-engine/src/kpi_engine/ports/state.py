"""What computing account state needs of the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from common.context.quiet import Context
from common.figures.mrr import Step
from common.figures.terms import Due
from common.risk.base_rates import BaseRates
from common.risk.renewals import Renewal
from common.risk.score import Risk
from common.risk.store import InForce
from common.signals.states import Signals
from common.tracking.verdicts import Broken
from kpi_engine.domain.health import Health, Where
from kpi_engine.domain.plan import Plan
from kpi_engine.domain.risk import Told
from kpi_engine.domain.signals import SignalInputs
from kpi_engine.domain.state import AccountFacts, Figure
from kpi_engine.ports.connection import Connection


@dataclass(frozen=True, slots=True)
class AccountState:
    """`risks`: of the open renewals, that first which must be decided first."""

    facts: AccountFacts
    figures: Mapping[str, Figure]
    signals: Signals
    health: Health | None
    risks: Sequence[Risk]
    renewals: Sequence[Renewal]
    mrr: Decimal | None
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Revenue:
    """`mrr` is that of everything that acts strictly before now; `next_at` when it moves although nothing arrives.

    Each amount is None where something of it is paid in a currency without any rate. `year_ago`, `quarter_ago`: MRR 365 and 90 days before, at the rates of now. `first_at`: when the first subscription began. `under_notice`: what of `mrr` was given notice of, first at
    `notice_at`. `terms`: all that were ever due, decided or not, those in `unrated` currencies, without any rate, one for one. `seats`: how those of running subscriptions changed, in order.
    """

    mrr: Decimal | None
    next_at: datetime | None
    year_ago: Decimal | None = Decimal(0)
    first_at: datetime | None = None
    quarter_ago: Decimal | None = Decimal(0)
    under_notice: Decimal | None = Decimal(0)
    notice_at: datetime | None = None
    terms: Sequence[Due] = ()
    unrated: frozenset[str] = frozenset()
    seats: Sequence[Step] = ()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What happens around a tenant's accounts: days on which quiet is no news, what does not arrive now, and which inputs of health
    profiles rest on that.
    """

    context: Context
    broken: tuple[Broken, ...] = ()
    stale_inputs: frozenset[Where] = frozenset()


class StateStore(Protocol):
    """Set-based: each call costs a few statements, however many accounts it is about. All in the caller's transaction."""

    def recount_activity(self, conn: Connection, tenant_id: int, plan: Plan, accounts: Sequence[int]) -> None:
        """Brings up to date when these accounts were last active, where that was told by definitions to which other types of event were activity."""
        ...

    def facts(
        self, conn: Connection, tenant_id: int, plan: Plan, accounts: Sequence[int], now: datetime
    ) -> list[AccountFacts]:
        """Of those accounts that exist, in no order."""
        ...

    def revenue(
        self, conn: Connection, tenant_id: int, plan: Plan, accounts: Sequence[int], now: datetime
    ) -> Mapping[int, Revenue]:
        """Brings stored revenue up to `now`, lapses included; accounts without a subscription are left out."""
        ...

    def segment_trends(
        self, conn: Connection, tenant_id: int, plan: Plan, now: datetime
    ) -> Mapping[str, float | None]:
        """How user-days moved in each segment. May be a minute old, never of another local day."""
        ...

    def signal_inputs(
        self, conn: Connection, tenant_id: int, plan: Plan, accounts: Sequence[int], now: datetime
    ) -> SignalInputs:
        """What signals are asked of, in the order of `accounts`; what the segments did may be a minute old."""
        ...

    def base_rates(self, conn: Connection, tenant_id: int, plan: Plan, now: datetime) -> BaseRates:
        """The share of past renewals that was lost, by segment. May be minutes old."""
        ...

    def risk_model(self, conn: Connection, tenant_id: int, plan: Plan, now: datetime) -> InForce | None:
        """The hazard model that judges instead of the score. May be a minute old."""
        ...

    def risks(self, conn: Connection, accounts: Sequence[int], plan: Plan) -> Mapping[int, Told]:
        """What was told last of the renewals of those that had one open."""
        ...

    def overtake(self, conn: Connection, tenant_id: int, plan: Plan, now: datetime) -> int:
        """Reads trends and base rates anew, and makes the accounts due that were judged by others, or of whom a signal said nothing for
        want of data that has come since. Returns how many."""
        ...

    def surroundings(self, conn: Connection, tenant_id: int, plan: Plan, now: datetime) -> Surroundings:
        """May be a minute old, never of another local day."""
        ...

    def compared(self) -> list[int]:
        """The tenants whose trends were read."""
        ...

    def save(
        self,
        conn: Connection,
        tenant_id: int,
        states: Sequence[AccountState],
        now: datetime,
        as_of: datetime,
        today: date,
    ) -> None:
        """Stores states and renewals, and the health and risk of the local day where they changed."""
        ...

    def redefined(self, conn: Connection, now: datetime, partitions: Sequence[int]) -> int:
        """Makes the accounts of these partitions due that were computed by definitions that are in force no more; returns how many."""
        ...

    def due(
        self, conn: Connection, now: datetime, limit: int, partitions: Sequence[int]
    ) -> list[tuple[int, int, int]]:
        """(tenant, account, partition) of accounts of these partitions, the longest due first; `limit` at most, and none only if none is due.

        Who pays in another currency is due once exchange rates were told."""
        ...
