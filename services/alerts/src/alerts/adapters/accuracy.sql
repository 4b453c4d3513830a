-- name: rule_versions
-- Every version's rules and what they rest on, the oldest first.
select d.version, d.applied_at, d.body->'rules', d.body->'signals' from control.definition d
where d.tenant_id = %(tenant)s and d.version <= (select version from published.definition where tenant_id = %(tenant)s and served)
order by d.version;

-- name: fired_episodes
select account_id, fired_at, mode, rule, case_id, state = 'withdrawn' from alerts.alert
where tenant_id = %(tenant)s and fired_at is not null order by fired_at, id;

-- name: open_times
select account_id, queue, opened_at, resolved_at from alerts."case" where tenant_id = %(tenant)s order by opened_at;

-- name: verdicts
select distinct on (case_id) case_id, "real" from alerts.verdict where tenant_id = %(tenant)s order by case_id, id desc;

-- name: contracts
select account_id, subscription, effective_at, event_at, source, event_id, kind, mrr, term_end, currency, product, notice_deadline, reason
from published.subscription_change where tenant_id = %(tenant)s;

-- name: owners_and_segments
select account_id, at, name, value from published.trait where tenant_id = %(tenant)s and person_id = 0 and name in ('owner', 'segment')
order by account_id, at, source collate "C", event_id collate "C";

-- name: rates
select currency, day, rate from published.rate where tenant_id = %(tenant)s and quote = %(home)s order by currency, day;

-- name: names_of
select account_id, account from published.account where tenant_id = %(tenant)s and account_id = any(%(ids)s);

-- name: measured_tenants
-- Tenants with definitions whose figures are whole: no load of history is under way.
select d.tenant_id from control.definition d
where not exists (
  select from control.load l where l.tenant_id = d.tenant_id and l.ended_at is null and l.heartbeat_at > %(now)s - interval '5 minutes'
)
group by d.tenant_id order by d.tenant_id;

-- name: past_of
select concat_ws('/', (select count(*) || ':' || max(coalesce(ended_at, heartbeat_at)) from control.load where tenant_id = %(tenant)s),
  (select max(seq) from control.control_log where tenant_id = %(tenant)s));

-- name: replays
select rule, fingerprint, through, past, warnings, since, note from alerts.replayed where tenant_id = %(tenant)s;

-- name: save_replay
insert into alerts.replayed (tenant_id, rule, fingerprint, through, past, warnings, since, note, computed_at)
values (%(tenant)s, %(rule)s, %(fingerprint)s, %(through)s, %(past)s, %(warnings)s, %(since)s, %(note)s, %(now)s)
on conflict (tenant_id, rule) do update set fingerprint = excluded.fingerprint, through = excluded.through, past = excluded.past,
  warnings = excluded.warnings, since = excluded.since, note = excluded.note, computed_at = excluded.computed_at;

-- name: summaries
select kind, name, words, verdicts from alerts.record where tenant_id = %(tenant)s order by kind, name;

-- name: drop_summaries
delete from alerts.record where tenant_id = %(tenant)s and (kind, name) not in (select * from unnest(%(kinds)s::text[], %(names)s::text[]));

-- name: save_summaries
insert into alerts.record (tenant_id, kind, name, words, verdicts, computed_at)
select %(tenant)s, kind, name, words, verdicts, %(now)s
from unnest(%(kinds)s::text[], %(names)s::text[], %(words)s::text[], %(verdicts)s::int[]) as s(kind, name, words, verdicts)
on conflict (tenant_id, kind, name) do update set words = excluded.words, verdicts = excluded.verdicts, computed_at = excluded.computed_at;

-- name: freeze
insert into alerts.frozen_record (tenant_id, kind, name, month, fingerprint, record, frozen_at)
values (%(tenant)s, %(kind)s, %(name)s, %(month)s, %(fingerprint)s, %(record)s, %(at)s) on conflict do nothing;

-- name: frozen
select kind, name, month, fingerprint, record, frozen_at from alerts.frozen_record
where tenant_id = %(tenant)s and kind = %(kind)s and name = %(name)s order by month desc limit 24;

-- name: months_frozen
select kind, name from alerts.frozen_record where tenant_id = %(tenant)s and month = %(month)s;

-- name: score_versions
-- What every version says of health and of risk, the oldest first.
select d.version, d.body->'health', d.body->'risk', d.body->'risk_settings', d.body->'signals' from control.definition d
where d.tenant_id = %(tenant)s and d.version <= (select version from published.definition where tenant_id = %(tenant)s and served)
order by d.version;

-- name: bands
-- Days on which an account's band became another one, since when there is any, and whether one was known to be something else before.
select account_id, computed_at, band, before, since, known_before from (
  select account_id, computed_at, band, lag(band) over its as before, row_number() over its > 1 as known_before, min(computed_at) over () as since
  from published.health_day where tenant_id = %(tenant)s and definitions >= %(version)s
  window its as (partition by account_id order by day)
) d where not known_before or band is distinct from before order by computed_at, account_id;

-- name: risks
-- When the probability of losing a renewal rose to one half, and since when there is any by the same method: every version of a model is
-- one of its own, the score is one. An account's first one by a method rose for nobody to see. A renewal's risk is held against its own of
-- before, or against one of which it was not kept whose it was.
select account_id, computed_at, made_by,
       probability >= 0.5 and (before is null or before < 0.5) and row_number() over (partition by account_id, made_by order by day) > 1 as rose,
       min(computed_at) over (partition by made_by) as since, subscription
from (
  select account_id, day, computed_at, probability, subscription,
         coalesce(lag(probability) over (partition by account_id, subscription order by day),
                  case when lag(subscription) over its is null then lag(probability) over its end) as before,
         case method when 'model' then 'model-v' || version else method end as made_by
  from published.risk_day
  where tenant_id = %(tenant)s and (method is distinct from 'score' or version >= %(version)s)
  window its as (partition by account_id order by day)
) d where made_by is not null order by computed_at, account_id;

-- name: mark
-- Another text once anything was written that a record is made of.
select concat_ws('/',
  (select max(id) from alerts.verdict where tenant_id = %(tenant)s), (select max(updated_at) from alerts.alert where tenant_id = %(tenant)s),
  (select max(updated_at) from alerts."case" where tenant_id = %(tenant)s), (select max(computed_at) from alerts.replayed where tenant_id = %(tenant)s),
  (select version from published.definition where tenant_id = %(tenant)s and served), (select sum(batch_no) from published.progress));
