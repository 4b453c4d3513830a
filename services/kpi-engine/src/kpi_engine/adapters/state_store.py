"""What is true of accounts now: read from their measures and facts, stored for everybody else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from time import perf_counter
from typing import Any

import msgspec

from common.risk.base_rates import BaseRates
from common.risk.store import InForce
from common.signals.weeks import Floats
from kpi_engine.adapters import revenue_store, risk_store, seen_store, signal_store
from kpi_engine.adapters.arrays import int8s
from kpi_engine.adapters.calendar_store import CalendarStore
from kpi_engine.adapters.kept import Kept
from kpi_engine.adapters.presence_store import ACCOUNT_ITSELF
from kpi_engine.adapters.state_queries import (
    BY_FORMER,
    DUE,
    FACTS,
    KEEP_HEALTH,
    OVERTAKEN,
    RATES_TOLD,
    REDEFINED,
    RERATED,
    SAVE,
    TRENDS,
)
from kpi_engine.domain.health import Health
from kpi_engine.domain.plan import Plan
from kpi_engine.domain.risk import Told
from kpi_engine.domain.signal_plan import TODAY
from kpi_engine.domain.signals import SignalInputs
from kpi_engine.domain.state import AccountFacts, trend
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.state import AccountState, Revenue, Surroundings

_MEASURES = """
select w.name, m.id, past.kept_from from unnest(%(names)s::text[], %(origins)s::int[]) as w(name, origin)
left join engine.measure m on m.tenant_id = %(tenant_id)s and m.name = w.name and m.origin = w.origin
left join published.definition_past past on past.tenant_id = %(tenant_id)s and past.version = w.origin
"""
_NAMES = ("events", "complaints", "active_users", "active_users_7d", "active_users_28d", "active_accounts")
# What the counts of facts are of, and how many days before today they begin.
_COUNTS = {
    "events_28d": ("events", 27),
    "active_users_7d": ("active_users_7d", 6),
    "active_users_28d": ("active_users_28d", 27),
    "user_days_28d": ("active_users", 28),
    "user_days_base": ("active_users", 56),
    "complaints_7d": ("complaints", 6),
    "complaints_28d": ("complaints", 27),
    "complaints_before": ("complaints", 90),
}
# User-days of 28 finished local days are compared with the 28 before.
_COMPARED = "active_users"
# The id of no measure: what a catalogue has and nothing was counted for yet.
_NO_ID = -1
# Trends of segments move slowly, and reading every account is the dearest thing here.
_FRESH_SECONDS = 60.0
# Reading them takes at most 2 % of the engine's time, however many accounts there are.
_LARGEST_SHARE = 50
# A segment that moved by less than half a point moved nobody's comparison with it.
_LEAST_MOVE = 0.005

_ENCODER = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True)
class _Trends:
    day: date
    until: datetime
    by_segment: Mapping[str, float | None]
    days: Mapping[tuple[str, str], Mapping[str, Floats]]


class PostgresStateStore:
    def __init__(self) -> None:
        self._trends: dict[int, _Trends] = {}
        self._rates_told: dict[int, int] = {}
        self._rates = risk_store.Rates()
        self._models = risk_store.Models()
        self._signals = signal_store.SignalReader()
        self._calendars = CalendarStore()

    def revenue(
        self, conn: Connection, tenant_id: int, plan: Plan, accounts: Sequence[int], now: datetime
    ) -> Mapping[int, Revenue]:
        return revenue_store.revenue_of(conn, tenant_id, plan, accounts, now)

    def recount_activity(self, conn: Connection, tenant_id: int, plan: Plan, accounts: Sequence[int]) -> None:
        origins = {plan.catalogue.origin_of(measure.name) for measure in plan.active_accounts}
        if not any(origins):
            return
        told = {"tenant_id": tenant_id, "version": max(origins), "accounts": list(accounts)}
        by_former = conn.execute(BY_FORMER, told).fetchall()
        if by_former:
            [unknown_before] = {kept_from for _, kept_from in by_former}
            ids = _kept(conn, tenant_id, plan, [measure.name for measure in plan.active_accounts]).ids
            former = [account for account, _ in by_former]
            seen_store.recount_activity(conn, tenant_id, former, plan, ids, unknown_before)

    def facts(
        self, conn: Connection, tenant_id: int, plan: Plan, accounts: Sequence[int], now: datetime
    ) -> list[AccountFacts]:
        kept, today = _kept(conn, tenant_id, plan, _NAMES), plan.local.day_at(now)
        names = _defined(plan)
        parameters = {
            **_days(plan, now),
            **dict.fromkeys(_NAMES, _NO_ID),
            **kept.ids,
            **{
                f"knows_{figure}": name in names and kept.is_whole_from(name, today - timedelta(days=back))
                for figure, (name, back) in _COUNTS.items()
            },
            "accounts": list(accounts),
            "itself": ACCOUNT_ITSELF,
        }
        return [_facts(row) for row in conn.execute(FACTS, parameters)]

    def segment_trends(
        self, conn: Connection, tenant_id: int, plan: Plan, now: datetime
    ) -> Mapping[str, float | None]:
        known = self._trends.get(tenant_id)
        if known is None or known.day != plan.local.day_at(now) or now >= known.until:
            known = self._read_trends(conn, tenant_id, plan, now)
        return known.by_segment

    def signal_inputs(
        self, conn: Connection, tenant_id: int, plan: Plan, accounts: Sequence[int], now: datetime
    ) -> SignalInputs:
        kept = _kept(conn, tenant_id, plan, signal_store.measures_read(plan))
        self.segment_trends(conn, tenant_id, plan, now)
        together = self._trends[tenant_id].days
        return self._signals.read(conn, tenant_id, plan, kept, together, accounts, now)

    def base_rates(self, conn: Connection, tenant_id: int, plan: Plan, now: datetime) -> BaseRates:
        return self._rates.of(conn, tenant_id, plan.risk.settings, now)

    def risks(self, conn: Connection, accounts: Sequence[int], plan: Plan) -> Mapping[int, Told]:
        return risk_store.risks(conn, accounts, plan.local)

    def risk_model(self, conn: Connection, tenant_id: int, plan: Plan, now: datetime) -> InForce | None:
        return self._models.of(conn, tenant_id, now) if plan.risk.settings.model == "when_better" else None

    def surroundings(self, conn: Connection, tenant_id: int, plan: Plan, now: datetime) -> Surroundings:
        return self._calendars.surroundings(conn, tenant_id, plan.catalogue, now)

    def overtake(self, conn: Connection, tenant_id: int, plan: Plan, now: datetime) -> int:
        trends = self._read_trends(conn, tenant_id, plan, now).by_segment
        parameters = {
            "tenant_id": tenant_id,
            "now": now,
            "segments": list(trends),
            "trends": list(trends.values()),
            "least": _LEAST_MOVE,
            "awoken": self._signals.awoken(
                conn, tenant_id, plan, _kept(conn, tenant_id, plan, signal_store.measures_read(plan)), now
            ),
        }
        return conn.execute(OVERTAKEN, parameters).rowcount + self._outdate(conn, tenant_id, plan, now)

    def _outdate(self, conn: Connection, tenant_id: int, plan: Plan, now: datetime) -> int:
        settings = plan.risk.settings
        rates = self._rates.of(conn, tenant_id, settings, now, anew=True)
        allowed = settings.model == "when_better"
        model = self._models.of(conn, tenant_id, now, anew=True) if allowed else None
        return risk_store.outdate(conn, tenant_id, rates, model, now)

    def compared(self) -> list[int]:
        return list(self._trends)

    def _read_trends(self, conn: Connection, tenant_id: int, plan: Plan, now: datetime) -> _Trends:
        started = perf_counter()
        today = plan.local.day_at(now)
        measures = sorted({measure for _, measure in plan.signals.compared})
        kept = _kept(conn, tenant_id, plan, [_COMPARED, *measures])
        first = today - timedelta(days=plan.signals.span - TODAY)
        days = signal_store.days_together(conn, tenant_id, kept.ids, measures, first, today)
        whole = kept.is_whole_from(_COMPARED, today - timedelta(days=56))
        compared = kept.ids.get(_COMPARED, _NO_ID) if whole else _NO_ID
        known = {**_days(plan, now), "tenant_id": tenant_id, "compared": compared}
        found = {of: trend(recent, base) for of, recent, base in conn.execute(TRENDS, known)}
        seconds = max(_FRESH_SECONDS, _LARGEST_SHARE * (perf_counter() - started))
        made = _Trends(plan.local.day_at(now), now + timedelta(seconds=seconds), found, days)
        self._trends[tenant_id] = made
        return made

    def save(
        self,
        conn: Connection,
        tenant_id: int,
        states: Sequence[AccountState],
        now: datetime,
        as_of: datetime,
        today: date,
    ) -> None:
        # One document: psycopg would escape each text of an array, and these are full of quotes.
        document = _ENCODER.encode([_row(state) for state in states]).decode()
        parameters = {"tenant_id": tenant_id, "now": now, "as_of": as_of, "states": document}
        conn.execute(SAVE, parameters)
        judged = [(state.facts.account_id, state.health) for state in states if state.health]
        if judged:
            _keep_health(conn, tenant_id, judged, now, today)
        risk_store.save(conn, tenant_id, states, now, today)

    def due(
        self, conn: Connection, now: datetime, limit: int, partitions: Sequence[int]
    ) -> list[tuple[int, int, int]]:
        self._rerate(conn, now)
        wanted, looked = set(partitions), limit
        while wanted:
            rows = conn.execute(DUE, {"now": now, "looked": looked}).fetchall()
            found = [row for row in rows if row[2] in wanted]
            if len(found) >= limit / 4 or len(rows) < looked:
                return found[:limit]
            looked *= 4  # most are another engine's
        return []

    def redefined(self, conn: Connection, now: datetime, partitions: Sequence[int]) -> int:
        return conn.execute(REDEFINED, {"now": now, "partitions": list(partitions)}).rowcount

    def _rerate(self, conn: Connection, now: datetime) -> None:
        """Makes the accounts due that pay in other currencies, where exchange rates were told since the last look, or before the first."""
        told = {int(tenant_id): int(times) for tenant_id, times in conn.execute(RATES_TOLD)}
        moved = [tenant_id for tenant_id, times in told.items() if self._rates_told.get(tenant_id) != times]
        if moved:
            conn.execute(RERATED, {"tenants": moved, "now": now})
            self._rates_told = told


def _keep_health(
    conn: Connection, tenant_id: int, judged: Sequence[tuple[int, Health]], now: datetime, today: date
) -> None:
    conn.execute(
        KEEP_HEALTH,
        {
            "tenant_id": tenant_id,
            "today": today,
            "now": now,
            "accounts": [account_id for account_id, _ in judged],
            "scores": [health.score for _, health in judged],
            "bands": [health.band for _, health in judged],
            "profiles": [health.profile for _, health in judged],
            "versions": [health.definitions for _, health in judged],
        },
    )


def _defined(plan: Plan) -> set[str]:
    """The names that figures are kept under, by the tenant's catalogue."""
    return {row for measure in plan.catalogue.measures.values() for row in measure.rows}


