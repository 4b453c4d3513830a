-- name: progress
-- How far the engine is on each partition of the events topic.
select partition, batch_no, dirty_accounts, applied_at, updated_at, settled_at from published.progress where topic = %(topic)s order by partition;

-- name: changed_accounts
-- Accounts whose state ranges of batches computed, of tenants that are not loading, and when each was last computed.
select a.partition, a.account_id, a.computed_at from (
  select distinct unnest(c.computed_ids) as account_id
  from unnest(%(partitions)s::int[], %(after)s::bigint[], %(through)s::bigint[]) as s(partition, after, through)
  join published.change c on c.partition = s.partition and c.batch_no > s.after and c.batch_no <= s.through
  where c.tenant_id <> all(%(without)s::int[])
) c join published.account a using (account_id) where a.computed_at is not null
order by 2;

-- name: accounts_of_partition
select account_id, tenant_id from published.account
where partition = %(partition)s and account_id > %(after)s order by account_id limit %(limit)s;

-- name: accounts_of_tenant
select account_id from published.account
where tenant_id = %(tenant)s and account_id > %(after)s order by account_id limit %(limit)s;

-- name: accounts
-- The state of accounts; those not computed yet are left out.
select account_id, tenant_id, account, traits, figures, mrr, newest_ingest_at, computed_at, signals from published.account
where account_id = any(%(ids)s) and computed_at is not null order by account_id;

-- name: gone_accounts
-- Accounts of which nothing is left since then, with live alerts. Nothing is known of them.
select g.account_id, g.tenant_id, g.account, null, null, null, null, g.gone_at, null from published.gone_account g
where g.gone_at >= %(since)s and exists (
  select from alerts.alert l where l.tenant_id = g.tenant_id and l.account_id = g.account_id and l.state in ('pending', 'firing', 'standing'))
order by g.account_id limit %(limit)s;

-- name: arrivals
-- What arrived for each account since it was last looked at, by what it says about a rule. `earliest` is a constant, so that only the
-- raw events of the last days are looked into, whatever the history; each chunk is unpacked once, however many accounts of it are asked about.
select q.n,
       count(*) filter (where e.type = any(q.types) and e.event_at > %(now)s - interval '24 hours'),
       count(*) filter (where e.event_at < e.ingested_at - interval '24 hours'),
       count(*) filter (where (q.any_type or e.type = any(q.types)) and e.event_at < q.fired_at),
       count(*) filter (where (q.any_type or e.type = any(q.types)) and e.event_at >= q.fired_at)
from jsonb_to_recordset(%(questions)s) as q(n int, account_id bigint, types text[], any_type boolean, after timestamptz, stored_since timestamptz, fired_at timestamptz)
join published.raw_event e on e.chunk_accounts && %(accounts)s::bigint[] and e.chunk_arrived_at > %(earliest)s and e.ingested_at > %(earliest)s
                          and e.account_id = q.account_id and e.chunk_arrived_at > q.stored_since and e.ingested_at > q.after
group by q.n;

-- name: open_renewals
-- Of these accounts, as everybody is shown them.
select account_id, mrr, probability, at_risk, notice_deadline from published.renewal_risk
where account_id = any(%(ids)s) and mrr > 0 order by account_id, decide_by, subscription;

-- name: loads
-- Loads that were not swept through yet: those of a tenant that began after, or had not ended by, its last sweep.
-- A backfill that is being counted or taken back is one of them, until every partition is done with it.
with load as (
  select tenant_id, started_at, heartbeat_at, ended_at from control.load
  union all
  select c.tenant_id, c.created_at, coalesce(d.applied_at, now()), d.applied_at from control.control_log c
  left join lateral (
    select max(r.applied_at) as applied_at from published.control_result r where r.tenant_id = c.tenant_id and r.seq = c.seq
    having count(*) >= (select count(*) from published.progress p where p.topic = %(topic)s)
  ) d on true
  where c.kind in ('backfill_closed', 'backfill_reverted')
)
select l.tenant_id, l.started_at, l.heartbeat_at, l.ended_at from load l
left join alerts.sweep s on s.tenant_id = l.tenant_id
where s.tenant_id is null or s.next_account_id is not null or coalesce(l.ended_at, l.heartbeat_at) > s.through
order by l.tenant_id, l.started_at;

-- name: cursors
select partition, batch_no, sweep_after, updated_at from alerts.cursor where partition = any(%(partitions)s);

-- name: save_cursors
insert into alerts.cursor (partition, batch_no, sweep_after, updated_at)
select * from unnest(%(partitions)s::int[], %(batches)s::bigint[], %(sweeps)s::bigint[], %(updated)s::timestamptz[])
on conflict (partition) do update set batch_no = excluded.batch_no, sweep_after = excluded.sweep_after, updated_at = excluded.updated_at;

-- name: make_watches
insert into alerts.watch (account_id, tenant_id) select * from unnest(%(ids)s::bigint[], %(tenants)s::int[]) on conflict do nothing;

-- name: lock_watches
select account_id, evaluated_at, ingest_at, expected_until from alerts.watch
where account_id = any(%(ids)s) order by account_id for update;

-- name: save_watches
update alerts.watch w set evaluated_at = v.evaluated_at, ingest_at = v.ingest_at, expected_until = v.expected_until
from unnest(%(ids)s::bigint[], %(evaluated)s::timestamptz[], %(ingest)s::timestamptz[], %(expected)s::timestamptz[])
  as v(account_id, evaluated_at, ingest_at, expected_until)
where w.account_id = v.account_id;

-- name: live_alerts
select {alert} from alerts.alert where account_id = any(%(ids)s) and state in ('pending', 'firing', 'standing');

-- name: alerts_of_cases
select {alert} from alerts.alert where case_id = any(%(ids)s) order by since_at, id;

