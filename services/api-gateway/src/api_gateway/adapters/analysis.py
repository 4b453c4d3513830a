"""Looks at figures and raw events in one read-only snapshot, with a bound on time and on raw events."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from api_gateway.domain.lasting import Lasting
from api_gateway.ports.analysis import Look, Since, Version
from common import figures
from common.analysis.late import Revision
from common.analysis.reading import PERSON_TYPES, SUBSCRIPTION, TRAIT_TYPES, begins_when_heard_of
from common.catalogue.models import Catalogue, Metric
from common.catalogue.store import at_version, restated
from common.clock import Clock
from common.contracts.bodies import unpack_bodies
from common.contracts.shown import event_of
from common.db.pool import Connection, Pool, borrow
from common.figures.model import MAX_PAGE_ROWS, Figure, Query
from common.figures.without import Begun, InseparableError, Said, without

# As the figures' own snapshots: the planner takes arrays of accounts for short ones, and compiling costs more than it saves.
_SNAPSHOT = """
set transaction isolation level repeatable read, read only;
set local enable_mergejoin = off; set local jit = off; set local statement_timeout = '30s'
"""
# A chunk holds some hundred events: about two million are counted by their columns, a quarter of a million by their bodies.
MOST_CHUNKS, MOST_UNPACKED = 4_000, 500
_MOST_VERSIONS = 200
_MOST_BEGUN = 200
_SAYING_TRAITS = frozenset((*TRAIT_TYPES, *PERSON_TYPES))

_OVERLAPPING = "tenant_id = %(tenant)s and event_to >= %(start)s and event_from < %(end)s"
_CHUNKS = f"select count(*) from (select 1 from published.raw_chunk where {_OVERLAPPING} limit %(most)s) as overlapping"
_EVENTS = """
from published.raw_event
where tenant_id = %(tenant)s and chunk_event_to >= %(start)s and chunk_event_from < %(end)s
  and event_at >= %(start)s and event_at < %(end)s and (%(types)s::text[] is null or type = any(%(types)s))
"""
_DAILY = f"select type, (event_at at time zone %(zone)s)::date, count(*) {_EVENTS} group by 1, 2"
# What came late lies in few chunks: those that arrived after the instant and hold something that happened before the end.
_SINCE = """
tenant_id = %(tenant)s and {0}arrived_at > %(then)s and {0}event_from < %(end)s
and (%(start)s::timestamptz is null or {0}event_to >= %(start)s)
"""
_SINCE_CHUNKS = f"select count(*) from (select 1 from published.raw_chunk where {_SINCE.format('')} limit %(most)s) as late"
_ASKED = """
event_at < %(end)s and (%(start)s::timestamptz is null or event_at >= %(start)s) and (%(types)s::text[] is null or type = any(%(types)s))
and (%(accounts)s::text[] is null or account_id in (
  select account_id from published.account where tenant_id = %(tenant)s and account = any(%(accounts)s)))
"""
# Entries by which nothing was corrected that had arrived by then, in any of its forms: what they put in its place came late itself.
_OF_LATE_ONES = """
select s.seq from published.superseded_event s where s.tenant_id = %(tenant)s group by s.seq
having bool_and((s.source, s.event_id) not in (
  select source, event_id from published.superseded_event where tenant_id = %(tenant)s and ingested_at <= %(then)s))
"""
# A corrected event has the stamp of the entry that brought it.
_CAME = f"""
select type, (event_at at time zone %(zone)s)::date, ingested_at in (
    select created_at from control.control_log
    where tenant_id = %(tenant)s and kind = 'amendment' and seq not in ({_OF_LATE_ONES})), count(*)
from published.raw_event where {_SINCE.format("chunk_")} and {_ASKED} and ingested_at > %(then)s
  and (%(internal)s or person_id is null
       or person_id not in (select person_id from published.person where tenant_id = %(tenant)s and is_internal))
