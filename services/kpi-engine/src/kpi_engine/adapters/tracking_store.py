"""Arrivals by the hour, and what was found to be missing, in PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import partial
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from common.catalogue.models import Catalogue
from common.tracking.judging import Arrivals, Calendar
from common.tracking.thinning import Days
from common.tracking.verdicts import RETIRED_AFTER, Broken, Key, Tenant
from common.tracking.windows import HOUR, LOOK_BACK_WEEKS, STRETCHES, WEEK, Span
from kpi_engine.adapters.arrays import Instants, Int8s, Words, int8s
from kpi_engine.adapters.calendar_store import unusual_times
from kpi_engine.domain.arrivals import GROUPS, HOUR_US, Cell, cells
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.ports.connection import Connection

Int64s = npt.NDArray[np.int64]

# A source that names itself anew with every event can't fill the disk.
MOST_NAMES_AN_HOUR = 1_000
# What the longest comparison needs, with an hour's shift on either side.
KEPT = LOOK_BACK_WEEKS * WEEK + (max(STRETCHES) + 2) * HOUR

_NOTE = """
insert into engine.arrival_hour as kept (tenant_id, hour, partition, source, type, groups)
select %(tenant)s, t.hour, t.partition, t.source, t.type, (%(groups)s::int8[])[(t.n - 1) * %(width)s + 1 : t.n * %(width)s]
from unnest(%(hours)s, %(partitions)s, %(sources)s, %(types)s) with ordinality as t(hour, partition, source, type, n)
on conflict (tenant_id, hour, partition, source, type) do update set
  groups = (select array_agg(g.a + g.b order by g.n) from unnest(kept.groups, excluded.groups) with ordinality as g(a, b, n))
"""
# Partitions that no engine has read yet hold nothing.
_UNTIL = "select date_trunc('hour', min(applied_at), 'UTC') from engine.progress where topic = %s and applied_at is not null"
_TAKE = """
select t.id from control.tenant t left join engine.tracking_progress p on p.tenant_id = t.id
where (p.judged_until is null or p.judged_until < %(until)s)
  and exists (select from engine.arrival_hour a where a.tenant_id = t.id) and pg_try_advisory_xact_lock(%(space)s, t.id)
