"""Renewals, how likely they are lost, and how many were."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from time import perf_counter
from typing import LiteralString

import msgspec

from common.catalogue.risk import RiskSettings
from common.risk.base_rates import BaseRates, base_rates
from common.risk.renewals import Renewal
from common.risk.score import Reason
from common.risk.store import InForce, in_force
from kpi_engine.domain.buckets import LocalTime
from kpi_engine.domain.risk import Before, Told
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.state import AccountState

# Rates of years move slowly; reading all renewals of them takes at most 1 % of the engine's time.
_FRESH_SECONDS = 60.0
_LARGEST_SHARE = 100
_LEAST_MOVE = 0.1

# The segment is the one that the account had just before it was due; of one that is still to come, the one it has.
_SEGMENT = """left join lateral (
  select t.value #>> '{}' as segment from engine.trait t
  where t.account_id = r.account_id and t.person_id = 0 and t.name = 'segment' and t.at < r.due_at
  order by t.at desc, t.source collate "C" desc, t.event_id collate "C" desc limit 1
) s on true"""
_STORED = f"""
select r.account_id, r.segment is not distinct from s.segment,
  r.subscription, r.due_at, r.notice_deadline, r.mrr, r.renewed, r.source
from engine.renewal r {_SEGMENT}
where r.account_id = any(%(accounts)s) order by r.account_id, r.due_at, r.subscription collate "C"
"""
_DELETE = "delete from engine.renewal where account_id = any(%(accounts)s)"
_INSERT = f"""
insert into engine.renewal (tenant_id, account_id, subscription, due_at, notice_deadline, mrr, renewed, source, segment)
select %(tenant_id)s, r.*, s.segment
from unnest(%(accounts)s::int8[], %(subscriptions)s::text[], %(due)s::timestamptz[], %(deadlines)s::timestamptz[],
  %(mrr)s::numeric[], %(renewed)s::numeric[], %(sources)s::text[]) as r(account_id, subscription, due_at, deadline, mrr, renewed, source)
{_SEGMENT}
"""
_COSTLY = (
    """jsonb_path_query_array(risk, '$.reasons[1 to last] ? (@.points > 0 && @.state != "unknown")')::text"""
)
# What was told before a correction may rest on what never happened: then what is unknown now is just unknown.
# States written before subscriptions were told apart have none: then the account's first renewal of that date is meant.
_TOLD: LiteralString = f"""
select account_id, coalesce(risk ->> 'subscription', (
    select min(r.subscription) from engine.renewal r
    where r.account_id = s.account_id and r.due_at = (s.risk ->> 'due_at')::timestamptz
  ), ''), (risk ->> 'due_at')::timestamptz, risk ->> 'method', computed_at, {_COSTLY}
from engine.account_state s where account_id = any(%(accounts)s) and risk ->> 'due_at' is not null and risk -> 'corrected' is null
union all
select account_id, subscription, due_at, risk ->> 'method', computed_at, {_COSTLY}
from engine.further_risk where account_id = any(%(accounts)s) and risk -> 'corrected' is null
"""
_FORGET = "delete from engine.further_risk where account_id = any(%(accounts)s)"
_FURTHER = """
insert into engine.further_risk (tenant_id, account_id, subscription, due_at, probability, risk, computed_at)
select %(tenant_id)s, t.account_id, t.subscription, t.due_at, t.probability, t.risk, %(now)s
from jsonb_to_recordset(%(risks)s::text::jsonb)
  as t(account_id bigint, subscription text, due_at timestamptz, probability numeric, risk jsonb)
