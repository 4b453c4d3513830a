"""Subscription changes, and the recurring revenue that follows from them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from common.figures.mrr import (
    Change,
    Step,
    committed_functions,
    next_effect_at,
    notices,
    seat_steps,
    step_functions,
    value_before,
)
from common.figures.terms import Convert, dues
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.domain.buckets import instant
from kpi_engine.domain.facts import SubscriptionChange
from kpi_engine.domain.facts_moved import FactsMoved, Functions
from kpi_engine.domain.plan import Plan
from kpi_engine.ports.connection import Connection
from kpi_engine.ports.state import Revenue

_INSERT = """
insert into engine.subscription_change (tenant_id, account_id, subscription, effective_at, event_at, source, event_id, kind,
  mrr, currency, product, term_end, notice_deadline, reason, seats, effective_on, term_end_on, notice_on, zone)
select %(tenant_id)s, t.* from unnest(%(accounts)s::int8[], %(subscriptions)s::text[], %(effective)s::timestamptz[],
  %(at)s::timestamptz[], %(sources)s::text[], %(ids)s::text[], %(kinds)s::text[], %(mrr)s::numeric[],
  %(currencies)s::text[], %(products)s::text[], %(term_ends)s::timestamptz[], %(deadlines)s::timestamptz[],
  %(reasons)s::text[], %(seats)s::numeric[], %(effective_on)s::date[], %(term_ends_on)s::date[], %(notices_on)s::date[],
  %(zones)s::text[]) as t
on conflict do nothing
"""
_OF_OTHER_ZONES = """
select account_id, source, event_id, effective_on, term_end_on, notice_on from engine.subscription_change
where account_id = any(%(accounts)s) and zone <> %(zone)s
"""
_MOVE_DATES = """
update engine.subscription_change c set zone = %(zone)s, effective_at = coalesce(d.effective_at, c.effective_at),
  term_end = coalesce(d.term_end, c.term_end), notice_deadline = coalesce(d.notice_deadline, c.notice_deadline)
from unnest(%(of)s::int8[], %(sources)s::text[], %(ids)s::text[], %(effective)s::timestamptz[], %(term_ends)s::timestamptz[],
  %(deadlines)s::timestamptz[]) as d(account, source, id, effective_at, term_end, notice_deadline)
where c.account_id = d.account and c.source = d.source and c.event_id = d.id
"""
_DELETE = """
delete from engine.subscription_change c using unnest(%(accounts)s::int8[], %(sources)s::text[], %(ids)s::text[]) as d(account, source, id)
where c.account_id = d.account and c.source = d.source and c.event_id = d.id
"""
_DELETE_STEPS_OF_NOTHING = """
delete from engine.mrr_change m where m.account_id = any(%(accounts)s)
  and not exists (select from engine.subscription_change c where c.account_id = m.account_id)
"""
_SELECT_CHANGES = """
select account_id, subscription, effective_at, event_at, source, event_id, kind, mrr, term_end, currency, product, notice_deadline, seats
from engine.subscription_change where account_id = any(%(accounts)s)
"""
_SELECT_STEPS = """
select account_id, currency, at, delta from engine.mrr_change where account_id = any(%(accounts)s) order by at
"""
_DELETE_STEPS = "delete from engine.mrr_change where account_id = any(%(accounts)s)"
_INSERT_STEPS = """
insert into engine.mrr_change (tenant_id, account_id, currency, at, delta)
select %(tenant_id)s, t.* from unnest(%(accounts)s::int8[], %(currencies)s::text[], %(at)s::timestamptz[],
  %(deltas)s::numeric[]) as t
"""
# The rate that holds on a day; before its first day a currency counts at its first rate, as figures have it.
_SELECT_RATES = """
select w.currency, w.day, r.rate from unnest(%(currencies)s::text[], %(days)s::date[]) as w(currency, day)
cross join lateral (
  select coalesce(
    (select b.rate from published.rate b where b.tenant_id = %(tenant_id)s and b.quote = %(home)s
       and b.currency = w.currency and b.day <= w.day order by b.day desc limit 1),
    (select f.rate from published.rate f where f.tenant_id = %(tenant_id)s and f.quote = %(home)s
       and f.currency = w.currency order by f.day limit 1)) as rate) as r