limit 1
"""
_LOCK_SPACE = 0x74726163
_ARRIVED = """
select hour, partition, source, type, array_send(groups) from engine.arrival_hour
where tenant_id = %s and hour >= %s and hour < %s
"""
_SPELLS = """
select kind, name, since, until, expected, seen, types, share, renamed_to from engine.tracking_spell
where tenant_id = %s and coalesce(until, 'infinity') > %s order by since
"""
_RETIRED = "select kind, name, retired_at from control.tracking_retired where tenant_id = %s"
_OPEN = """
insert into engine.tracking_spell (tenant_id, kind, name, since, found_at, expected, seen, types, share, renamed_to)
values (%(tenant)s, %(kind)s, %(name)s, %(since)s, %(at)s, %(expected)s, %(seen)s, %(types)s, %(share)s, %(renamed_to)s)
on conflict (tenant_id, kind, name, since) do update set until = null, expected = excluded.expected, seen = excluded.seen
"""
_CLOSE = """
update engine.tracking_spell set until = %(until)s
where tenant_id = %(tenant)s and kind = %(kind)s and name = %(name)s and until is null
"""
_FORGET = (
    ("delete from engine.arrival_hour where tenant_id = %s and hour < %s", KEPT + WEEK),
    ("delete from engine.tracking_spell where tenant_id = %s and until < %s", 10 * RETIRED_AFTER),
)
# What happened on each day, and people who did something.
_EVENTS, _PEOPLE = "events", "active_users"
_DAYS = """
select m.name, t.day, sum(t.value)::int8 from engine.measure m join engine.total_day t on t.measure_id = m.id and t.day >= %(first)s::date
where m.tenant_id = %(tenant)s and (m.name, m.origin) in (('events', %(events)s), ('active_users', %(people)s)) group by 1, 2
"""
_JUDGED = """
insert into engine.tracking_progress (tenant_id, judged_until) values (%s, %s)
on conflict (tenant_id) do update set judged_until = excluded.judged_until
"""


class TrackingStore:
    """Both tracking ports on PostgreSQL."""

    def __init__(self) -> None:
        self._names: dict[int, tuple[int, set[tuple[str, str]]]] = {}

    def note(self, connection: Connection, batch: TenantBatch) -> None:
        found = self._few(batch.tenant_id, cells(batch))
        if not found:
            return
        values = {
            "tenant": batch.tenant_id,
            "hours": Instants(np.array([cell.hour for cell in found], np.int64) * HOUR_US),
            "partitions": Int8s(np.array([cell.partition for cell in found], np.int64)),
            "sources": Words([cell.source for cell in found]),
            "types": Words([cell.type for cell in found]),
            "groups": Int8s(np.concatenate([cell.groups for cell in found])),
            "width": GROUPS,
        }
        connection.execute(_NOTE, values)

    def _few(self, tenant_id: int, found: Sequence[Cell]) -> list[Cell]:
        """Without names beyond what an hour may have."""
        kept = []
        for cell in found:
            hour, names = self._names.get(tenant_id, (0, set()))
            if cell.hour > hour:
                names = set()
                self._names[tenant_id] = (cell.hour, names)
            if len(names) < MOST_NAMES_AN_HOUR or (cell.source, cell.type) in names:
                names.add((cell.source, cell.type))
                kept.append(cell)
        return kept

    def until(self, connection: Connection, topic: str) -> datetime | None:
        row = connection.execute(_UNTIL, (topic,)).fetchone()
        return row[0] if row else None

    def take(self, connection: Connection, until: datetime) -> int | None:
        values = {"until": until, "space": _LOCK_SPACE}
        row = connection.execute(_TAKE, values).fetchone()
        return int(row[0]) if row else None

    def known(self, connection: Connection, tenant_id: int, catalogue: Catalogue, until: datetime) -> Tenant:
        first = until - KEPT
        zone = ZoneInfo(catalogue.settings.timezone)
        broken: dict[Key, Broken] = {}
        spells: dict[Key, list[Span]] = {}
        for kind, name, since, end, *rest in connection.execute(_SPELLS, (tenant_id, first)):
            if end is None:
                expected, seen, types, share, renamed_to = rest
                broken[kind, name] = Broken(since, expected, seen, tuple(types), share, renamed_to)
            else:
                spells.setdefault((kind, name), []).append(Span(since, end))
        parts = self._parts(connection, tenant_id, first, until)
        unusual = unusual_times(connection, tenant_id, catalogue, first, until)
        retired = {(kind, name): at for kind, name, at in connection.execute(_RETIRED, (tenant_id,))}
        days = partial(_days, connection, tenant_id, catalogue, until)
        return Tenant(parts, Calendar(zone, unusual), broken, spells, retired, days)

    def _parts(
        self, connection: Connection, tenant_id: int, first: datetime, until: datetime
    ) -> dict[tuple[str, str], Arrivals]:
        rows = connection.execute(_ARRIVED, (tenant_id, first, until), binary=True).fetchall()
        blocks = {partition: n for n, partition in enumerate(sorted({row[1] for row in rows}))}
        hours = round((until - first) / HOUR)
        counts: dict[tuple[str, str], Int64s] = {}
        for hour, partition, source, kind, groups in rows:
            of = counts.get((source, kind))
            if of is None:
                of = counts[source, kind] = np.zeros((hours, len(blocks) * GROUPS), np.int64)
            at = blocks[partition] * GROUPS
            of[round((hour - first) / HOUR), at : at + GROUPS] += int8s(groups)
        return {names: Arrivals.of(first, of) for names, of in counts.items() if of.any()}

    def save(
        self,
        connection: Connection,
        tenant_id: int,
        before: Mapping[Key, Broken],
        now: Mapping[Key, Broken],
        until: datetime,
        at: datetime,
    ) -> None:
        for kind, name in before.keys() - now.keys():
            connection.execute(_CLOSE, {"tenant": tenant_id, "kind": kind, "name": name, "until": until})
        for (kind, name), one in now.items():
            values = {"tenant": tenant_id, "kind": kind, "name": name, "since": one.since, "at": at}
            amounts = {"expected": one.expected, "seen": one.seen, "types": list(one.types)}
            connection.execute(_OPEN, values | amounts | {"share": one.share, "renamed_to": one.renamed_to})
        connection.execute(_JUDGED, (tenant_id, until))
        for statement, kept in _FORGET:
            connection.execute(statement, (tenant_id, until - kept))

    def broken(self, connection: Connection) -> dict[str, int]:
        rows = connection.execute(
            "select kind, count(*) from engine.tracking_spell where until is null group by 1"
        )
        return dict(rows.fetchall())


def _days(connection: Connection, tenant_id: int, catalogue: Catalogue, until: datetime) -> Days:
    """Of the weeks that are compared; empty where a company counts neither."""
    origins = catalogue.row_origins()
    values = {
        "tenant": tenant_id,
        "first": until - KEPT - WEEK,
        "events": origins.get(_EVENTS, 0),
        "people": origins.get(_PEOPLE, 0),
    }
    found: dict[str, dict[date, int]] = {_EVENTS: {}, _PEOPLE: {}}
    for name, day, count in connection.execute(_DAYS, values):
        found[name][day] = count
    return Days(found[_EVENTS], found[_PEOPLE])
