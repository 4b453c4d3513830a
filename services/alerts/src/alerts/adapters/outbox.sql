-- name: claim
-- Takes due notices under a lease, oldest first, passing over receivers that are busy enough. A lease that ran out is free again.
-- What is about one case reaches a receiver in its order: a later notice waits until the one before it is delivered or given up.
with due as (
  select n.id from alerts.notification n
  where n.status = 'pending' and n.next_attempt_at <= %(now)s and (n.lease_until is null or n.lease_until <= %(now)s)
    and n.receiver_id <> all(%(busy)s::bigint[])
    and not exists (select from alerts.notification e where e.case_id = n.case_id and e.receiver_id = n.receiver_id and e.seq < n.seq and e.status = 'pending')
  order by n.next_attempt_at, n.seq limit %(limit)s for update skip locked
)
update alerts.notification n
set lease_owner = %(owner)s, lease_until = %(until)s, attempts = n.attempts + 1, round = n.round + 1
from due, alerts.receiver r
where n.id = due.id and r.id = n.receiver_id
returning n.id, n.tenant_id, n.type, n.body, n.created_at, n.attempts, n.round,
          r.id, r.name, r.kind, r.target, r.secrets, r.allow_private, r.channel, r.disabled_at is not null,
          (select e.reference from alerts.notification e
           where e.case_id = n.case_id and e.receiver_id = n.receiver_id and e.reference is not null order by e.seq limit 1);

-- name: next_due
select min(greatest(next_attempt_at, coalesce(lease_until, next_attempt_at))) from alerts.notification where status = 'pending';

-- name: settle
-- Only by who holds the lease: a worker that was too slow must not undo what another one found. Attempts are logged, and who took one was there.
with v as (
  select * from json_to_recordset(%(rows)s) as v(id text, number int, status text, reason text, next_attempt_at timestamptz, delivered_at timestamptz,
    reference text, started_at timestamptz, finished_at timestamptz, outcome text, status_code int)
), done as (
  update alerts.notification n
  set status = v.status, reason = v.reason, next_attempt_at = v.next_attempt_at, delivered_at = v.delivered_at,
    reference = coalesce(v.reference, n.reference), lease_owner = null, lease_until = null
  from v where n.id = v.id and n.lease_owner = %(owner)s returning n.id, n.receiver_id, v.delivered_at
), logged as (
  insert into alerts.attempt (notification_id, number, started_at, finished_at, outcome, reason, status_code)
  select v.id, v.number, v.started_at, v.finished_at, v.outcome, v.reason, v.status_code from v join done using (id) on conflict do nothing
), took as (
  select receiver_id, max(delivered_at) as at from done where delivered_at is not null group by 1
), succeeded as (
  update alerts.receiver r set last_success_at = took.at from took
  where r.id = took.receiver_id and (r.last_success_at is null or r.last_success_at < took.at - interval '1 minute')
)
select id from done;

-- name: disable_receiver
update alerts.receiver set disabled_at = %(now)s, disabled_reason = %(reason)s where id = %(receiver)s and disabled_at is null returning tenant_id, name;

-- name: times_disabled
-- The line, and how often a receiver of this name was disabled, this time counted.
select line, (select count(*) from alerts.action where tenant_id = %(tenant)s and kind = 'receiver-disabled' and detail ->> 'receiver' = %(name)s)
from alerts.installation;

-- name: has_succeeded_since
select last_success_at >= %(since)s from alerts.receiver where id = %(receiver)s;

-- name: fail_of_receiver
update alerts.notification set status = 'failed', reason = 'receiver-disabled', lease_owner = null, lease_until = null
where receiver_id = %(receiver)s and status = 'pending' and lease_owner is null;

-- name: release_leases
update alerts.notification set lease_owner = null, lease_until = null, attempts = attempts - 1, round = round - 1
where lease_owner = %(owner)s and id = any(%(ids)s) and status = 'pending';
