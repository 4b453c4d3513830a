"""Looks at the edges of the tree in PostgreSQL."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

from api_gateway.domain.lasting import Missing, PastLook
from api_gateway.ports.edge_book import Looked, Segment, Stop
from common.catalogue import store
from common.catalogue.models import Catalogue
from common.db.pool import Connection

# Keeps our advisory lock apart from those of others in the same database.
_LOCK = 0x65_64_67_65_73
# Twice as long as any rule looks back.
_KEPT = timedelta(days=732)

_TENANTS = """
select p.tenant_id, d.body -> 'settings' ->> 'timezone'
from published.definition p join control.definition d on d.tenant_id = p.tenant_id and d.version = p.version
where p.served and not exists (select from published.settling s where s.tenant_id = p.tenant_id)
order by p.tenant_id
"""
_FAULTS = """
select types, since, coalesce(until, %(now)s) from published.tracking_spell
where tenant_id = %(tenant)s and (until is null or until > %(since)s)
"""
_EDGE = "tenant_id = %(tenant)s and edge = %(edge)s"
_HAS = f"""
select exists (select from control.edge_look where {_EDGE} and through = %(through)s and segment is null and meaning = %(meaning)s)
"""
_FORGET = "delete from control.edge_{} where tenant_id = %(tenant)s and edge <> all(%(edges)s)"
_OTHERWISE = f"delete from control.edge_look where {_EDGE} and meaning <> %(meaning)s"
_NO_STOP = f"delete from control.edge_stop where {_EDGE} and holds_again_at is null"
_OLD = f"delete from control.edge_look where {_EDGE} and through < %(oldest)s"
_KEEP = """
insert into control.edge_look (tenant_id, edge, segment, through, meaning, catalogue_version, looked_at, state, accounts,
  lead, lead_low, lead_high, correlation, low, high)
values (%(tenant)s, %(edge)s, %(segment)s, %(through)s, %(meaning)s, %(version)s, %(at)s, %(state)s, %(accounts)s,
  %(lead)s, %(lead_low)s, %(lead_high)s, %(correlation)s, %(low)s, %(high)s)
"""
_PAST = f"""
select segment, through, state from control.edge_look where {_EDGE} and through <= %(through)s and meaning = %(meaning)s order by through
"""
_STOPPED = f"select segment from control.edge_stop where {_EDGE} and holds_again_at is null"
_STOP = """
insert into control.edge_stop (tenant_id, edge, segment, driver, moves, owners, says, held_until, stopped_at)
values (%(tenant)s, %(edge)s, %(segment)s, %(driver)s, %(moves)s, %(owners)s, %(says)s, %(held_until)s, %(at)s)
"""
_RESUME = f"""
update control.edge_stop set holds_again_at = %(at)s where {_EDGE} and segment is not distinct from %(segment)s and holds_again_at is null
"""


class PostgresEdgeBook:
    """EdgeBook on one connection in autocommit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def try_lease(self) -> bool:
        return bool(self._rows("select pg_try_advisory_lock(%(lock)s)", lock=_LOCK)[0][0])

    def release(self) -> None:
        self._rows("select pg_advisory_unlock(%(lock)s)", lock=_LOCK)

    def transaction(self) -> AbstractContextManager[object]:
        return self._connection.transaction()

    def tenants(self) -> Sequence[tuple[int, str]]:
        return [(int(tenant_id), str(zone)) for tenant_id, zone in self._rows(_TENANTS)]

    def definitions(self, tenant_id: int) -> Catalogue | None:
        return store.current(self._connection, tenant_id)

    def faults(self, tenant_id: int, since: datetime, now: datetime) -> Sequence[Missing]:
        rows = self._rows(_FAULTS, tenant=tenant_id, since=since, now=now)
        return [Missing(frozenset(types), began, ended) for types, began, ended in rows]

    def has(self, look: Looked) -> bool:
        return bool(self._rows(_HAS, **_named(look))[0][0])

    def forget_others(self, tenant_id: int, edges: Collection[str]) -> None:
        for table in ("look", "stop"):
            self._connection.execute(_FORGET.format(table), {"tenant": tenant_id, "edges": list(edges)})

    def begin_anew(self, look: Looked) -> None:
        if self._connection.execute(_OTHERWISE, _named(look)).rowcount:
            self._connection.execute(_NO_STOP, _named(look))

    def keep(self, look: Looked, found: Mapping[Segment, Mapping[str, Any]]) -> None:
        self._connection.execute(_OLD, {**_named(look), "oldest": look.through - _KEPT})
        with self._connection.cursor() as cursor:
            cursor.executemany(
                _KEEP, [{**_named(look), "segment": name, **_seen(one)} for name, one in found.items()]
            )

    def past(self, look: Looked) -> Mapping[Segment, Sequence[PastLook]]:
        found: dict[Segment, list[PastLook]] = defaultdict(list)
        for segment, through, state in self._rows(_PAST, **_named(look)):
            found[segment].append(PastLook(through, state))
        return found

    def stopped(self, tenant_id: int, edge: str) -> Collection[Segment]:
        return {segment for (segment,) in self._rows(_STOPPED, tenant=tenant_id, edge=edge)}

    def stop(self, look: Looked, stop: Stop) -> None:
        said = {"driver": stop.driver, "moves": stop.moves, "owners": list(stop.owners), "says": stop.says}
        values = {**_named(look), "segment": stop.segment, **said, "held_until": stop.held_until}
        self._connection.execute(_STOP, values)

    def resume(self, look: Looked, segment: Segment) -> None:
        self._connection.execute(_RESUME, {**_named(look), "segment": segment})

    def _rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, values).fetchall()


def _named(look: Looked) -> dict[str, Any]:
    return {
        "tenant": look.tenant_id,
        "edge": look.edge,
        "through": look.through,
        "meaning": look.meaning,
        "version": look.catalogue_version,
        "at": look.at,
    }


def _seen(shown: Mapping[str, Any]) -> dict[str, Any]:
    lead, correlation = shown["lead"] or {}, shown["correlation"] or {}
    return {
        "state": shown["state"],
        "accounts": shown["accounts"],
        "lead": lead.get("value"),
        "lead_low": lead.get("low"),
        "lead_high": lead.get("high"),
        "correlation": correlation.get("value"),
        "low": correlation.get("low"),
        "high": correlation.get("high"),
    }
