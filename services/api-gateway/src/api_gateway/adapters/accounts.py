"""Accounts from the views of schema published, with the open case of each from schema alerts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from api_gateway.domain import health
from api_gateway.domain.accounts import AccountsQuery, storable
from api_gateway.domain.records import (
    AccountRow,
    Amended,
    CaseSummary,
    Standing,
    StoredEvent,
    SubscriptionRow,
)
from common.catalogue.health import HealthProfile
from common.contracts.bodies import unpack_bodies
from common.contracts.shown import event_of
from common.db.pool import Connection, Pool, borrow
from common.errors import NotFound
from common.figures.mrr import OVERDUE

# Unknown where it is paid in a currency without any rate; of who was never computed nothing is known to be paid.
_MRR = "case when a.computed_at is null then 0 else a.mrr end"
_COLUMNS = f"""
  a.account, a.account_id, a.traits, a.figures, {_MRR}, a.created_at, a.first_event_at, a.last_event_at,
  a.last_activity_at, a.computed_at,
  case when p.dirty_accounts = 0 then greatest(a.as_of, p.applied_at) else a.as_of end as as_of, a.health ->> 'profile'"""
# Nothing arrived for an account that is not waiting to be computed: it is as fresh as its partition.
_FROM = "from published.account a left join published.progress p on p.topic = %(topic)s and p.partition = a.partition"

# The open case of each account; its words are those of its gravest signal.
_CASE_COLUMNS = "c.id, c.severity, c.status, w.evidence, c.opened_at, c.paged_at is not null"
_CASE = """
  left join alerts.v_case c on c.tenant_id = a.tenant_id and c.account_id = a.account_id and c.status <> 'resolved'"""
_CASE_WORDS = """
  left join lateral (
    select string_agg(v.evidence, ' ' order by v.severity = 'critical' desc, v.severity = 'warning' desc, v.since_at) as evidence
    from alerts.v_alert v where v.case_id = c.id and v.state = 'firing'
  ) w on true"""

# A day that exists, from 1000 to 2999: PostgreSQL 15 can't be asked whether a text is a date without failing where it isn't.
_LEAP_YEAR = "(1[0-9]|2[0-9])(0[48]|[2468][048]|[13579][26])|(12|16|20|24|28)00"
_DATE = (
    "^([12][0-9]{3}-("
    "(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8])"
    f")|({_LEAP_YEAR})-02-29)$"
)
_STANDS = "a.traits -> 'closed' is distinct from 'true'::jsonb"


def _trait_date(name: str) -> str:
    """Days since 1970 of a trait that starts with an ISO date, of an account that isn't closed; anything else is unknown."""
    text = f"left(a.traits ->> '{name}', 10)"
    return f"case when {_STANDS} and {text} ~ '{_DATE}' then {text}::date - date '1970-01-01' end::numeric"


# Each order compares one exact number, so that a page can be continued from it; `name` compares the name alone.
# Risk: graver cases first, among equals the one open longest; then accounts without a case, those whose active use fell most first.
# Neither use, health nor dates rank an account that is closed: nothing of it is to come but what somebody has a case of.
_SORT_KEYS: Mapping[str, str] = {
    "risk": f"""case
        when c.id is not null then array_position(array['info', 'warning', 'critical'], c.severity) * 1e11 - extract(epoch from c.opened_at)
        when {_STANDS} and jsonb_typeof(a.figures -> 'login_trend') = 'number' then - (a.figures ->> 'login_trend')::numeric
      end::numeric""",
    # As it is shown: held down by a grave case where it would be healthy.
    "health": f"""case when {_STANDS} and jsonb_typeof(a.figures -> 'health') = 'number' then least((a.figures ->> 'health')::numeric,
        case when c.severity = 'critical' or c.paged_at is not null then
          (%(limits)s::jsonb -> (a.health ->> 'profile') ->> (a.figures ->> 'health_band'))::numeric end) end""",
    "renewal_risk": "case when jsonb_typeof(a.figures -> 'renewal_risk') = 'number' then (a.figures ->> 'renewal_risk')::numeric end",
    "mrr": _MRR,
    "renewal_at": _trait_date("renewal_at"),
    "notice_deadline": _trait_date("notice_deadline"),
    "last_activity_at": "extract(epoch from a.last_activity_at)::numeric",
}