where r.rate is not null
"""

_YEAR, _QUARTER = timedelta(days=365), timedelta(days=90)
_TICK = timedelta(microseconds=1)


def add_changes(conn: Connection, batch: TenantBatch, changes: Sequence[SubscriptionChange]) -> set[int]:
    """Stores changes. Returns the accounts whose revenue has to be rebuilt."""
    if not changes:
        return set()
    at = [instant(int(batch.event_at_us[change.index])) for change in changes]
    zone = batch.catalogue.settings.timezone
    accounts = [int(batch.account_ids[change.index]) for change in changes]
    parameters = {
        "tenant_id": batch.tenant_id,
        "accounts": accounts,
        "subscriptions": [change.subscription for change in changes],
        "effective": [change.effective_at or event_at for change, event_at in zip(changes, at, strict=True)],
        "at": at,
        "sources": [batch.sources[change.index] for change in changes],
        "ids": [batch.ids[change.index] for change in changes],
        "kinds": [change.kind for change in changes],
        "mrr": [change.mrr for change in changes],
        "currencies": [change.currency for change in changes],
        "products": [change.product for change in changes],
        "term_ends": [change.term_end for change in changes],
        "deadlines": [change.notice_deadline for change in changes],
        "reasons": [change.reason for change in changes],
        "seats": [change.seats for change in changes],
        "effective_on": [change.effective_on for change in changes],
        "term_ends_on": [change.term_end_on for change in changes],
        "notices_on": [change.notice_on for change in changes],
        "zones": [
            zone if change.effective_on or change.term_end_on or change.notice_on else None
            for change in changes
        ],
    }
    conn.execute(_INSERT, parameters)
    return set(accounts)


def remove_changes(
    conn: Connection,
    batch: TenantBatch,
    changes: Sequence[SubscriptionChange],
    now: datetime,
    facts: FactsMoved | None = None,
) -> set[int]:
    """Deletes changes and rebuilds the revenue that followed from them. Returns the accounts. `facts` is told what moved."""
    if not changes:
        return set()
    indices = [change.index for change in changes]
    accounts = batch.account_ids[indices].tolist()
    parameters = {
        "accounts": accounts,
        "sources": [batch.sources[i] for i in indices],
        "ids": [batch.ids[i] for i in indices],
    }
    before = _stored(conn, set(accounts))
    conn.execute(_DELETE, parameters)
    conn.execute(_DELETE_STEPS_OF_NOTHING, parameters)
    rebuild(conn, batch.tenant_id, set(accounts), now)
    if facts is not None:
        after = _stored(conn, set(accounts))
        for account in set(accounts):
            facts.replaced(account, before.get(account, {}), after.get(account, {}))
    return set(accounts)


def rebuild(
    conn: Connection,
    tenant_id: int,
    accounts: Iterable[int],
    now: datetime,
    facts: FactsMoved | None = None,
) -> set[int]:
    """Brings the step functions of these accounts up to `now`; returns whose were rewritten. `facts` is told what moved."""
    return _rebuilt(conn, tenant_id, accounts, now, facts)[2]


def revenue_of(
    conn: Connection, tenant_id: int, plan: Plan, accounts: Iterable[int], now: datetime
) -> dict[int, Revenue]:
    """Of these accounts but those without a subscription, with their step functions brought up to `now`, and to the zone in force."""
    asked = list(accounts)
    _follow_zone(conn, plan, asked)
    changes, steps, _ = _rebuilt(conn, tenant_id, asked, now)
    home, today = plan.catalogue.settings.currency, plan.local.day_at(now - _TICK)
    wanted = {(name, today) for its in steps.values() for name in its}
    for its in changes.values():
        for name in {_currency(change) for change in its} - {home, ""}:
            wanted |= {(name, plan.local.day_at(one.term_end - _TICK)) for one in its if one.term_end}
    known = _rates(conn, tenant_id, home, wanted)
    rates = {home: Decimal(1), **{name: rate for (name, day), rate in known.items() if day == today}}

    def convert(amount: Decimal, currency: str | None, at: datetime) -> Decimal:
        """At the rates of the term's end, as figures; one for one without any."""
        if currency in (None, "", home):
            return amount
        return amount * known.get((currency, plan.local.day_at(at - _TICK)), Decimal(1))

    return {account: _revenue(its, steps[account], rates, convert, now) for account, its in changes.items()}


def _follow_zone(conn: Connection, plan: Plan, accounts: Sequence[int]) -> None:
    """Dates that were told without a time begin at midnight where the tenant is, also after that has changed."""
    zone, start_of = plan.catalogue.settings.timezone, plan.local.start_of
    rows = conn.execute(_OF_OTHER_ZONES, {"accounts": accounts, "zone": zone}).fetchall()
    if not rows:
        return
    of, sources, ids, *dates = zip(*rows, strict=True)
    effective, term_ends, deadlines = ([day and start_of(day) for day in column] for column in dates)
    parameters = {
        "zone": zone,
        "of": list(of),
        "sources": list(sources),
        "ids": list(ids),
        "effective": effective,
        "term_ends": term_ends,
        "deadlines": deadlines,
    }
    conn.execute(_MOVE_DATES, parameters)


