"""SQL of account state.

A rolling figure on a day is the sum of its deltas up to that day; since all deltas of an entity sum to zero, it is also
minus the sum of those after it, which are at most a window's length of rows however long the history is.
"""

from typing import LiteralString

FACTS: LiteralString = """
select a.id, coalesce(traits.all_of_them, '{}'::jsonb)::text, traits.all_of_them ->> 'stage',
  traits.all_of_them ->> 'segment',
  case when %(knows_events_28d)s then coalesce(events.recent, 0)::int8 end,
  case when %(knows_active_users_7d)s then coalesce(seven.later, 0)::int8 end,
  case when %(knows_active_users_28d)s then coalesce(many.later, 0)::int8 end,
  case when %(knows_user_days_28d)s then coalesce(users.recent, 0)::int8 end,
  case when %(knows_user_days_base)s then coalesce(users.base, 0)::int8 end,
  case when %(knows_complaints_7d)s then coalesce(complaints.week, 0)::int8 end,
  case when %(knows_complaints_28d)s then coalesce(complaints.recent, 0)::int8 end,
  case when %(knows_complaints_before)s then coalesce(complaints.before, 0)::int8 end,
  days.active, answer.score, seen.first_event_at, seen.last_event_at, seen.last_activity_at, seen.newest_ingest_at
from unnest(%(accounts)s::int8[]) as wanted(id)
join engine.account a on a.id = wanted.id and a.gone_at is null
left join engine.account_seen seen on seen.account_id = a.id
left join lateral (
  select jsonb_object_agg(t.name, t.value) as all_of_them from (
    select distinct on (t.name) t.name, t.value from engine.trait t
    where t.account_id = a.id and t.person_id = 0
    order by t.name, t.at desc, t.source collate "C" desc, t.event_id collate "C" desc
  ) t where t.value <> 'null'::jsonb
) traits on true
left join lateral (
  select sum(m.value) as recent from engine.measure_day m
  where m.measure_id = %(events)s and m.account_id = a.id and m.day >= %(back_27)s
) events on true
left join lateral (
  select sum(m.value) filter (where m.day >= %(back_6)s) as week, sum(m.value) filter (where m.day >= %(back_27)s) as recent,
    sum(m.value) filter (where m.day < %(back_6)s) as before
  from engine.measure_day m
  where m.measure_id = %(complaints)s and m.account_id = a.id and m.day >= %(back_90)s
) complaints on true
left join lateral (
  select -sum(m.value) as later from engine.measure_day m
  where m.measure_id = %(active_users_7d)s and m.account_id = a.id and m.day > %(today)s
) seven on true
left join lateral (
  select -sum(m.value) as later from engine.measure_day m
  where m.measure_id = %(active_users_28d)s and m.account_id = a.id and m.day > %(today)s
) many on true
left join lateral (
  select sum(m.value) filter (where m.day >= %(back_28)s) as recent, sum(m.value) filter (where m.day < %(back_28)s) as base
  from engine.measure_day m
  where m.measure_id = %(active_users)s and m.account_id = a.id and m.day between %(back_56)s and %(back_1)s
) users on true
left join lateral (
  select array_send(array_agg((p.day - date '1970-01-01')::int8 order by p.day)) as active from engine.presence p
  where p.measure_id = %(active_accounts)s and p.account_id = a.id and p.person_id = %(itself)s
    and p.day between %(back_179)s and %(today)s
) days on true
left join lateral (
  select r.score from engine.answer r join engine.person p on p.id = r.person_id
  where r.account_id = a.id and r.kind = 'nps' and not r.transactional and not p.is_internal
    and r.answered_at >= %(start_179)s
  order by r.answered_at desc, r.source collate "C" desc, r.event_id collate "C" desc limit 1
) answer on true
"""

SAVE: LiteralString = """
insert into engine.account_state (account_id, tenant_id, traits, figures, mrr, first_event_at, last_event_at,
  last_activity_at, newest_ingest_at, computed_at, as_of, due_at, risk, renewal_risk, health, signals)
select t.account_id, %(tenant_id)s, t.traits, t.figures, t.mrr, t.first_event_at, t.last_event_at,
  t.last_activity_at, t.newest_ingest_at, %(now)s, %(as_of)s, t.due_at, t.risk, t.renewal_risk, t.health, t.signals
from jsonb_to_recordset(%(states)s::text::jsonb) as t(account_id bigint, traits jsonb, figures jsonb, mrr numeric,
  first_event_at timestamptz, last_event_at timestamptz, last_activity_at timestamptz, newest_ingest_at timestamptz,
  due_at timestamptz, risk jsonb, renewal_risk numeric, health jsonb, signals jsonb)
on conflict (account_id) do update set traits = excluded.traits, figures = excluded.figures, mrr = excluded.mrr,
  first_event_at = excluded.first_event_at, last_event_at = excluded.last_event_at,
  last_activity_at = excluded.last_activity_at, newest_ingest_at = excluded.newest_ingest_at,
  computed_at = excluded.computed_at, as_of = excluded.as_of, due_at = excluded.due_at,
  risk = excluded.risk, renewal_risk = excluded.renewal_risk,
  health = excluded.health, signals = excluded.signals
"""

