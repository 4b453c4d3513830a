"""The control log, backfills, revisions and retention in PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from api_gateway.ports.corrections import Revision, RevisionsAsked, Steadiness
from common.control import backfills as control_backfills
from common.control import log
from common.control.backfills import Backfill
from common.control.log import Entry, Kind, NewEntry
from common.db.pool import Connection, Pool, borrow
from common.errors import NotFound
from common.figures.answered import KINDS, row_of

_REVISIONS = """
select r.revision_id, r.why, l.id::text, r.at,
       array(select a.account from published.account a where a.tenant_id = r.tenant_id and a.account_id = any(r.account_ids) order by 1 limit 100),
       r.measure, coalesce(r.part, '') as part, r.day, r.until, r.before, r.after, r.complete
from published.revision r left join control.control_log l on l.tenant_id = r.tenant_id and l.seq = r.seq
where r.tenant_id = %(tenant)s
  and (%(measures)s::text[] is null or r.measure = any(%(measures)s))
  and (%(account)s::text is null or r.account_ids && array(
    select a.account_id from published.account a where a.tenant_id = %(tenant)s and a.account = %(account)s))
  and (%(entry)s::uuid is null or l.id = %(entry)s)
  and (%(first)s::date is null or r.until > %(first)s) and (%(last)s::date is null or r.day < %(last)s)
  and (%(number)s::bigint is null or (-r.revision_id, r.measure, coalesce(r.part, ''), r.day) > (-%(number)s, %(measure)s, %(part)s, %(day)s::date))
order by -r.revision_id, r.measure, coalesce(r.part, ''), r.day limit %(limit)s
"""
# Days of a metric's measures that hold something and are over; of these the ones that were revised after they were complete.
_STEADINESS = """
with days as (
  select t.day from published.total_day t join published.measure m on m.measure_id = t.measure_id
  where m.tenant_id = %(tenant)s and m.measure = any(%(measures)s) and t.value <> 0 and t.day < %(before)s
  union
  select (coalesce(s.acts_at, s.at) at time zone %(timezone)s)::date
  from published.step s join published.measure m on m.measure_id = s.measure_id
  where m.tenant_id = %(tenant)s and m.measure = any(%(measures)s)
    and coalesce(s.acts_at, s.at) < %(before)s::date::timestamp at time zone %(timezone)s
  union
  select (a.answered_at at time zone %(timezone)s)::date from published.answer a
  where a.tenant_id = %(tenant)s and a.kind = any(%(kinds)s) and a.answered_at < %(before)s::date::timestamp at time zone %(timezone)s
  union
  select d::date from generate_series(
    (select (min(c.at) at time zone %(timezone)s)::date from published.mrr_change c where c.tenant_id = %(tenant)s),
    %(before)s::date - 1, interval '1 day') as d
  where 'mrr' = any(%(measures)s)
  union
  select d::date from generate_series(
    (select min(v.day) from published.last_value v join published.measure m on m.measure_id = v.measure_id
     where m.tenant_id = %(tenant)s and m.measure = any(%(measures)s)), %(before)s::date - 1, interval '1 day') as d
), revised as (
  select distinct d::date as day from published.revision r,
    generate_series(r.day, least(r.until - 1, %(before)s::date - 1), interval '1 day') as d
  where r.tenant_id = %(tenant)s and r.measure = any(%(measures)s) and r.complete and r.why not in ('backfill', 'revert')
)
select (select count(*) from (select day from days union select day from revised) as known), (select count(*) from revised)
"""


def _forget_in_reports(connection: Connection, tenant_id: int, erased: bytes) -> None:
    """Reports of imports tell of people as files name them; the engine, which forgets the rest, doesn't see them."""
    key = log.erasure_key(connection)
    rows = connection.execute(
        "select distinct person from control.import_line where tenant_id = %s and person is not null",
        (tenant_id,),
    )
    names = [name for (name,) in rows if log.person_hash(key, tenant_id, name) == erased]
    connection.execute(
        "delete from control.import_line where tenant_id = %s and person = any(%s)", (tenant_id, names)
    )


