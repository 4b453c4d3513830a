"""SQL of signals. Each reads a bounded past of the accounts asked for, and is left out where a company has no such data at all."""

from typing import LiteralString

# Counts of local days, of all accounts in four columns, of each measure those between two days. Of rolling figures deltas lie ahead too: on
# a day they are minus the sum of those after it.
DAYS: LiteralString = """
select array_send(array_agg(m.account_id)), array_send(array_agg(m.measure_id::int8)),
  array_send(array_agg((m.day - date '1970-01-01')::int8)), array_send(array_agg(m.value::int8))
from unnest(%(measures)s::int[], %(firsts)s::date[], %(lasts)s::date[]) as w(id, first, last)
cross join unnest(%(accounts)s::int8[]) as a(id)
join engine.measure_day m on m.measure_id = w.id and m.account_id = a.id and m.day between w.first and w.last
"""

STEPS: LiteralString = """
select s.account_id, w.name, s.entity, s.step, s.at, s.labels, coalesce(p.is_internal, false)
from unnest(%(measures)s::int[], %(names)s::text[], %(since)s::timestamptz[]) as w(id, name, since)
cross join unnest(%(accounts)s::int8[]) as a(id)
join engine.step s on s.account_id = a.id and s.measure_id = w.id and s.at >= w.since and s.at <= %(now)s
left join engine.person p on p.id = s.person_id
order by s.at, s.source collate "C", s.event_id collate "C"
"""

# People who were ever called champions: whether they still are, when they left, and on which days they were seen.
CHAMPIONS: LiteralString = """
select c.account_id, gone.at, days.seen
from (
  select distinct account_id, person_id from engine.trait
  where tenant_id = %(tenant_id)s and account_id = any(%(accounts)s) and person_id <> 0
    and (name = 'champion' and value = 'true' or name = 'role' and lower(value #>> '{}') = 'champion')
) c
cross join lateral (
  select bool_or(t.name = 'champion' and t.value = 'true' or t.name = 'role' and lower(t.value #>> '{}') = 'champion') as still
  from (
    select distinct on (t.name) t.name, t.value from engine.trait t
    where t.account_id = c.account_id and t.person_id = c.person_id and t.name in ('champion', 'role')
    order by t.name, t.at desc, t.source collate "C" desc, t.event_id collate "C" desc
  ) t
) marked
left join lateral (
  select t.at from (
    select t.at, t.value from engine.trait t
    where t.account_id = c.account_id and t.person_id = c.person_id and t.name = 'left'
    order by t.at desc, t.source collate "C" desc, t.event_id collate "C" desc limit 1
  ) t where t.value = 'true'
) gone on true
left join lateral (
  select array_send(array_agg((p.day - date '1970-01-01')::int8 order by p.day)) as seen from engine.presence p
  where p.measure_id = %(people)s and p.account_id = c.account_id and p.person_id = c.person_id
    and p.day between %(seen_from)s and %(today)s
) days on true
where marked.still
"""

ANSWERS: LiteralString = """
select r.account_id, r.person_id, r.answered_at, r.score::float8
from engine.answer r join engine.person p on p.id = r.person_id
where r.account_id = any(%(accounts)s) and r.kind = 'nps' and not r.transactional and not p.is_internal
  and r.answered_at between %(start_365)s and %(now)s
order by r.answered_at, r.source collate "C", r.event_id collate "C"
"""

# The last values of a trait, the newest first.
TRAITS: LiteralString = """
select a.id, w.name, t.at, t.value #>> '{}'
from unnest(%(accounts)s::int8[]) as a(id) cross join unnest(%(names)s::text[]) as w(name)
cross join lateral (
  select t.at, t.value, t.source, t.event_id from engine.trait t
  where t.account_id = a.id and t.person_id = 0 and t.name = w.name and t.at <= %(now)s
  order by t.at desc limit 20
) t
order by t.at desc, t.source collate "C" desc, t.event_id collate "C" desc
"""

# What was told before matters only for since when it holds.
BEFORE: LiteralString = """
select account_id, signals::text from engine.account_state where account_id = any(%(accounts)s) and signals @? '$.*.since'
"""

# When a company's data of each kind last happened.
NEWEST: LiteralString = """
select w.kind, max(d.day) from unnest(%(kinds)s::text[], %(ids)s::int[]) as w(kind, id)
cross join (select distinct partition from engine.progress) p
cross join lateral (
  select t.day from engine.total_day t
  where t.measure_id = w.id and t.partition = p.partition and t.day <= %(today)s and t.value > 0
  order by t.day desc limit 1
) d
group by w.kind
union all
select w.kind, max((s.at at time zone %(zone)s)::date)
from unnest(%(step_kinds)s::text[], %(step_ids)s::int[], %(steps)s::text[]) as w(kind, id, step)
cross join lateral (
  select s.at from engine.step s where s.measure_id = w.id and s.step = w.step and s.at <= %(now)s order by s.at desc limit 1
) s
group by w.kind
union all
select 'trait.' || w.name, (t.at at time zone %(zone)s)::date from unnest(%(traits)s::text[]) as w(name)
cross join lateral (
  select t.at from engine.trait t
  where t.tenant_id = %(tenant_id)s and t.name = w.name and t.person_id = 0 and t.at <= %(now)s order by t.at desc limit 1
) t
union all
select 'trait.seats', (c.event_at at time zone %(zone)s)::date from (
  select c.event_at from engine.subscription_change c
  where %(seats)s and c.tenant_id = %(tenant_id)s and c.seats is not null and c.event_at <= %(now)s order by c.event_at desc limit 1
) c
union all
select 'subscriptions', (m.at at time zone %(zone)s)::date from (
  select m.at from engine.mrr_change m where %(subscriptions)s and m.tenant_id = %(tenant_id)s and m.at <= %(now)s order by m.at desc limit 1
) m
union all
select 'person.champion', %(today)s where %(champions)s and exists (
  select from engine.trait where tenant_id = %(tenant_id)s and person_id <> 0
    and (name = 'champion' and value = 'true' or name = 'role' and lower(value #>> '{}') = 'champion')
)
"""

# What the accounts of each segment and country did on each day, and of a company as a whole where the segment is empty.
DAYS_TOGETHER: LiteralString = """
select m.trait, m.held, m.measure_id, array_send(array_agg((m.day - date '1970-01-01')::int8)), array_send(array_agg(m.value::int8))
from (
  select s.trait, s.held, m.measure_id, m.day, sum(m.value) as value
  from (
    select distinct on (t.name, t.account_id) t.account_id, t.name as trait, t.value #>> '{}' as held from engine.trait t
    where t.tenant_id = %(tenant_id)s and t.name in ('segment', 'country') and t.person_id = 0
    order by t.name, t.account_id, t.at desc, t.source collate "C" desc, t.event_id collate "C" desc
  ) s join engine.measure_day m on m.account_id = s.account_id
  where s.held is not null and m.measure_id = any(%(measures)s) and m.day between %(first)s and %(last)s
  group by s.trait, s.held, m.measure_id, m.day
  union all
  select 'segment', '', t.measure_id, t.day, sum(t.value) from engine.total_day t
  where t.measure_id = any(%(measures)s) and t.day between %(first)s and %(last)s group by t.measure_id, t.day
) m
group by m.trait, m.held, m.measure_id
"""
