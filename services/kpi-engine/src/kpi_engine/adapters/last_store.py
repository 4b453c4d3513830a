"""The last value of a field per account and local day."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from kpi_engine.domain.buckets import day_number
from kpi_engine.ports.connection import Connection

_UPSERT = """
insert into engine.last_value as kept (tenant_id, measure_id, account_id, day, event_at, source, event_id, value)
select %(tenant_id)s, %(measure_id)s, t.* from unnest(%(accounts)s::int8[], %(days)s::date[], %(at)s::timestamptz[],
  %(sources)s::text[], %(ids)s::text[], %(values)s::numeric[]) as t
on conflict (measure_id, account_id, day) do update
set event_at = excluded.event_at, source = excluded.source, event_id = excluded.event_id, value = excluded.value
where (excluded.event_at, excluded.source collate "C", excluded.event_id collate "C")
  > (kept.event_at, kept.source collate "C", kept.event_id collate "C")
"""
_KNOWN = """
select t.account_id, t.day, v.value from unnest(%(accounts)s::int8[], %(days)s::date[]) as t(account_id, day)
left join engine.last_value v on v.measure_id = %(measure_id)s and v.account_id = t.account_id and v.day = t.day
"""
_DELETE = """
delete from engine.last_value where measure_id = %(measure_id)s and account_id = %(account_id)s and day = any(%(days)s)
"""


@dataclass(frozen=True, slots=True)
class LastValue:
    account_id: int
    day: date
    at: datetime
    source: str
    id: str
    value: Decimal


def offer(conn: Connection, tenant_id: int, measure_id: int, values: Iterable[LastValue]) -> None:
    """Of each account's day, the value that is last in (time, source, id) stays."""
    best: dict[tuple[int, date], LastValue] = {}
    for value in values:
        key = (value.account_id, value.day)
        held = best.get(key)
        if held is None or (held.at, held.source, held.id) < (value.at, value.source, value.id):
            best[key] = value
    if not best:
        return
    rows = [best[key] for key in sorted(best)]
    parameters = {
        "tenant_id": tenant_id,
        "measure_id": measure_id,
        "accounts": [row.account_id for row in rows],
        "days": [row.day for row in rows],
        "at": [row.at for row in rows],
        "sources": [row.source for row in rows],
        "ids": [row.id for row in rows],
        "values": [row.value for row in rows],
    }
    conn.execute(_UPSERT, parameters)


def known(
    conn: Connection, measure_id: int, days: Iterable[tuple[int, date]]
) -> dict[tuple[int, int], Decimal | None]:
    """The value of each (account, day), by account and number of the day; None where there is none."""
    wanted = sorted(set(days))
    if not wanted:
        return {}
    parameters = {
        "measure_id": measure_id,
        "accounts": [account_id for account_id, _ in wanted],
        "days": [day for _, day in wanted],
    }
    rows = conn.execute(_KNOWN, parameters)
    return {(account_id, day_number(day)): value for account_id, day, value in rows}


def withdraw(conn: Connection, measure_id: int, account_id: int, days: Iterable[date]) -> None:
    conn.execute(_DELETE, {"measure_id": measure_id, "account_id": account_id, "days": list(days)})