-- name: due_alerts
select account_id from alerts.alert where due_at <= %(now)s and tenant_id <> all(%(without)s::int[]) order by due_at limit %(limit)s;

-- name: save_alerts
insert into alerts.alert ({alert}, updated_at)
select {alert}, updated_at from json_populate_recordset(null::alerts.alert, %(rows)s)
on conflict (id) do update set severity = excluded.severity, label = excluded.label, evidence = excluded.evidence, figures = excluded.figures,
  case_id = excluded.case_id, state = excluded.state, reason = excluded.reason, fired_at = excluded.fired_at,
  recovering_since = excluded.recovering_since, no_data_since = excluded.no_data_since, ended_at = excluded.ended_at, due_at = excluded.due_at,
  updated_at = excluded.updated_at;

-- name: open_cases
select {case} from alerts."case" where account_id = any(%(ids)s) and status <> 'resolved' order by account_id for update;

-- name: lock_untold_cases
-- Never waits for a lock, so that many can be held at once.
select {case} from alerts."case" where untold and status <> 'resolved' and id > %(after)s order by id limit %(limit)s for update skip locked;

-- name: account_of_case
select account_id from alerts."case" where tenant_id = %(tenant)s and id = %(id)s;

-- name: lock_case
select {case} from alerts."case" where tenant_id = %(tenant)s and id = %(id)s for update;

-- name: save_cases
insert into alerts."case" ({case})
select {case} from json_populate_recordset(null::alerts."case", %(rows)s)
on conflict (id) do update set status = excluded.status, severity = excluded.severity, updated_at = excluded.updated_at, acknowledged_at = excluded.acknowledged_at,
  acknowledged_by = excluded.acknowledged_by, assignee = excluded.assignee, snoozed_until = excluded.snoozed_until,
  recovered_at = excluded.recovered_at, resolved_at = excluded.resolved_at, resolution = excluded.resolution, told_severity = excluded.told_severity,
  told_rules = excluded.told_rules, untold = excluded.untold, probability = excluded.probability, probability_from = excluded.probability_from,
  money_at_risk = excluded.money_at_risk, notice_deadline = excluded.notice_deadline, priority = excluded.priority, paging = excluded.paging,
  paged_at = excluded.paged_at, held = excluded.held, touched_at = excluded.touched_at, lapsed_at = excluded.lapsed_at, due_at = excluded.due_at,
  parent = excluded.parent, family = excluded.family;

-- name: announce
-- One lock for all writers, held to the commit, so that numbers become visible in order and a reader that saw n misses nothing below it.
with s as (update alerts.change_seq set last = last + %(count)s returning last)
insert into alerts.change (seq, tenant_id, case_id, account_id)
select s.last - %(count)s + c.n, c.tenant_id, c.case_id, c.account_id
from s, unnest(%(tenants)s::int[], %(cases)s::text[], %(accounts)s::bigint[]) with ordinality as c(tenant_id, case_id, account_id, n);

-- name: notify_changes
select pg_notify('bellwether_alerts', (select last::text from alerts.change_seq));

-- name: notify_outbox
select pg_notify('bellwether_outbox', '');

-- name: targets
select id, name, events, min_severity, disabled_at is not null, kind from alerts.receiver where tenant_id = %(tenant)s order by id;

-- name: told_receivers
select distinct case_id, receiver_id from alerts.notification where case_id = any(%(cases)s) and receiver_id is not null and type in ('case.opened', 'case.worsened', 'case.lapsed', 'case.escalated');

-- name: silences
select id, account, rule, starts_at, ends_at, comment, created_by, created_at from alerts.silence
where tenant_id = %(tenant)s and ends_at > %(now)s order by id desc;

-- name: add_notifications
-- A receiver that was deleted meanwhile gets nothing; what was written before is not written again. `seq` keeps their order.
insert into alerts.notification (id, tenant_id, receiver_id, receiver, case_id, type, body, created_at, occasion, status, next_attempt_at)
select n.id, n.tenant_id, r.id, r.name, n.case_id, n.type, n.body, n.created_at, n.occasion, 'pending', n.created_at
from json_populate_recordset(null::alerts.notification, %(rows)s) with ordinality n
join alerts.receiver r on r.id = n.receiver_id and r.tenant_id = n.tenant_id
order by n.ordinality
on conflict (id) do nothing;

-- name: record
insert into alerts.action (tenant_id, case_id, at, kind, actor, detail) values (%(tenant)s, %(case)s, %(at)s, %(kind)s, %(actor)s, %(detail)s);

-- name: save_verdict
insert into alerts.verdict (tenant_id, case_id, account_id, "real", said_by, said_at)
values (%(tenant)s, %(case)s, %(account)s, %(real)s, %(actor)s, %(at)s);

-- name: sweep
select tenant_id, through, next_account_id, cases_opened from alerts.sweep where tenant_id = %(tenant)s for update;

-- name: save_sweep
insert into alerts.sweep (tenant_id, through, next_account_id, cases_opened) values (%(tenant)s, %(through)s, %(next)s, %(opened)s)
on conflict (tenant_id) do update set through = excluded.through, next_account_id = excluded.next_account_id, cases_opened = excluded.cases_opened;

-- name: tidy_changes
delete from alerts.change where written_at < clock_timestamp() - interval '1 day';

-- name: tidy_turns
-- Longer than definitions may look back.
delete from alerts.turn where at < %(now)s - interval '90 days';

-- name: lease
select name, pg_try_advisory_lock(%(space)s, hashtext(name)) from unnest(%(names)s::text[]) as name;

-- name: release
select pg_advisory_unlock(%(space)s, hashtext(name)) from unnest(%(names)s::text[]) as name;