"""
_PAST = """
select segment, count(*), count(*) filter (where renewed = 0) from engine.renewal
where tenant_id = %(tenant_id)s and renewed is not null and due_at >= %(since)s and due_at < %(now)s group by segment
"""
# Accounts whose risk begins elsewhere than it would now, or is judged by something else, are due at once. A base rate that moved by less
# than a tenth of itself moved nobody.
_OUTDATED = """
update engine.account_state as kept set due_at = %(now)s
from engine.account_state s
left join unnest(%(segments)s::text[], %(rates)s::float8[]) as t(segment, rate) on t.segment = s.figures ->> 'segment'
where kept.account_id = s.account_id and s.tenant_id = %(tenant_id)s and s.due_at > %(now)s and s.renewal_risk is not null
  and ((s.risk ->> 'method', case when s.risk ->> 'method' = 'model' then (s.risk ->> 'version')::int end)
         is distinct from (%(method)s, %(version)s::int)
       or abs((s.risk -> 'base' ->> 'rate')::float8 - coalesce(t.rate, %(whole)s)) > %(least)s * coalesce(t.rate, %(whole)s))
"""
# A day's risk is the last one computed on it; days on which nothing changed have no row.
_KEEP = """
insert into engine.risk_day as kept (tenant_id, account_id, day, probability, method, version, subscription, computed_at)
select %(tenant_id)s, t.account_id, %(today)s, t.probability, t.method, t.version, t.subscription, %(now)s
from unnest(%(accounts)s::int8[], %(probabilities)s::numeric[], %(methods)s::text[], %(versions)s::int4[], %(subscriptions)s::text[])
  as t(account_id, probability, method, version, subscription)
left join lateral (
  select h.account_id, h.probability, h.method, h.version, h.subscription from engine.risk_day h
  where h.account_id = t.account_id and h.day <= %(today)s order by h.day desc limit 1
) before on true
where (before.probability, before.method, before.version, before.subscription)
  is distinct from (t.probability, t.method, t.version, t.subscription)
on conflict (account_id, day) do update set probability = excluded.probability, method = excluded.method,
  version = excluded.version, subscription = excluded.subscription, computed_at = excluded.computed_at
"""

_REASONS = msgspec.json.Decoder(list[Reason])


def save(
    conn: Connection, tenant_id: int, states: Sequence[AccountState], now: datetime, today: date
) -> None:
    """Stores the renewals of these accounts where they differ, and the risk of the local day where it changed."""
    wanted = {state.facts.account_id: state.renewals for state in states}
    stored, moved = _stored(conn, list(wanted))
    stale = {
        account: its
        for account, its in wanted.items()
        if account in moved or list(its) != stored.get(account, [])
    }
    if stale:
        _replace(conn, tenant_id, stale)
    # Also of accounts whose last renewal was decided: from then on there is no risk.
    judged = [state for state in states if state.risks or state.facts.account_id in stale]
    if judged:
        _keep(conn, tenant_id, judged, now, today)
        _keep_further(conn, tenant_id, judged, now)


def risks(conn: Connection, accounts: Sequence[int], local: LocalTime) -> dict[int, Told]:
    """What was told last of the renewals that were open."""
    found: dict[int, dict[tuple[str, datetime], Before]] = defaultdict(dict)
    for account, subscription, due_at, method, computed_at, costly in conn.execute(
        _TOLD, {"accounts": list(accounts)}
    ):
        reasons = {one.reason: one for one in _REASONS.decode(costly)}
        found[account][subscription, due_at] = Before(method, local.day_at(computed_at), reasons)
    return dict(found)


def _keep_further(conn: Connection, tenant_id: int, states: Sequence[AccountState], now: datetime) -> None:
    """The risk of all open renewals but the first, which few accounts have; that of the first is in the account's state."""
    conn.execute(_FORGET, {"accounts": [state.facts.account_id for state in states]})
    further = [
        {
            "account_id": state.facts.account_id,
            "subscription": risk.subscription,
            "due_at": risk.due_at,
            "probability": risk.probability,
            "risk": risk,
        }
        for state in states
        for risk in state.risks[1:]
    ]
    if further:
        parameters = {"tenant_id": tenant_id, "now": now, "risks": msgspec.json.encode(further).decode()}
        conn.execute(_FURTHER, parameters)