def _kept(conn: Connection, tenant_id: int, plan: Plan, names: Sequence[str]) -> Kept:
    origins = plan.catalogue.row_origins()
    wanted = [origins.get(name, 0) for name in names]
    parameters = {"tenant_id": tenant_id, "names": list(names), "origins": wanted}
    rows = conn.execute(_MEASURES, parameters).fetchall()
    return Kept(
        {name: number for name, number, _ in rows if number is not None},
        {name: _whole_from(plan, at) for name, _, at in rows if at is not None},
    )


def _whole_from(plan: Plan, kept_from: datetime) -> date:
    day = plan.local.day_at(kept_from)
    return day if plan.local.start_of(day) >= kept_from else day + timedelta(days=1)


def _days(plan: Plan, now: datetime) -> dict[str, date | datetime]:
    """Trends compare finished days, the last 28 and the 28 before; counts include today."""
    today = plan.local.day_at(now)
    back = {f"back_{days}": today - timedelta(days=days) for days in (1, 6, 7, 27, 28, 56, 90, 179)}
    return {"today": today, **back, "start_179": plan.local.start_of(today - timedelta(days=179))}


def _row(state: AccountState) -> dict[str, Any]:
    facts, first = state.facts, state.risks[0] if state.risks else None
    return {
        "account_id": facts.account_id,
        "traits": msgspec.Raw(facts.traits.encode()),
        "figures": state.figures,
        "mrr": state.mrr,
        "health": state.health,
        "signals": state.signals,
        "risk": first,
        "renewal_risk": first and first.probability,
        "first_event_at": facts.first_event_at,
        "last_event_at": facts.last_event_at,
        "last_activity_at": facts.last_activity_at,
        "newest_ingest_at": facts.newest_ingest_at,
        "due_at": state.due_at,
    }


def _facts(row: tuple[Any, ...]) -> AccountFacts:
    names = (field.name for field in fields(AccountFacts))
    columns = dict(zip(names, row, strict=True))
    return AccountFacts(**{**columns, "active_days": int8s(columns["active_days"]).tolist()})