# A day's health is the last one computed on it; days on which nothing changed have no row.
KEEP_HEALTH: LiteralString = """
insert into engine.health_day as kept (tenant_id, account_id, day, score, band, profile, definitions, computed_at)
select %(tenant_id)s, t.account_id, %(today)s, t.score, t.band, t.profile, t.definitions, %(now)s
from unnest(%(accounts)s::int8[], %(scores)s::numeric[], %(bands)s::text[], %(profiles)s::text[], %(versions)s::int4[])
  as t(account_id, score, band, profile, definitions)
left join lateral (
  select h.score, h.band, h.profile, h.definitions from engine.health_day h
  where h.account_id = t.account_id and h.day <= %(today)s order by h.day desc limit 1
) before on true
where (before.profile, before.score, before.band, before.definitions)
  is distinct from (t.profile, t.score, t.band, t.definitions)
on conflict (account_id, day) do update set score = excluded.score, band = excluded.band, profile = excluded.profile,
  definitions = excluded.definitions, computed_at = excluded.computed_at
"""

# In the order of due_at, whose partition they may be. A planner that is asked for some partitions only looks at all accounts for each
# few hundred, as a join or as a condition, wherever it knows too little of the table.
DUE: LiteralString = """
select s.tenant_id, s.account_id, (select a.partition from engine.account a where a.id = s.account_id)
from (select tenant_id, account_id, due_at from engine.account_state where due_at <= %(now)s order by due_at limit %(looked)s) s
order by s.due_at
"""

RATES_TOLD: LiteralString = "select id, rates_told from control.tenant where rates_told > 0"
# Accounts that were ever worth something in another currency than their tenant's.
RERATED: LiteralString = """
with homes as materialized (
  select t.id, coalesce((select d.body #>> '{settings,currency}' from control.definition d
    join published.definition p using (tenant_id, version) where d.tenant_id = t.id and p.served), 'EUR') as currency from unnest(%(tenants)s::int4[]) as t(id)
)
update engine.account_state set due_at = %(now)s
where due_at > %(now)s and account_id = any(array(
  select distinct m.account_id from homes join engine.mrr_change m on m.tenant_id = homes.id and m.currency <> homes.currency))
"""

# Accounts that were computed before the definitions in force were, or in the minute in which their engine may not have heard of it.
REDEFINED: LiteralString = """
with served as materialized (select tenant_id, ready_at + interval '1 minute' as heard_by from published.definition where served)
update engine.account_state as s set due_at = %(now)s
from served join engine.account a on a.tenant_id = served.tenant_id
where s.account_id = a.id and a.partition = any(%(partitions)s) and s.due_at > %(now)s and s.computed_at < served.heard_by
"""

# Of these accounts those that were computed before a version was in force that says anew what activity is, or soon after.
BY_FORMER: LiteralString = """
select s.account_id, past.kept_from from published.definition d
join engine.account_state s on s.account_id = any(%(accounts)s) and s.computed_at < d.ready_at + interval '1 minute'
left join published.definition_past past on past.tenant_id = d.tenant_id and past.version = d.version
where d.tenant_id = %(tenant_id)s and d.version = %(version)s
"""

# User-days of each segment in the last 28 finished days and in the 28 before, of accounts that had some then: like with like.
TRENDS: LiteralString = """
select m.held, sum(m.recent)::int8, sum(m.base)::int8
from (
  select s.held, coalesce(sum(d.value) filter (where d.day >= %(back_28)s), 0) as recent,
    coalesce(sum(d.value) filter (where d.day < %(back_28)s), 0) as base
  from (
    select distinct on (t.account_id) t.account_id, t.value #>> '{}' as held from engine.trait t
    where t.tenant_id = %(tenant_id)s and t.name = 'segment' and t.person_id = 0
    order by t.account_id, t.at desc, t.source collate "C" desc, t.event_id collate "C" desc
  ) s
  join engine.measure_day d
    on d.account_id = s.account_id and d.measure_id = %(compared)s and d.day between %(back_56)s and %(back_1)s
  where s.held is not null group by s.account_id, s.held
) m
where m.base > 0 group by m.held
"""

# Accounts whose figures were computed against another trend of their segment than holds now are due at once, and those of whom
# a signal said nothing for want of data that has come since.
OVERTAKEN: LiteralString = """
update engine.account_state as kept set due_at = %(now)s
from engine.account_state s
left join unnest(%(segments)s::text[], %(trends)s::float8[]) as t(segment, trend) on t.segment = coalesce(s.figures ->> 'segment', '')
where kept.account_id = s.account_id and s.tenant_id = %(tenant_id)s and s.due_at > %(now)s
  and ((t.trend is null) <> (s.figures ->> 'segment_login_trend' is null)
       or abs(t.trend - (s.figures ->> 'segment_login_trend')::float8) >= %(least)s
       or (cardinality(%(awoken)s::text[]) > 0 and exists (
         select from jsonb_each(s.signals) told
         where told.key = any(%(awoken)s::text[]) and told.value ->> 'why' in ('never-seen', 'source-quiet'))))
"""