# Of an account with much to say a chunk holds a page; where these do not, eight times as many are read.
FIRST_CHUNKS = 4
# Tells events of one instant apart, in one order for ever.
_TIE = "(chunk_id * 1000 + position)"
# How many of the newest chunks there are with events of an account, and since when they hold all of them: no other chunk ends later.
_CHUNKS_BACK_TO = """
  select count(*), case when count(*) < %(chunks)s then timestamptz '1900-01-01Z' else min(event_to) end from (
    select event_to from published.raw_chunk
    where tenant_id = %(tenant)s and accounts @> array[%(account)s::int8]
      and (%(at)s::timestamptz is null or event_from <= %(at)s) order by event_to desc limit %(chunks)s
  ) as newest"""

# As of when accounts are: not known while some wait to be computed.
_STANDING = """
select
  (select string_agg(partition || ':' || batch_no, ',' order by partition) from published.standing where tenant_id = %(tenant)s),
  (select md5(string_agg(concat_ws(' ', c.id, c.severity, c.status, c.opened_at, c.paged_at is not null, v.id, v.severity, v.since_at, v.evidence), '|' order by c.id, v.id))
   from alerts.v_case c left join alerts.v_alert v on v.case_id = c.id and v.state = 'firing'
   where c.tenant_id = %(tenant)s and c.status <> 'resolved'),
  case when sum(dirty_accounts) = 0 and count(*) = count(applied_at) then min(applied_at) end
from published.progress"""


class PostgresAccounts:
    """AccountReader on PostgreSQL. `topic` is the engine's events topic; `profiles` gives a tenant's health profiles by name."""

    def __init__(
        self, pool: Pool, topic: str, profiles: Callable[[int], Mapping[str, HealthProfile]]
    ) -> None:
        self._pool, self._topic, self._profiles = pool, topic, profiles

    def standing(self, tenant_id: int) -> Standing:
        with borrow(self._pool) as connection:
            row = connection.execute(_STANDING, {"tenant": tenant_id}).fetchone()
        assert row is not None
        return Standing(f"{row[0]} {row[1]}", row[2])

    def page(self, tenant_id: int, query: AccountsQuery) -> Sequence[AccountRow]:
        statement, parameters = _page_sql(tenant_id, query)
        profiles = self._profiles(tenant_id)
        parameters["topic"] = self._topic
        limits = {name: health.limits(its) for name, its in profiles.items()}
        parameters["limits"] = orjson.dumps(limits).decode()
        with borrow(self._pool) as connection:
            return [_row(row, profiles) for row in connection.execute(statement, parameters)]

    def one(self, tenant_id: int, account: str) -> AccountRow:
        statement = (
            f"select {_COLUMNS}, '', {_CASE_COLUMNS}, a.signals {_FROM} {_CASE} {_CASE_WORDS} "
            "where a.tenant_id = %(tenant)s and a.account = %(account)s"
        )
        profiles = self._profiles(tenant_id)
        with borrow(self._pool) as connection:
            row = connection.execute(
                statement, {"topic": self._topic, "tenant": tenant_id, "account": storable(account)}
            ).fetchone()
        if row is None:
            raise NotFound("account-unknown", "this tenant has no account of that id")
        return replace(_row(row, profiles), signals=row[-1] or {})

    def by_ids(self, tenant_id: int, account_ids: Sequence[int]) -> Sequence[AccountRow]:
        statement = (
            f"select {_COLUMNS}, '', c.id, c.severity, c.status, '', c.opened_at, c.paged_at is not null, a.signals {_FROM} {_CASE} "
            "where a.tenant_id = %(tenant)s and a.account_id = any(%(ids)s) order by a.account"
        )
        profiles = self._profiles(tenant_id)
        with borrow(self._pool) as connection:
            rows = connection.execute(
                statement, {"topic": self._topic, "tenant": tenant_id, "ids": list(account_ids)}
            )
            return [replace(_row(row, profiles), signals=row[-1] or {}) for row in rows]

    def names(self, tenant_id: int, account_ids: Sequence[int]) -> Sequence[str]:
        statement = "select account from published.account where tenant_id = %s and account_id = any(%s) order by account"
        with borrow(self._pool) as connection:
            return [name for (name,) in connection.execute(statement, (tenant_id, list(account_ids)))]

    def gone(self, tenant_id: int, account_ids: Sequence[int]) -> Sequence[str]:
        statement = "select account from published.gone_account where tenant_id = %s and account_id = any(%s) order by account"
        with borrow(self._pool) as connection:
            return [name for (name,) in connection.execute(statement, (tenant_id, list(account_ids)))]

    def events(
        self,
        tenant_id: int,
        account_id: int,
        limit: int,
        after: tuple[datetime, datetime, int] | None,
        types: Sequence[str],
    ) -> Sequence[StoredEvent]:
        """The newest first. An account's events lie in chunks, of which only the newest are read as long as they hold enough."""
        parameters: dict[str, Any] = {
            "tenant": tenant_id,
            "account": account_id,
            "limit": limit,
            "types": list(types),
        }
        wanted = [
            "tenant_id = %(tenant)s",
            "account_id = %(account)s" if account_id else "account_id is null",
            "chunk_accounts @> array[%(account)s::int8]",
            "event_at >= %(from)s and chunk_event_to >= %(from)s",
        ]
        if types:
            wanted.append("type = any(%(types)s)")
        if after is not None:
            parameters |= {"at": after[0], "ingested": after[1], "tie": after[2]}
            wanted.append(
                f"chunk_event_from <= %(at)s and (event_at, ingested_at, {_TIE}) < (%(at)s, %(ingested)s, %(tie)s)"
            )
        statement = (
            f"select event_at, ingested_at, type, {_TIE} as tie, chunk_id, position from published.raw_event "
            f"where {' and '.join(wanted)} order by event_at desc, ingested_at desc, tie desc limit %(limit)s"
        )
        chunks = FIRST_CHUNKS
        with borrow(self._pool) as connection:
            while True:
                row = connection.execute(
                    _CHUNKS_BACK_TO, {"at": None, **parameters, "chunks": chunks}
                ).fetchone()
                found, parameters["from"] = row if row is not None else (0, None)
                rows = connection.execute(statement, parameters).fetchall() if found else []
                if len(rows) >= limit or found < chunks:
                    return _with_amendments(
                        connection, tenant_id, account_id, _with_bodies(connection, tenant_id, rows)
                    )
                chunks *= 8

    def subscriptions(self, tenant_id: int, account_id: int) -> Sequence[SubscriptionRow]:
        parameters = {"tenant": tenant_id, "account": account_id, "overdue": OVERDUE}
        with borrow(self._pool) as connection:
            return [SubscriptionRow(*row) for row in connection.execute(_SUBSCRIPTIONS, parameters)]


