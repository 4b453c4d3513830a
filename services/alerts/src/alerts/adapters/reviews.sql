-- name: tenants
select id from control.tenant order by id;

-- name: new_losses
-- Accounts whose revenue is nothing now and fell to that since then; a review of a loss half a year before, or a day after, is about the same.
with fell as (
  select distinct account_id from published.mrr_change
  where tenant_id = %(tenant)s and at > %(since)s and at <= %(now)s and delta < 0
), level as (
  select f.account_id, m.currency, sum(m.delta) as now_mrr, max(m.at) filter (where m.delta < 0) as at
  from fell f join published.mrr_change m on m.account_id = f.account_id and m.tenant_id = %(tenant)s and m.at <= %(now)s
  group by 1, 2
), lost as (
  select account_id, max(at) as lost_at from level group by 1 having bool_and(now_mrr <= 0) and max(at) > %(since)s
)
select %(tenant)s::int, l.account_id, l.lost_at,
       (select case when bool_and(m.currency = coalesce(d.body #>> '{settings,currency}', 'EUR')) then sum(m.delta) end
        from published.mrr_change m
        left join lateral (select body from control.definition where tenant_id = %(tenant)s order by version desc limit 1) d on true
        where m.account_id = l.account_id and m.tenant_id = %(tenant)s and m.at < l.lost_at)
from lost l
where not exists (
  select from alerts.loss_review r where r.account_id = l.account_id and r.lost_at > l.lost_at - interval '180 days'
    and r.lost_at <= l.lost_at + interval '1 day'
)
order by l.lost_at, l.account_id;

-- name: returned
select r.id from alerts.loss_review r join published.account a on a.account_id = r.account_id
where r.tenant_id = %(tenant)s and r.status = 'open' and r.opened_by = 'alerts' and r.lost_at > %(since)s
  and a.mrr > 0 and a.as_of > r.lost_at;

-- name: alerts_of_account
select {alert} from alerts.alert
where account_id = %(account)s and mode = 'live' and coalesce(ended_at, 'infinity') > %(since)s order by since_at, id limit 200;

-- name: last_case
select id from alerts."case" where tenant_id = %(tenant)s and account_id = %(account)s and queue = 'risk' order by opened_at desc, id desc limit 1;

-- name: changes_of_account
select subscription, effective_at, event_at, source, event_id, kind, mrr, term_end, currency, product, notice_deadline, reason
from published.subscription_change where tenant_id = %(tenant)s and account_id = %(account)s;

-- name: account_id_of
select account_id from published.account where tenant_id = %(tenant)s and account = %(account)s;

-- name: add_review
insert into alerts.loss_review (id, tenant_id, account_id, case_id, status, lost_at, opened_at, opened_by, mrr, owner, proposal, cause, should_have_fired,
  comment, completed_at, completed_by)
values (%(id)s, %(tenant_id)s, %(account_id)s, %(case_id)s, %(status)s, %(lost_at)s, %(opened_at)s, %(opened_by)s, %(mrr)s, %(owner)s, %(proposal)s,
  %(cause)s, %(should_have_fired)s, %(comment)s, %(completed_at)s, %(completed_by)s)
on conflict (tenant_id, account_id) where status = 'open' do nothing;

-- name: lock_review
select id, tenant_id, account_id, case_id, status, lost_at, opened_at, opened_by, mrr, owner, proposal, cause, should_have_fired, comment,
       completed_at, completed_by
from alerts.loss_review where tenant_id = %(tenant)s and id = %(id)s for update;

-- name: save_review
update alerts.loss_review set status = %(status)s, cause = %(cause)s, should_have_fired = %(should_have_fired)s, comment = %(comment)s,
  completed_at = %(completed_at)s, completed_by = %(completed_by)s
where id = %(id)s and tenant_id = %(tenant_id)s;

-- name: reviews
select r.id, r.tenant_id, r.account_id, r.case_id, r.status, r.lost_at, r.opened_at, r.opened_by, r.mrr, r.owner, r.proposal, r.cause,
       r.should_have_fired, r.comment, r.completed_at, r.completed_by, a.account, a.traits ->> 'name'
from alerts.loss_review r join published.account a on a.account_id = r.account_id
where r.tenant_id = %(tenant)s and (%(status)s::text[] is null or r.status = any(%(status)s))
  and (%(account)s::text is null or a.account = %(account)s) and (%(before)s::text is null or r.id < %(before)s)
order by r.id desc limit %(limit)s;

-- name: review
select r.id, r.tenant_id, r.account_id, r.case_id, r.status, r.lost_at, r.opened_at, r.opened_by, r.mrr, r.owner, r.proposal, r.cause,
       r.should_have_fired, r.comment, r.completed_at, r.completed_by, a.account, a.traits ->> 'name'
from alerts.loss_review r join published.account a on a.account_id = r.account_id
where r.tenant_id = %(tenant)s and r.id = %(id)s;

-- name: last_beat_at
select sent_at from alerts.heartbeat where tenant_id = %(tenant)s;

-- name: beat
insert into alerts.heartbeat (tenant_id, sent_at) values (%(tenant)s, %(now)s) on conflict (tenant_id) do update set sent_at = excluded.sent_at;

-- name: drop_old_beats
update alerts.notification set status = 'failed', reason = 'superseded', next_attempt_at = null
where tenant_id = %(tenant)s and type = 'heartbeat' and status = 'pending' and (lease_until is null or lease_until <= %(now)s);
