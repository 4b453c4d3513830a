"""Brings the state of accounts up to now: those that changed, and those whom only time has changed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from common.catalogue.cel import account_root
from common.catalogue.models import Catalogue
from common.context.quiet import Context, quiet_between
from common.risk.base_rates import BaseRates
from common.risk.renewals import ahead
from kpi_engine.domain.plan import Plan, Plans
from kpi_engine.domain.renewals import renewal_figures, renewals_in
from kpi_engine.domain.state import AccountFacts, due_at, figures_of
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.state import AccountState, Revenue, StateStore, Surroundings

# Bounds the memory of one step; larger chunks are no cheaper.
CHUNK = 500
_NOTHING = Revenue(Decimal(0), None)


class AccountStates:
    """Depends on nothing but what is stored and `now`: computing an account twice changes nothing."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._plans = Plans()

    def compute(
        self,
        connection: Connection,
        tenant_id: int,
        catalogue: Catalogue,
        account_ids: Sequence[int],
        now: datetime,
        as_of: datetime,
    ) -> int:
        """Writes the state of these accounts in the caller's transaction. Returns how many there were."""
        plan = self._plans.of(tenant_id, catalogue)
        wanted = sorted({account_id for account_id in account_ids if account_id})
        computed = 0
        for start in range(0, len(wanted), CHUNK):
            chunk = wanted[start : start + CHUNK]
            states = self._states(connection, tenant_id, plan, chunk, now)
            self._store.save(connection, tenant_id, states, now, as_of, plan.local.day_at(now))
            computed += len(states)
        return computed

    def due(
        self, connection: Connection, now: datetime, limit: int, partitions: Sequence[int]
    ) -> list[tuple[int, int]]:
        return self._store.due(connection, now, limit, partitions)

    def compared(self) -> list[int]:
        """The tenants of which an account was compared with its segment."""
        return self._store.compared()

    def overtake(self, connection: Connection, tenant_id: int, catalogue: Catalogue, now: datetime) -> int:
        """Makes the accounts due whose segment moved since they were compared with it, by events of others."""
        return self._store.overtake(connection, tenant_id, self._plans.of(tenant_id, catalogue), now)

    def _states(
        self, connection: Connection, tenant_id: int, plan: Plan, accounts: Sequence[int], now: datetime
    ) -> list[AccountState]:
        revenue = self._store.revenue(connection, tenant_id, accounts, now)
        trends = self._store.segment_trends(connection, tenant_id, plan, now)
        rates = self._store.base_rates(connection, tenant_id, plan, now)
        around = self._store.surroundings(connection, tenant_id, plan, now)
        facts = self._store.facts(connection, tenant_id, plan, accounts, now)
        return [
            _state(
                its,
                revenue.get(its.account_id, _NOTHING),
                trends.get(its.segment or ""),
                rates,
                around,
                now,
                plan,
            )
            for its in facts
        ]


def _state(
    facts: AccountFacts,
    revenue: Revenue,
    segment_trend: float | None,
    rates: BaseRates,
    around: Surroundings,
    now: datetime,
    plan: Plan,
) -> AccountState:
    traits = msgspec.json.decode(facts.traits)
    renewals = renewals_in(revenue.terms, revenue.mrr, traits, now, plan.local)
    figures = {
        **figures_of(facts, traits, revenue.mrr, segment_trend, now, plan.local),
        **renewal_figures(renewals, revenue.mrr, revenue.year_ago, traits, now, plan.local),
        "quiet_days": _quiet_days(facts, traits, around.context, now, plan),
    }
    health = plan.health.judge(figures, traits, around.stale_inputs)
    if health:
        figures |= {"health": health.score, "health_band": health.band}
    risk = None
    if ahead(renewals) is not None:
        risk = plan.risk.judge(account_root(figures, traits), facts.segment, rates)
    return AccountState(
        facts=facts,
        figures={**figures, "renewal_risk": risk.probability if risk else None},
        health=health,
        risk=risk,
        renewals=renewals,
        mrr=revenue.mrr,
        due_at=due_at(now, revenue.next_at, plan.local),
    )


def _quiet_days(
    facts: AccountFacts, traits: Mapping[str, Any], context: Context, now: datetime, plan: Plan
) -> int | None:
    """How many of the days that it has been silent are no news."""
    if facts.last_activity_at is None:
        return None
    last, today = (plan.local.day_at(at) for at in (facts.last_activity_at, now))
    return quiet_between(context.quiet(facts.account_id, traits), last, today) if last < today else 0
