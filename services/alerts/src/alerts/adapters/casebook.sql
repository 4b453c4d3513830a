-- name: list_cases
-- A page of cases, newest first.
select {view} from alerts.v_any_case c
where c.tenant_id = %(tenant)s and c.queue = %(queue)s
  and (%(before)s::text is null
       or (c.opened_at, c.id) < (select b.opened_at, b.id from alerts."case" b where b.tenant_id = %(tenant)s and b.id = %(before)s))
  and (%(status)s::text[] is null or c.status = any(%(status)s))
  and (%(account)s::text is null or c.account = %(account)s)
  and (%(origin)s::text is null or c.origin = %(origin)s)
  and (%(severity)s::text[] is null or c.severity = any(%(severity)s))
  and (%(responsible)s::text[] is null or c.responsible = any(%(responsible)s))
  and (%(family)s::text is null or c.family = %(family)s)
  and (%(rule)s::text is null or exists (select 1 from alerts.alert a where a.case_id = c.id and a.rule = %(rule)s))
order by c.opened_at desc, c.id desc limit %(limit)s;

-- name: work_queue
-- The same by what is at stake.
select {view} from alerts.v_any_case c
where c.tenant_id = %(tenant)s and c.queue = %(queue)s
  and (%(before)s::text is null or (c.priority, c.id) < (%(before_priority)s::numeric, %(before)s))
  and (%(status)s::text[] is null or c.status = any(%(status)s))
  and (%(account)s::text is null or c.account = %(account)s)
  and (%(origin)s::text is null or c.origin = %(origin)s)
  and (%(severity)s::text[] is null or c.severity = any(%(severity)s))
  and (%(responsible)s::text[] is null or c.responsible = any(%(responsible)s))
  and (%(family)s::text is null or c.family = %(family)s)
  and (%(rule)s::text is null or exists (select 1 from alerts.alert a where a.case_id = c.id and a.rule = %(rule)s))
order by c.priority desc, c.id desc limit %(limit)s;

-- name: one_case
select {view} from alerts.v_any_case c where c.tenant_id = %(tenant)s and c.id = %(id)s;

-- name: case_alerts
select case_id, id, rule, label, severity, state, reason, since_at, fired_at, recovering_since, no_data_since, ended_at, evidence, figures
from alerts.alert where tenant_id = %(tenant)s and case_id = any(%(ids)s) order by since_at, id;

-- name: case_actions
select at, kind, actor, detail from alerts.action where tenant_id = %(tenant)s and case_id = %(id)s order by id;

-- name: receivers
select name, origin, kind, target, channel, person, events, min_severity, allow_private, created_at, disabled_at, disabled_reason, last_success_at
from alerts.receiver where tenant_id = %(tenant)s order by name;

-- name: receiver_origin
select id, origin from alerts.receiver where tenant_id = %(tenant)s and name = %(name)s for update;

-- name: add_receiver
insert into alerts.receiver (tenant_id, name, origin, kind, target, channel, person, secrets, events, min_severity, allow_private, created_at)
values (%(tenant)s, %(name)s, 'api', %(kind)s, %(target)s, %(channel)s, %(person)s, %(secrets)s, %(events)s, %(min_severity)s, %(allow_private)s, %(created_at)s)
on conflict do nothing returning id;

-- name: rotate_secret
-- The new secret signs first, the one before it for as long as it stays; older ones end.
update alerts.receiver set secrets = array[%(secret)s::text] || secrets[1:1] where id = %(id)s;

-- name: enable_receiver
update alerts.receiver set disabled_at = null, disabled_reason = null where id = %(id)s;

-- name: drop_pending_of_receiver
update alerts.notification set status = 'failed', reason = 'receiver-deleted', lease_owner = null, lease_until = null
where receiver_id = %(id)s and status = 'pending';

-- name: delete_receiver
delete from alerts.receiver where id = %(id)s;

-- name: list_silences
select id, account, rule, starts_at, ends_at, comment, created_by, created_at from alerts.silence
where tenant_id = %(tenant)s and (%(with_ended)s or ends_at > %(now)s) order by id desc limit 1000;

-- name: add_silence
insert into alerts.silence (id, tenant_id, account, rule, starts_at, ends_at, comment, created_by, created_at)
values (%(id)s, %(tenant)s, %(account)s, %(rule)s, %(starts_at)s, %(ends_at)s, %(comment)s, %(created_by)s, %(created_at)s);

-- name: end_silence
update alerts.silence set ends_at = %(now)s where tenant_id = %(tenant)s and id = %(id)s and starts_at < %(now)s and ends_at > %(now)s;

-- name: drop_silence
delete from alerts.silence where tenant_id = %(tenant)s and id = %(id)s and starts_at >= %(now)s;

-- name: knows_silence
select 1 from alerts.silence where tenant_id = %(tenant)s and id = %(id)s;

-- name: list_notifications
select id, type, receiver, case_id, status, reason, attempts, created_at, next_attempt_at, delivered_at from alerts.notification
where tenant_id = %(tenant)s and (%(before)s::text is null
    or seq < (select b.seq from alerts.notification b where b.tenant_id = %(tenant)s and b.id = %(before)s))
  and (%(status)s::text[] is null or status = any(%(status)s)) and (%(case)s::text is null or case_id = %(case)s)
  and (%(receiver)s::text is null or receiver = %(receiver)s)
order by seq desc limit %(limit)s;

-- name: one_notification
select id, type, receiver, case_id, status, reason, attempts, created_at, next_attempt_at, delivered_at, body from alerts.notification
where tenant_id = %(tenant)s and id = %(id)s;

-- name: attempts
select number, started_at, finished_at, outcome, reason, status_code from alerts.attempt where notification_id = %(id)s order by number;

-- name: resend
-- Under the same id: whoever got it already can tell. Not while a worker has it, nor when its receiver is gone.
update alerts.notification set status = 'pending', reason = 'sent-again', round = 0, next_attempt_at = %(now)s, delivered_at = null
where tenant_id = %(tenant)s and id = %(id)s and receiver_id is not null and (lease_until is null or lease_until <= %(now)s) returning id;