# What was said last of each: what a change doesn't name stays as it was known, and a notice that a renewal withdrew is none, as in
# figures (common.figures.terms, .mrr).
_SUBSCRIPTIONS = """
with change as (
  select *, row_number() over (partition by subscription order by effective_at, event_at, source collate "C", event_id collate "C") as n,
         kind <> 'changed' or term_end is not null as names_term
  from published.subscription_change n where tenant_id = %(tenant)s and account_id = %(account)s
    and not (kind = 'cancelled' and exists (
      select from published.subscription_change w
      where w.tenant_id = n.tenant_id and w.account_id = n.account_id and w.subscription = n.subscription
        and w.kind in ('started', 'renewed') and w.event_at < n.effective_at and w.effective_at <= n.effective_at + %(overdue)s
        and (w.event_at, w.source collate "C", w.event_id collate "C") > (n.event_at, n.source collate "C", n.event_id collate "C")))
)
select distinct on (subscription) subscription, kind, effective_at, mrr,
  (select b.currency from change b where b.subscription = c.subscription and b.currency is not null order by b.n desc limit 1),
  (select b.product from change b where b.subscription = c.subscription and b.product is not null order by b.n desc limit 1),
  (select b.term_end from change b where b.subscription = c.subscription and b.names_term order by b.n desc limit 1),
  (select b.notice_deadline from change b
   where b.subscription = c.subscription and (b.names_term or b.notice_deadline is not null) order by b.n desc limit 1),
  reason,
  (select b.seats from change b where b.subscription = c.subscription and b.seats is not null order by b.n desc limit 1)
from change c order by subscription, n desc limit 200
"""
# Of an event that was amended more than once, the way it came first.
_AMENDMENTS = """
select distinct on (source, event_id) source, event_id, max(superseded_at) over w, first_value(reason) over w, body
from published.superseded_event
where tenant_id = %(tenant)s and account_id = %(account)s and kind = 'amendment'
window w as (partition by source, event_id order by superseded_at desc rows between unbounded preceding and unbounded following)
order by source, event_id, superseded_at
"""


def _with_amendments(
    connection: Connection, tenant_id: int, account_id: int, found: list[StoredEvent]
) -> list[StoredEvent]:
    """Say of events that are not as they came, how they came."""
    rows = connection.execute(_AMENDMENTS, {"tenant": tenant_id, "account": account_id}).fetchall()
    if not rows:
        return found
    amended = {(source, event_id): Amended(at, reason, body) for source, event_id, at, reason, body in rows}
    told: list[StoredEvent] = []
    for event in found:
        who = event_of(event.body)
        told.append(replace(event, amended=amended.get((who.get("source"), who.get("id")))))
    return told