class PostgresCorrections:
    """CorrectionStore on PostgreSQL. `topic` is the engine's events topic."""

    def __init__(self, pool: Pool, topic: str) -> None:
        self._pool, self._topic = pool, topic

    def append(self, tenant_id: int, new: NewEntry, now: datetime) -> Entry:
        with borrow(self._pool) as connection:
            if new.person_hash is not None:
                _forget_in_reports(connection, tenant_id, new.person_hash)
            entry_id = log.append(connection, tenant_id, new, now)
            found = log.entry(connection, tenant_id, self._topic, entry_id)
        assert found is not None
        return found

    def person(self, tenant_id: int, name: str) -> tuple[bytes, str]:
        with borrow(self._pool) as connection:
            key = log.erasure_key(connection)
        return log.person_hash(key, tenant_id, name), log.new_token()

    def entry(self, tenant_id: int, entry_id: str, kinds: Sequence[Kind]) -> Entry:
        with borrow(self._pool) as connection:
            found = log.entry(connection, tenant_id, self._topic, entry_id)
        if found is None or found.kind not in kinds:
            raise NotFound("entry-unknown", "the control log has no such entry of that id")
        return found

    def entries(
        self, tenant_id: int, kinds: Sequence[Kind], below: int | None, limit: int
    ) -> Sequence[Entry]:
        with borrow(self._pool) as connection:
            return log.entries(connection, tenant_id, self._topic, kinds, below, limit)

    def open_backfill(self, tenant_id: int, description: str, by: str, now: datetime) -> Backfill:
        with borrow(self._pool) as connection:
            return control_backfills.open_backfill(connection, tenant_id, description, by, now)

    def backfill(self, tenant_id: int, backfill_id: str) -> Backfill:
        with borrow(self._pool) as connection:
            return control_backfills.backfill(connection, tenant_id, backfill_id)

    def backfills(self, tenant_id: int, limit: int) -> Sequence[Backfill]:
        with borrow(self._pool) as connection:
            return control_backfills.backfills(connection, tenant_id, limit)

    def close(self, tenant_id: int, backfill_id: str, by: str, now: datetime) -> Backfill:
        with borrow(self._pool) as connection:
            return control_backfills.close(connection, tenant_id, backfill_id, by, now)

    def revert(self, tenant_id: int, backfill_id: str, by: str, now: datetime) -> Backfill:
        with borrow(self._pool) as connection:
            return control_backfills.revert(connection, tenant_id, backfill_id, by, now)

    def revisions(self, tenant_id: int, asked: RevisionsAsked) -> Sequence[Revision]:
        number, measure, part, day = asked.after or (None, "", "", date.min)
        parameters = {
            "tenant": tenant_id,
            "measures": None if asked.measures is None else list(asked.measures),
            "account": asked.account,
            "entry": asked.entry,
            "first": asked.first,
            "last": asked.last,
            "number": number,
            "measure": measure,
            "part": part,
            "day": day,
            "limit": asked.limit,
        }
        with borrow(self._pool) as connection:
            return [Revision(*row) for row in connection.execute(_REVISIONS, parameters)]

    def steadiness(self, tenant_id: int, measures: Sequence[str], timezone: str, before: date) -> Steadiness:
        parameters = {
            "tenant": tenant_id, "measures": list(measures), "timezone": timezone, "before": before,
            "kinds": [kind for kind in KINDS if row_of(kind) in measures],
        }  # fmt: skip
        with borrow(self._pool) as connection:
            row = connection.execute(_STEADINESS, parameters).fetchone()
        assert row is not None
        return Steadiness(*row)

    def retention(self, tenant_id: int) -> Mapping[str, int]:
        with borrow(self._pool) as connection:
            rows = connection.execute(
                "select kind, days from control.retention where tenant_id = %s order by kind", (tenant_id,)
            )
            return dict(rows.fetchall())

    def keep(self, tenant_id: int, days: Mapping[str, int | None]) -> Mapping[str, int]:
        with borrow(self._pool) as connection, connection.transaction():
            for kind, kept in days.items():
                if kept is None:
                    connection.execute(
                        "delete from control.retention where tenant_id = %s and kind = %s", (tenant_id, kind)
                    )
                else:
                    connection.execute(
                        """insert into control.retention (tenant_id, kind, days) values (%s, %s, %s)
                           on conflict (tenant_id, kind) do update set days = excluded.days""",
                        (tenant_id, kind, kept),
                    )
        return self.retention(tenant_id)
