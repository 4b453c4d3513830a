"""Brings the state of accounts up to now: those that changed, and those whom only time has changed."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from common.catalogue.cel import SIGNALS, account_root
from common.catalogue.models import Catalogue
from common.context.quiet import quiet_between
from common.figures.histories import CLOSED
from common.signals.said import RECENT
from common.signals.states import Signals
from kpi_engine.domain.plan import Plan, Plans
from kpi_engine.domain.renewals import renewal_figures, renewals_in
from kpi_engine.domain.risk import Judges, Told, stale
from kpi_engine.domain.signal_facts import SignalFacts, revenue_figures, signal_figures
from kpi_engine.domain.signals import Known, signals_of
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

    def redefined(self, connection: Connection, now: datetime, partitions: Sequence[int]) -> int:
        """Makes the accounts due that were computed by definitions that are in force no more."""
        return self._store.redefined(connection, now, partitions)

    def due(
        self, connection: Connection, now: datetime, limit: int, partitions: Sequence[int]
    ) -> list[tuple[int, int, int]]:
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
        self._store.recount_activity(connection, tenant_id, plan, accounts)
        revenue = self._store.revenue(connection, tenant_id, plan, accounts, now)
        trends = self._store.segment_trends(connection, tenant_id, plan, now)
        rates = self._store.base_rates(connection, tenant_id, plan, now)
        around = self._store.surroundings(connection, tenant_id, plan, now)
        facts = self._store.facts(connection, tenant_id, plan, accounts, now)
        inputs = self._store.signal_inputs(
            connection, tenant_id, plan, [its.account_id for its in facts], now
        )
        found = [
            _Found(
                its,
                msgspec.json.decode(its.traits),
                revenue.get(its.account_id, _NOTHING),
                trends.get(its.segment or ""),
                extra,
                around,
                now,
                plan,
            )
            for its, extra in zip(facts, inputs.facts, strict=True)
        ]
        broken = plan.signals.broken(around.broken)
        told = signals_of(plan.signals, inputs, [one.known for one in found], broken, now, plan.local)
        model = self._store.risk_model(connection, tenant_id, plan, now)
        judges = Judges(plan.risk, model, rates, stale(plan.catalogue, around.broken), plan.local)
        before = self._store.risks(connection, accounts, plan)
        return [
            one.state(signals, judges, before.get(one.account_id, {}))
            for one, signals in zip(found, told, strict=True)
        ]


class _Found:
    """One account, from what was read to what is said of it."""

    def __init__(
        self,
        facts: AccountFacts,
        traits: dict[str, Any],
        revenue: Revenue,
        segment_trend: float | None,
        extra: SignalFacts,
        around: Surroundings,
        now: datetime,
        plan: Plan,
    ) -> None:
        local = plan.local
        self._facts, self._traits, self._revenue = facts, traits, revenue
        self._around, self._now, self._plan = around, now, plan
        self._renewals = renewals_in(revenue.terms, revenue.mrr, revenue.unrated, traits, now, local)
        self._quiet = around.context.quiet(facts.account_id, traits)
        figures = {
            **figures_of(facts, traits, revenue.mrr, segment_trend, now, local),
            **renewal_figures(
                self._renewals, revenue.mrr, revenue.year_ago, revenue.first_at, traits, now, local
            ),
            **_quiet_days(facts, self._quiet, local.day_at(now), plan),
        }
        if revenue is not _NOTHING:
            figures |= revenue_figures(revenue.quarter_ago, revenue.under_notice, revenue.notice_at)
        self._figures: dict[str, Any] = {
            **figures,
            **signal_figures(extra, traits, revenue.seats, figures, self._quiet, now, local),
        }

    @property
    def known(self) -> Known:
        """What signals are asked of."""
        country = self._traits.get("country")
        return Known(
            self._facts.account_id,
            self._figures,
            self._facts.segment,
            country if isinstance(country, str) else None,
            self._traits.get(CLOSED) is True,
            self._facts.first_event_at,
            self._quiet,
        )

    @property
    def account_id(self) -> int:
        return self._facts.account_id

    def state(self, signals: Signals, judges: Judges, before: Told) -> AccountState:
        figures, plan = self._figures, self._plan
        # Signals cost as much to hand over as all figures do.
        seen = {**figures, SIGNALS: signals} if plan.asks_signals else figures
        root = account_root(seen, self._traits)
        health = plan.health.judge_root(root, self._around.stale_inputs)
        judged = {"health": health.score, "health_band": health.band} if health else {}
        root["a"] |= {name: value for name, value in judged.items() if value is not None}
        risks = judges.risks(self._renewals, root, self._facts.segment, signals, before, self._now)
        return AccountState(
            facts=self._facts,
            figures={**figures, **judged, "renewal_risk": risks[0].probability if risks else None},
            signals=signals,
            health=health,
            risks=risks,
            renewals=self._renewals,
            mrr=self._revenue.mrr,
            due_at=due_at(self._now, self._revenue.next_at, plan.local),
        )


def _quiet_days(facts: AccountFacts, quiet: frozenset[date], today: date, plan: Plan) -> dict[str, int]:
    """How many of the days that it has been silent, and of the last 28, are no news."""
    found = {"quiet_28d": quiet_between(quiet, today - RECENT, today)}
    if facts.last_activity_at is not None:
        last = plan.local.day_at(facts.last_activity_at)
        found["quiet_days"] = quiet_between(quiet, last, today) if last < today else 0
    return found
