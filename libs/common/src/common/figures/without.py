"""Figures as if some events had never come: what these said is left out of the facts that a statement reads."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import psycopg

from common.figures.mrr import Change, step_functions

Said = tuple[int, str, str]
"""An event by account id (0: the company's own), source and id."""
Begun = Mapping[int, dt.datetime | None]
"""When accounts are heard of first; None: never."""


class InseparableError(Exception):
    """What the figure reads keeps no trace of single events: what it would be without some of them can't be told."""


@dataclass(frozen=True)
class Without:
    """Events that are left out, and what else would be another one without them.

    `payers`: accounts whose recurring revenue would be `revenue`, as (account id, currency, instant, change). `insiders` and
    `outsiders`: people who would be internal, and who would not. `begun`: accounts that would be heard of first at another instant
    (None: never); None where that isn't known, as the first events of accounts are kept without their ids.
    """

    events: Sequence[Said]
    payers: Sequence[int] = ()
    revenue: Sequence[tuple[int, str, dt.datetime, Decimal]] = ()
    insiders: Sequence[int] = ()
    outsiders: Sequence[int] = ()
    begun: Begun | None = None

    @cached_property
    def params(self) -> Mapping[str, Any]:
        """What narrowed statements need besides their own parameters."""
        accounts, sources, ids = _columns(self.events, 3)
        payers, currencies, instants, deltas = _columns(self.revenue, 4)
        begun = self.begun or {}
        return {
            "without_accounts": accounts, "without_sources": sources, "without_ids": ids,
            "without_payers": list(self.payers), "instead_payers": payers, "instead_currencies": currencies,
            "instead_at": instants, "instead_deltas": deltas,
            "without_insiders": list(self.insiders), "without_outsiders": list(self.outsiders),
            "without_begun": list(begun), "instead_begun": list(begun.values()),
        }  # fmt: skip

    def narrowed(self, statement: str) -> str:
        """The statement over the facts that are left.

        Raises InseparableError where it reads what these events can't be taken out of.
        """
        tables = dict.fromkeys(_TABLE.findall(statement))
        for table in tables:
            if (table not in _LEFT and table not in _AS_IT_IS) or (table == _SEEN and self.begun is None):
                raise InseparableError(table)
        narrowed = [table for table in tables if table in _LEFT]
        if not narrowed:
            return statement
        replaced = _TABLE.sub(
            lambda found: f"left_{found[1]}" if found[1] in _LEFT else found[0], statement
        ).lstrip()
        left = ", ".join(f"left_{table} as ({_LEFT[table]})" for table in narrowed)
        return f"with {left}, {replaced[5:]}" if replaced.startswith("with ") else f"with {left} {replaced}"


def narrowed(
    without: Without | None, statement: str, params: Mapping[str, Any]
) -> tuple[str, Mapping[str, Any]]:
    """A statement with its parameters, over the facts that are left where events are left out."""
    if without is None:
        return statement, params
    return without.narrowed(statement), {**without.params, **params}


def without(
    conn: psycopg.Connection[Any],
    tenant_id: int,
    events: Iterable[Said],
    now: dt.datetime,
    *,
    touched: Iterable[Said] = (),
    begun: Begun | None = None,
) -> Without:
    """A tenant's facts without `events`, where the accounts whose subscriptions these or `touched` are about have lapsed as of `now`.

    What a subscription is worth follows from the clock too: two answers are compared only where both went by the same one.
    """
    left_out = sorted(set(events))
    only, payers_of = Without(left_out), Without(sorted({*left_out, *touched}))
    payers = [account for (account,) in _read(conn, _PAYERS, tenant_id, payers_of)]
    changes: dict[int, list[Change]] = defaultdict(list)
    for account, *columns in _read(conn, only.narrowed(_CHANGES), tenant_id, only, payers=payers):
        changes[account].append(Change(*columns))
    revenue = [
        (account, currency, at, delta)
        for account, its in changes.items()
        for currency, steps in step_functions(its, now, lambda change: change.currency or "").items()
        for at, delta in steps
    ]
    marked = dict(_read(conn, _MARKED, tenant_id, only))
    latest = dict(_read(conn, only.narrowed(_LATEST_MARKS), tenant_id, only, people=list(marked)))
    insiders = [person for person, is_one in marked.items() if not is_one and latest.get(person, False)]
    outsiders = [person for person, is_one in marked.items() if is_one and not latest.get(person, False)]
    return Without(left_out, payers, revenue, insiders, outsiders, begun)


def _read(
    conn: psycopg.Connection[Any], statement: str, tenant_id: int, known: Without, **more: Any
) -> list[tuple[Any, ...]]:
    return conn.execute(statement, {"tenant": tenant_id, **known.params, **more}, prepare=False).fetchall()


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [[row[i] for row in rows] for i in range(width)]


_SEEN = "account_seen"
_TABLE = re.compile(r"\bpublished\.([a-z_]+)")
# What doesn't follow from events of customers, or has nothing to do with what they did.
_AS_IT_IS = frozenset(("account", "rate", "measure", "definition", "progress"))
_SAID_BY = (
    "select from unnest(%(without_accounts)s::bigint[], %(without_sources)s::text[], %(without_ids)s::text[]) as w(account, source, id) "
    "where w.account = k.account_id and w.source = k.source and w.id = k.event_id"
)
_LEFT: Mapping[str, str] = {
    **{
        table: f"select k.* from published.{table} k where not exists ({_SAID_BY})"
        for table in ("step", "answer", "subscription_change", "trait")
    },
    "mrr_change": """
select k.tenant_id, k.account_id, k.currency, k.at, k.delta from published.mrr_change k
where k.tenant_id = %(tenant)s and k.account_id <> all(%(without_payers)s::bigint[])
union all select %(tenant)s::int, r.* from unnest(%(instead_payers)s::bigint[], %(instead_currencies)s::text[], %(instead_at)s::timestamptz[],
  %(instead_deltas)s::numeric[]) as r(account_id, currency, at, delta)""",
    _SEEN: """
select k.tenant_id, k.account_id, k.first_event_at from published.account_seen k
where k.tenant_id = %(tenant)s and k.account_id <> all(%(without_begun)s::bigint[])
union all select %(tenant)s::int, r.* from unnest(%(without_begun)s::bigint[], %(instead_begun)s::timestamptz[]) as r(account_id, first_event_at)
where r.first_event_at is not null""",
    "person": """
select k.tenant_id, k.account_id, k.person_id, k.person, k.person_id = any(%(without_insiders)s::bigint[])
  or k.is_internal and k.person_id <> all(%(without_outsiders)s::bigint[]) as is_internal from published.person k""",
}
_PAYERS = f"select distinct k.account_id from published.subscription_change k where k.tenant_id = %(tenant)s and exists ({_SAID_BY})"
_CHANGES = """
select account_id, subscription, effective_at, event_at, source, event_id, kind, mrr, term_end, currency, product, notice_deadline, seats
from published.subscription_change where tenant_id = %(tenant)s and account_id = any(%(payers)s)
"""
_MARKED = f"""
select p.person_id, p.is_internal from published.person p where p.tenant_id = %(tenant)s and p.person_id in (
  select k.person_id from published.trait k where k.tenant_id = %(tenant)s and k.person_id > 0 and k.name = 'is_internal' and exists ({_SAID_BY}))
"""
# Without any mark nobody is internal.
_LATEST_MARKS = """
select distinct on (person_id) person_id, value = 'true'::jsonb from published.trait
where tenant_id = %(tenant)s and person_id = any(%(people)s) and name = 'is_internal'
order by person_id, at desc, source collate "C" desc, event_id collate "C" desc
"""