group by 1, 2, 3
"""
_LEFT = f"""
select type, (event_at at time zone %(zone)s)::date, count(*)
from published.superseded_event s
where tenant_id = %(tenant)s and {_ASKED} and ingested_at <= %(then)s
  and (select c.created_at from control.control_log c where c.tenant_id = s.tenant_id and c.seq = s.seq) > %(then)s
  and (%(internal)s or not exists (
    select from published.person p where p.tenant_id = s.tenant_id and p.account_id = s.account_id and p.is_internal
      and p.person = s.body::jsonb #>> '{{data,user}}'))
group by 1, 2
"""
# By account the earliest event that had not arrived by then, and of those that had and stand no more. What was amended since has
# arrived since.
_MOVED_SINCE = """
with late as (
  select account_id, min(event_at) as first from published.raw_event
  where tenant_id = %(tenant)s and chunk_arrived_at > %(then)s and chunk_event_from < %(then)s and ingested_at > %(then)s
  group by 1
), gone as (
  select s.account_id, min(s.event_at) as first from published.superseded_event s
  join control.control_log c on c.tenant_id = s.tenant_id and c.seq = s.seq
  where s.tenant_id = %(tenant)s and s.ingested_at <= %(then)s and c.created_at > %(then)s group by 1
)
select account_id, late.first, gone.first from late full join gone using (account_id) where account_id > 0
"""
_SEEN = """
select account_id, first_event_at from published.account_seen where tenant_id = %(tenant)s and account_id = any(%(accounts)s::int8[])
"""
# Account by account: of many at once the planner reads all chunks that there are.
_THEIR_CHUNKS = """
select count(*) from (
  select 1 from unnest(%(accounts)s::int8[]) as its(id)
  cross join lateral (select 1 from published.raw_chunk where accounts @> array[its.id]) as chunk limit %(most)s) as theirs
"""
_FIRST_BY = """
select its.id, known.first from unnest(%(accounts)s::int8[]) as its(id)
cross join lateral (
  select min(event_at) as first from published.raw_event
  where chunk_accounts @> array[its.id] and account_id = its.id and ingested_at <= %(then)s) as known
"""
_CAME_BODIES = """
select account_ids, types, event_at, ingested_at, bodies from published.raw_chunk
where tenant_id = %(tenant)s and arrived_at > %(then)s and event_from < %(then)s and types && %(types)s::text[] limit %(most)s
"""
# Told of after the instant, though it may act before it.
_SUBSCRIBED_SINCE = """
select account_id, source, event_id from published.subscription_change where tenant_id = %(tenant)s and event_at >= %(then)s
"""
_ANY_BY = f"select exists (select {_EVENTS} and ingested_at <= %(then)s)"
_BEGUN_BY = """
select exists (select from published.raw_chunk where tenant_id = %(tenant)s and arrived_at <= %(then)s and event_from < %(end)s)
"""
# Before its first day a currency counts at its first rate.
_RATES_TOLD = """
select exists (
  select from control.rate r join control.import i on i.id = r.import_id
  where r.tenant_id = %(tenant)s and r.quote = %(home)s and i.started_at > %(then)s
    and (r.day <= %(last)s or not exists (
      select from control.rate f where f.tenant_id = r.tenant_id and f.quote = r.quote and f.currency = r.currency and f.day < r.day))
    and (not %(revenue)s or exists (
      select from published.mrr_change m where m.tenant_id = r.tenant_id and m.currency = r.currency)))
"""
_EVER = datetime(1, 1, 1, tzinfo=UTC)
_SPANNED = """
select exists (
  select from control.backfill b
  join control.control_log c on c.tenant_id = b.tenant_id and c.backfill_id = b.id
  join published.revision r on r.tenant_id = c.tenant_id and r.seq = c.seq
  where b.tenant_id = %(tenant)s and r.day <= %(last)s and r.until > %(first)s
    and (b.opened_at <= %(then)s and b.closed_at > %(then)s and b.reverted_at is null
         or b.closed_at <= %(then)s and b.reverted_at > %(then)s))
"""
_BODIES = f"select types, event_at, bodies from published.raw_chunk where {_OVERLAPPING}"
_VERSIONS = """
select d.version, d.body -> 'metrics' -> %(metric)s::text, p.ready_at from control.definition d
join published.definition p on p.tenant_id = d.tenant_id and p.version = d.version and p.ready
where d.tenant_id = %(tenant)s and d.body -> 'metrics' ? %(metric)s
  and d.version <= (select version from published.definition where tenant_id = %(tenant)s and served)
order by d.version desc limit %(most)s
"""
# Anonymous visitors are no accounts of anybody's. Who left or was closed since then counts: that is what is asked about.
_COUNTED = """
from published.account a
where a.tenant_id = %(tenant)s and a.account not like 'user:%%' and (
  a.last_activity_at >= %(since)s
  or exists (select from published.mrr_change m where m.tenant_id = %(tenant)s and m.account_id = a.account_id and m.at >= %(since)s)
  or (select sum(m.delta) from published.mrr_change m where m.tenant_id = %(tenant)s and m.account_id = a.account_id) > 0
  or exists (select from published.step s where s.tenant_id = %(tenant)s and s.account_id = a.account_id
             and s.at >= %(since)s and s.at > a.first_event_at)
)
"""
_FIRST_SEEN = """
select a.account, s.first_event_at
from published.account a join published.account_seen s on s.tenant_id = a.tenant_id and s.account_id = a.account_id
where a.tenant_id = %(tenant)s and a.account = any(%(accounts)s)
"""
_TRAIT_NOW = """
select account, traits -> %(trait)s::text from published.account
where tenant_id = %(tenant)s and account = any(%(accounts)s) and traits -> %(trait)s::text <> 'null'
"""
_HAS_TRAIT = "select exists (select from published.trait where tenant_id = %(tenant)s and name = %(trait)s and person_id = 0)"
_LASTING = """
select l.edge, l.segment, max(l.through) filter (where l.state = 'holds'), (
  select s.stopped_at from control.edge_stop s
  where s.tenant_id = %(tenant)s and s.edge = l.edge and s.segment is not distinct from l.segment and s.holds_again_at is null)
from control.edge_look l join unnest(%(edges)s::text[], %(meanings)s::text[]) as m (edge, meaning) using (edge, meaning)
where l.tenant_id = %(tenant)s group by l.edge, l.segment
"""
_REVISIONS = """
select measure, day, until, after - before, why, coalesce(part, '') from published.revision
where tenant_id = %(tenant)s and measure = any(%(rows)s) and day <= %(last)s and until > %(first)s
  and at > %(since)s
"""


class PostgresAnalysis:
    """Analysis on PostgreSQL."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool, self._clock = pool, clock

    @contextmanager
    def look(self, tenant_id: int) -> Iterator[Look]:
        with borrow(self._pool) as connection:
            connection.execute(_SNAPSHOT)
            yield _PostgresLook(connection, tenant_id, self._clock.now())


class _PostgresLook:
    def __init__(self, connection: Connection, tenant_id: int, now: datetime) -> None:
        self._connection, self._tenant_id, self._now = connection, tenant_id, now

    def figures(self, catalogue: Catalogue, query: Query) -> Sequence[Figure]:
        found: list[Figure] = []
        page = replace(query, limit=MAX_PAGE_ROWS, cursor=None)
        while True:
            answer = figures.query(self._connection, self._tenant_id, catalogue, page, self._now)
            found += answer.figures
            if answer.next_cursor is None:
                return found
            page = replace(page, cursor=answer.next_cursor)

    def known_by(
        self, catalogue: Catalogue, query: Query, then: datetime, types: Iterable[str]
    ) -> tuple[Figure, Figure] | None:
        came = self._came(then, frozenset(types) | _SAYING_TRAITS)
        if came is None:
            return None
        begins = any(begins_when_heard_of(catalogue.metrics[name]) for name in query.metrics)
        begun = self.begun_by(then) if begins else None
        sides = (
            without(self._connection, self._tenant_id, (), then, touched=came, begun={} if begins else None),
            without(self._connection, self._tenant_id, came, then, begun=begun),
        )
        try:
            now, known = (
                figures.query(self._connection, self._tenant_id, catalogue, query, then, side).figures
                for side in sides
            )
        except InseparableError:
            return None
        return now[0], known[0]

    def begun_by(self, then: datetime) -> Begun | None:
        late = {"then": then, "start": None, "end": then, "most": MOST_CHUNKS + 1}
        if int(self._one(_SINCE_CHUNKS, **late)) > MOST_CHUNKS:
            return None
        moved = {account_id: its for account_id, *its in self._rows(_MOVED_SINCE, then=then)}
        seen = dict(self._rows(_SEEN, accounts=list(moved)))
        accounts = [one for one, (came, gone) in moved.items() if _begins(came, gone, seen.get(one))]
        if not accounts:
            return {}
        if len(accounts) > _MOST_BEGUN or self.kept_from() is not None:
            return None
        if int(self._one(_THEIR_CHUNKS, accounts=accounts, most=MOST_CHUNKS + 1)) > MOST_CHUNKS:
            return None
        stood = dict(self._rows(_FIRST_BY, then=then, accounts=accounts))
        return {
            one: min((at for at in (moved[one][1], stood.get(one)) if at is not None), default=None)
            for one in accounts
        }

    def _came(self, then: datetime, types: frozenset[str]) -> Sequence[Said] | None:
        """Events of these types that had not arrived by an instant and happened before it; of subscriptions those told of since, too."""
        chunks = self._rows(_CAME_BODIES, then=then, types=_listed(types), most=MOST_UNPACKED + 1)
        if len(chunks) > MOST_UNPACKED:
            return None
        found: list[Said] = []
        for accounts, kinds, happened, arrived, packed in chunks:
            columns = zip(accounts, kinds, happened, arrived, unpack_bodies(packed), strict=True)
            for account_id, kind, at, came_at, body in columns:
                if kind in types and at < then < came_at:
                    event = event_of(body)
                    found.append((account_id, str(event["source"]), str(event["id"])))
        if any(kind.startswith(SUBSCRIPTION) for kind in types):
            found += self._rows(_SUBSCRIBED_SINCE, then=then)
        return found

    def accounts(self, since: datetime) -> int:
        return int(self._one(f"select count(*) {_COUNTED}", since=since))

    def account_names(self, since: datetime, most: int) -> Sequence[str]:
        statement = f"select a.account {_COUNTED} order by md5(a.account) limit %(most)s"
        return [str(row[0]) for row in self._rows(statement, since=since, most=most)]

    def first_seen(self, accounts: Sequence[str]) -> Mapping[str, datetime]:
        return dict(self._rows(_FIRST_SEEN, accounts=list(accounts)))

    def trait_now(self, trait: str, accounts: Sequence[str]) -> Mapping[str, object]:
        rows = self._rows(_TRAIT_NOW, trait=trait, accounts=list(accounts))
        return {str(account): value for account, value in rows}

    def has_trait(self, trait: str) -> bool:
        return bool(self._one(_HAS_TRAIT, trait=trait))

    def lasting(self, meanings: Mapping[str, str]) -> Mapping[tuple[str, str | None], Lasting]:
        rows = self._rows(_LASTING, edges=list(meanings), meanings=list(meanings.values()))
        return {(edge, segment): Lasting(*its) for edge, segment, *its in rows}

    def versions(self, metric: str) -> Sequence[Version]:
        rows = self._rows(_VERSIONS, metric=metric, most=_MOST_VERSIONS)
        read = ((int(version), _metric(body), ready_at) for version, body, ready_at in rows)
        return [Version(version, metric, at) for version, metric, at in read if metric is not None]

    def catalogue_at(self, version: int) -> Catalogue | None:
        try:
            return at_version(self._connection, self._tenant_id, version)
        except ValidationError:  # of an earlier release, which said it otherwise
            return None

    def since(
        self,
        then: datetime,
        types: Iterable[str] | None,
        start: datetime | None,
        end: datetime,
        zone: str,
        accounts: Sequence[str] | None = None,
        *,
        internal: bool = True,
    ) -> Since | None:
        stretch = {"then": then, "start": start, "end": end}
        if int(self._one(_SINCE_CHUNKS, **stretch, most=MOST_CHUNKS + 1)) > MOST_CHUNKS:
            return None
        named = None if accounts is None else list(accounts)
        asked = {**stretch, "types": _listed(types), "zone": zone, "accounts": named, "internal": internal}
        came: dict[tuple[str, date], int] = {}
        corrected: dict[tuple[str, date], int] = {}
        for kind, day, in_place, count in self._rows(_CAME, **asked):
            (corrected if in_place else came)[str(kind), day] = int(count)
        left = {(str(kind), day): int(count) for kind, day, count in self._rows(_LEFT, **asked)}
        return Since(came, corrected, left)

    def any_by(self, then: datetime, start: datetime | None, end: datetime) -> bool | None:
        if start is None:
            if self._one(_BEGUN_BY, then=then, end=end):
                return True
            start = _EVER
        if not self._within(start, end, MOST_CHUNKS):
            return None
        return bool(self._one(_ANY_BY, start=start, end=end, then=then, types=None))

    def spanned(self, then: datetime, first: date, last: date) -> bool:
        return bool(self._one(_SPANNED, then=then, first=first, last=last))

    def rates_told(self, then: datetime, last: date, home: str, *, of_revenue: bool) -> bool:
        return bool(self._one(_RATES_TOLD, then=then, last=last, home=home, revenue=of_revenue))

    def kept_from(self) -> datetime | None:
        rows = self._rows("select raw_from from published.retained where tenant_id = %(tenant)s")
        return rows[0][0] if rows else None

    def daily(
        self, types: Iterable[str] | None, start: datetime, end: datetime, zone: str
    ) -> Mapping[str, Mapping[date, int]] | None:
        if not self._within(start, end, MOST_CHUNKS):
            return None
        found: dict[str, dict[date, int]] = defaultdict(dict)
        for kind, day, count in self._rows(_DAILY, start=start, end=end, types=_listed(types), zone=zone):
            found[str(kind)][day] = int(count)
        return found

    def daily_by_source(
        self, types: Iterable[str], start: datetime, end: datetime, zone: str
    ) -> Mapping[tuple[str, str], Mapping[date, int]] | None:
        if not self._within(start, end, MOST_UNPACKED):
            return None
        wanted, local = frozenset(types), ZoneInfo(zone)
        found: dict[tuple[str, str], Counter[date]] = defaultdict(Counter)
        for kinds, instants, packed in self._rows(_BODIES, start=start, end=end):
            for kind, at, body in zip(kinds, instants, unpack_bodies(packed), strict=True):
                if kind in wanted and start <= at < end:
                    source = str(event_of(body).get("source"))
                    found[kind, source][at.astimezone(local).date()] += 1
        return found

    def revisions(self, rows: Sequence[str], first: date, last: date, since: datetime) -> Sequence[Revision]:
        found = self._rows(_REVISIONS, rows=list(rows), first=first, last=last, since=since)
        return [Revision(*row) for row in found]

    def _within(self, start: datetime, end: datetime, most: int) -> bool:
        return int(self._one(_CHUNKS, start=start, end=end, most=most + 1)) <= most

    def _one(self, statement: str, **parameters: Any) -> Any:
        row = self._connection.execute(statement, {"tenant": self._tenant_id, **parameters}).fetchone()
        assert row is not None
        return row[0]

    def _rows(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, {"tenant": self._tenant_id, **parameters}).fetchall()


def _begins(came: datetime | None, gone: datetime | None, seen: datetime | None) -> bool:
    """Whether an account may have begun with what came since, or did with what is gone: it is `seen` first at an instant, or is not."""
    if seen is None:
        return gone is not None
    return (came is not None and came <= seen) or (gone is not None and gone < seen)


def _metric(body: Mapping[str, Any]) -> Metric | None:
    """None for what this release can't read."""
    try:
        return Metric.model_validate(restated(body))
    except ValidationError:
        return None


def _listed(types: Iterable[str] | None) -> list[str] | None:
    return None if types is None else sorted(types)