def _with_bodies(
    connection: Connection, tenant_id: int, rows: Sequence[tuple[Any, ...]]
) -> list[StoredEvent]:
    chunks = sorted({row[4] for row in rows})
    statement = "select chunk_id, bodies from published.raw_chunk where tenant_id = %s and chunk_id = any(%s)"
    packed = connection.execute(statement, (tenant_id, chunks), binary=True)
    bodies = {chunk_id: unpack_bodies(lines) for chunk_id, lines in packed}
    return [
        StoredEvent(at, ingested_at, kind, bodies[chunk_id][position - 1].decode(), tie)
        for at, ingested_at, kind, tie, chunk_id, position in rows
    ]


def _page_sql(tenant_id: int, query: AccountsQuery) -> tuple[str, dict[str, Any]]:
    parameters: dict[str, Any] = {"tenant": tenant_id, "limit": query.limit + 1}
    key, order, after = _order(query)
    wanted = ["a.tenant_id = %(tenant)s", *_conditions(query, parameters)]
    if query.after is not None:
        parameters |= {"after_key": query.after[0], "after_name": query.after[1]}
    # The rows of the page are found by what orders them alone, and looked up whole afterwards: sorting them whole takes five times as long.
    inner = f"""
      select a.account_id, a.account, {key} as sort_key, c.id as case_id, c.severity, c.status, c.opened_at, c.paged_at from published.account a {_CASE} where {" and ".join(wanted)}"""
    statement = f"""
      select {_COLUMNS}, f.sort_key::text, f.case_id, f.severity, f.status, w.evidence, f.opened_at, f.paged_at is not null
      from (select * from ({inner}) f {f"where {after}" if query.after else ""} order by {order} limit %(limit)s) f
      join published.account a on a.account_id = f.account_id
      left join published.progress p on p.topic = %(topic)s and p.partition = a.partition
      left join lateral (
        select string_agg(v.evidence, ' ' order by v.severity = 'critical' desc, v.severity = 'warning' desc, v.since_at) as evidence
        from alerts.v_alert v where v.case_id = f.case_id and v.state = 'firing'
      ) w on true
      order by {order}"""
    return statement, parameters


def _order(query: AccountsQuery) -> tuple[str, str, str]:
    """The key's expression, the order by it, and the condition of rows after the last one seen. Nulls are last in both directions."""
    if query.sort == "name":
        direction, beyond = ("desc", "<") if query.descending else ("asc", ">")
        return (
            "0::numeric",
            f'f.account collate "C" {direction}',
            f'f.account collate "C" {beyond} %(after_name)s',
        )
    key = _SORT_KEYS[query.sort]
    signed = f"coalesce({f'-({key})' if query.descending else key}, 'Infinity'::numeric)"
    return (
        signed,
        'f.sort_key, f.account collate "C"',
        '(f.sort_key, f.account collate "C") > (%(after_key)s::numeric, %(after_name)s)',
    )


def _conditions(query: AccountsQuery, parameters: dict[str, Any]) -> list[str]:
    wanted = []
    for number, (name, values) in enumerate(sorted(query.traits.items())):
        parameters |= {f"trait_{number}": name, f"values_{number}": list(values)}
        wanted.append(f"a.traits ->> %(trait_{number})s::text = any(%(values_{number})s)")
    if query.search:
        parameters["search"] = query.search.lower()
        wanted.append(
            "(strpos(lower(a.account), %(search)s) > 0 or strpos(lower(a.traits ->> 'name'), %(search)s) > 0)"
        )
    if query.case is not None:
        wanted.append("c.id is not null" if query.case == "open" else "c.id is null")
    return wanted


def _row(row: tuple[Any, ...], profiles: Mapping[str, HealthProfile]) -> AccountRow:
    case = (
        None if row[13] is None else CaseSummary(row[13], row[14], row[15], row[16] or "", row[17], row[18])
    )
    found = AccountRow(
        id=row[0],
        account_id=row[1],
        traits=row[2] or {},
        figures=row[3] or {},
        mrr=None if row[4] is None else Decimal(row[4]),
        created_at=row[5],
        first_event_at=row[6],
        last_event_at=row[7],
        last_activity_at=row[8],
        computed_at=row[9],
        as_of=row[10],
        sort_key=row[12],
        case=case,
    )
    return health.held_in_list(found, profiles.get(row[11]))
