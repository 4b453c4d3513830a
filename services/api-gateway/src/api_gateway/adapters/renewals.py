"""Renewals and their risk from the views of schema published."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from api_gateway.domain.renewals import Group, Grouping, RenewalRow, RenewalsQuery, RiskDay, Trained
from common.db.pool import Pool, borrow

_KEYS: Mapping[str, str] = {
    "at_risk": "r.at_risk",
    "deadline": "extract(epoch from r.decide_by)",
    "probability": "r.probability",
    "mrr": "r.mrr",
}
_COLUMNS = [field.name for field in fields(RenewalRow)][2:]
_DUE_KEY = "(extract(epoch from r.due_at) * 1000000)::numeric(30)"
_FROM = "from published.renewal_risk r join published.account a on a.tenant_id = r.tenant_id and a.account_id = r.account_id"
# The engine marks what a correction overtakes, for itself.
_RISK = "select risk - 'corrected' from published.account_risk where tenant_id = %s and account_id = %s"
_HISTORY = """
select day, probability::float8, method, version from published.risk_day
where tenant_id = %s and account_id = %s order by day desc limit %s
"""
_MODEL = """
select version, made_at, accepted, training, known from published.risk_model where tenant_id = %s order by version desc limit 1
"""
_OF = """
select n.subscription, n.due_at, n.notice_deadline, coalesce(n.notice_deadline, n.due_at), n.mrr, n.renewed, n.source,
  r.probability::float8, r.at_risk, r.now_counts, r.reasons
from published.renewal n
left join published.renewal_risk r using (tenant_id, account_id, subscription, due_at)
where n.tenant_id = %s and n.account_id = %s order by n.due_at desc, n.subscription
"""
_OF_NAMES = (
    "subscription", "due_at", "notice_deadline", "decide_by", "mrr", "renewed", "source", "probability", "at_risk", "now_counts", "reasons",
)  # fmt: skip
_SETTLING = "select exists (select from published.settling where tenant_id = %s)"


class PostgresRenewals:
    """RenewalReader on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def page(self, tenant_id: int, query: RenewalsQuery) -> Sequence[RenewalRow]:
        wanted, parameters = _conditions(tenant_id, query)
        key = _KEYS[query.sort]
        signed = f"coalesce({f'-({key})' if query.descending else key}, 'Infinity'::numeric)"
        after = ""
        if query.after is not None:
            after = """where (sort_key, account collate "C", subscription collate "C", due_key)
              > (%(key)s::numeric, %(account)s, %(subscription)s, %(due)s::numeric)"""
            parameters |= {
                "key": query.after.key,
                "account": query.after.account,
                "subscription": query.after.subscription,
                "due": query.after.due,
            }
        # Traits and reasons, which are long, are read for the rows of the page alone.
        statement = f"""
          select f.account, s.traits, f.subscription, f.due_at, r.notice_deadline, r.decide_by, r.source, r.mrr,
            r.probability::float8, r.at_risk, r.now_counts, r.method, r.version, r.reasons, r.computed_at, f.sort_key::text, f.due_key::text
          from (
            select * from (
              select a.account, r.tenant_id, r.account_id, r.subscription, r.due_at, {signed}::numeric as sort_key, {_DUE_KEY} as due_key
              {_FROM} where {wanted}
            ) k {after}
            order by sort_key, account collate "C", subscription collate "C", due_key limit %(limit)s
          ) f
          join published.renewal_risk r using (tenant_id, account_id, subscription, due_at)
          join published.account_state s using (tenant_id, account_id)
          order by f.sort_key, f.account collate "C", f.subscription collate "C", f.due_key"""
        parameters["limit"] = query.limit + 1
        with borrow(self._pool) as connection:
            return [_row(row) for row in connection.execute(statement, parameters)]

    def groups(self, tenant_id: int, query: RenewalsQuery, by: Grouping) -> Sequence[Group]:
        wanted, parameters = _conditions(tenant_id, query)
        if by.by == "quarter":
            parameters |= {"group_zone": by.zone, "shift": by.fiscal_start_month - 1}
            shift = "make_interval(months => %(shift)s)"
            group = f"(date_trunc('quarter', (r.decide_by at time zone %(group_zone)s) - {shift}) + {shift})::date::text"
        else:
            parameters["group"] = by.by
            group = "a.traits ->> %(group)s::text"
        statement = f"""
          select {group} as name, count(*), count(distinct r.account_id), coalesce(sum(r.mrr), 0), coalesce(sum(r.at_risk), 0),
            count(*) filter (where r.at_risk is null)
          {_FROM} where {wanted} group by 1 order by 1 nulls last"""
        with borrow(self._pool) as connection:
            return [Group(*row) for row in connection.execute(statement, parameters)]

    def risk(self, tenant_id: int, account_id: int) -> Mapping[str, Any] | None:
        with borrow(self._pool) as connection:
            row = connection.execute(_RISK, (tenant_id, account_id)).fetchone()
        return None if row is None else row[0]

    def history(self, tenant_id: int, account_id: int, limit: int) -> Sequence[RiskDay]:
        with borrow(self._pool) as connection:
            return [RiskDay(*row) for row in connection.execute(_HISTORY, (tenant_id, account_id, limit))]

    def model(self, tenant_id: int) -> Trained | None:
        with borrow(self._pool) as connection:
            row = connection.execute(_MODEL, (tenant_id,)).fetchone()
        return None if row is None else Trained(*row)

    def is_settling(self, tenant_id: int) -> bool:
        with borrow(self._pool) as connection:
            row = connection.execute(_SETTLING, (tenant_id,)).fetchone()
        return bool(row and row[0])

    def of(self, tenant_id: int, account_id: int) -> Sequence[Mapping[str, Any]]:
        with borrow(self._pool) as connection:
            rows = connection.execute(_OF, (tenant_id, account_id)).fetchall()
        return [dict(zip(_OF_NAMES, row, strict=True)) for row in rows]


def _conditions(tenant_id: int, query: RenewalsQuery) -> tuple[str, dict[str, Any]]:
    parameters: dict[str, Any] = {"tenant": tenant_id, "zone": query.zone}
    wanted = ["r.tenant_id = %(tenant)s"]
    for number, (name, values) in enumerate(sorted(query.traits.items())):
        parameters |= {f"trait_{number}": name, f"values_{number}": list(values)}
        wanted.append(f"a.traits ->> %(trait_{number})s::text = any(%(values_{number})s)")
    for field, day, compared in (("first", query.first, ">="), ("last", query.last, "<")):
        if day is not None:
            parameters[field] = day
            wanted.append(f"(r.decide_by at time zone %(zone)s)::date {compared} %({field})s")
    return " and ".join(wanted), parameters


def _row(row: tuple[Any, ...]) -> RenewalRow:
    account, traits, *told = row
    columns = dict(zip(_COLUMNS, told, strict=True))
    return RenewalRow(
        **{**columns, "id": account, "traits": traits or {}, "reasons": columns["reasons"] or []}
    )