def _stored(conn: Connection, accounts: Sequence[int]) -> tuple[dict[int, list[Renewal]], set[int]]:
    """Renewals as they are stored, and accounts of which one was due in another segment, as is known now."""
    found: dict[int, list[Renewal]] = defaultdict(list)
    moved: set[int] = set()
    for account_id, same_segment, *columns in conn.execute(_STORED, {"accounts": accounts}):
        found[account_id].append(Renewal(*columns))
        if not same_segment:
            moved.add(account_id)
    return found, moved


def _replace(conn: Connection, tenant_id: int, renewals: dict[int, Sequence[Renewal]]) -> None:
    rows = [(account, one) for account, its in sorted(renewals.items()) for one in its]
    conn.execute(_DELETE, {"accounts": sorted(renewals)})
    parameters = {
        "tenant_id": tenant_id,
        "accounts": [account for account, _ in rows],
        "subscriptions": [one.subscription for _, one in rows],
        "due": [one.due_at for _, one in rows],
        "deadlines": [one.notice_deadline for _, one in rows],
        "mrr": [one.mrr for _, one in rows],
        "renewed": [one.renewed for _, one in rows],
        "sources": [one.source for _, one in rows],
    }
    conn.execute(_INSERT, parameters)


def _keep(
    conn: Connection, tenant_id: int, states: Sequence[AccountState], now: datetime, today: date
) -> None:
    risks = [state.risks[0] if state.risks else None for state in states]
    conn.execute(
        _KEEP,
        {
            "tenant_id": tenant_id,
            "today": today,
            "now": now,
            "accounts": [state.facts.account_id for state in states],
            "probabilities": [risk and risk.probability for risk in risks],
            "methods": [risk and risk.method for risk in risks],
            "versions": [risk and risk.version for risk in risks],
            "subscriptions": [risk and risk.subscription for risk in risks],
        },
    )


def outdate(conn: Connection, tenant_id: int, rates: BaseRates, model: InForce | None, now: datetime) -> int:
    """Makes the accounts due whose risk was judged by other rates, or by another model; returns how many."""
    parameters = {
        "tenant_id": tenant_id,
        "now": now,
        "segments": list(rates.by_segment),
        "rates": [one.rate for one in rates.by_segment.values()],
        "whole": rates.whole.rate,
        "least": _LEAST_MOVE,
        "method": "score" if model is None else "model",
        "version": None if model is None else model.version,
    }
    return conn.execute(_OUTDATED, parameters).rowcount


class Models:
    """The model in force by tenant, read again when it is old."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[datetime, InForce | None]] = {}

    def of(self, conn: Connection, tenant_id: int, now: datetime, *, anew: bool = False) -> InForce | None:
        known = self._kept.get(tenant_id)
        if known is None or anew or now >= known[0]:
            known = now + timedelta(seconds=_FRESH_SECONDS), in_force(conn, tenant_id)
            self._kept[tenant_id] = known
        return known[1]


class Rates:
    """Base rates by tenant, read again when they are old."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[RiskSettings, datetime, BaseRates]] = {}

    def of(
        self, conn: Connection, tenant_id: int, settings: RiskSettings, now: datetime, *, anew: bool = False
    ) -> BaseRates:
        known = self._kept.get(tenant_id)
        if not anew and known is not None and known[0] is settings and now < known[1]:
            return known[2]
        started = perf_counter()
        parameters = {"tenant_id": tenant_id, "now": now, "since": now - timedelta(days=settings.past_days)}
        past = {segment: (decided, lost) for segment, decided, lost in conn.execute(_PAST, parameters)}
        seconds = max(_FRESH_SECONDS, _LARGEST_SHARE * (perf_counter() - started))
        made = base_rates(past, settings)
        self._kept[tenant_id] = (settings, now + timedelta(seconds=seconds), made)
        return made