def _rebuilt(
    conn: Connection,
    tenant_id: int,
    accounts: Iterable[int],
    now: datetime,
    facts: FactsMoved | None = None,
) -> tuple[Mapping[int, list[Change]], Mapping[int, Functions], set[int]]:
    """Changes and step functions by account, and whose steps were rewritten."""
    wanted = sorted(accounts)
    changes: dict[int, list[Change]] = defaultdict(list)
    for account_id, *columns in conn.execute(_SELECT_CHANGES, {"accounts": wanted}):
        changes[account_id].append(Change(*columns))
    if not changes:
        return {}, {}, set()
    steps = {account: step_functions(its, now, _currency) for account, its in changes.items()}
    stored = _stored(conn, steps)
    stale = sorted(account for account, its in steps.items() if stored.get(account, {}) != its)
    if facts is not None:
        for account in stale:
            facts.replaced(account, stored.get(account, {}), steps[account])
    _replace(conn, tenant_id, {account: steps[account] for account in stale})
    return changes, steps, set(stale)


def _revenue(
    changes: Sequence[Change], steps: Functions, rates: Mapping[str, Decimal], convert: Convert, now: datetime
) -> Revenue:
    mrr = _worth(steps, rates, now)
    committed = _worth(committed_functions(changes, now, _currency), rates, now)
    given = [change.event_at for change in notices(changes, now)]
    return Revenue(
        mrr=mrr,
        next_at=next_effect_at(changes, now),
        year_ago=_worth(steps, rates, now - _YEAR),
        first_at=min(change.effective_at for change in changes),
        quarter_ago=_worth(steps, rates, now - _QUARTER),
        under_notice=None if mrr is None or committed is None else mrr - committed if given else Decimal(0),
        notice_at=min(given, default=None),
        terms=tuple(dues(changes, now, convert)),
        unrated=frozenset({change.currency for change in changes if change.currency} - rates.keys()),
        seats=tuple(seat_steps(changes, now)),
    )


def _currency(change: Change) -> str:
    """Every subscription was started or changed in one; a cancellation of something unknown is worth nothing in any."""
    return change.currency or ""


def _rates(
    conn: Connection, tenant_id: int, home: str, wanted: set[tuple[str, date]]
) -> dict[tuple[str, date], Decimal]:
    """Of every currency but the tenant's own that has a rate into it, on each day."""
    foreign = sorted((name, day) for name, day in wanted if name and name != home)
    if not foreign:
        return {}
    parameters = {
        "tenant_id": tenant_id,
        "home": home,
        "currencies": [name for name, _ in foreign],
        "days": [day for _, day in foreign],
    }
    return {(name, day): rate for name, day, rate in conn.execute(_SELECT_RATES, parameters)}


def _worth(functions: Functions, rates: Mapping[str, Decimal], now: datetime) -> Decimal | None:
    """In the tenant's currency; None where something is paid in a currency without any rate, as in figures. Discounts that are
    subscriptions of their own take off no more than there is."""
    total = Decimal(0)
    for name, steps in functions.items():
        amount = value_before(steps, now)
        if amount and name not in rates:
            return None
        total += amount * rates.get(name, Decimal(0))
    return max(total, Decimal(0))


def _stored(conn: Connection, accounts: Iterable[int]) -> dict[int, dict[str, list[Step]]]:
    found: dict[int, dict[str, list[Step]]] = defaultdict(lambda: defaultdict(list))
    for account_id, currency, at, delta in conn.execute(_SELECT_STEPS, {"accounts": list(accounts)}):
        found[account_id][currency].append((at, delta))
    return found


def _replace(conn: Connection, tenant_id: int, steps: Mapping[int, Functions]) -> None:
    if not steps:
        return
    conn.execute(_DELETE_STEPS, {"accounts": list(steps)})
    rows = [
        (account, currency, at, delta)
        for account, functions in steps.items()
        for currency, its in functions.items()
        for at, delta in its
    ]
    parameters = {
        "tenant_id": tenant_id,
        "accounts": [account for account, _, _, _ in rows],
        "currencies": [currency for _, currency, _, _ in rows],
        "at": [at for _, _, at, _ in rows],
        "deltas": [delta for _, _, _, delta in rows],
    }
    conn.execute(_INSERT_STEPS, parameters)
