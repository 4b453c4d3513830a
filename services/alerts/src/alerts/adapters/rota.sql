-- name: mute_times
select id, name, weekdays, begins, ends, hard_too, created_by, created_at from alerts.mute_time where tenant_id = %(tenant)s order by name;

-- name: add_mute_time
insert into alerts.mute_time (id, tenant_id, name, weekdays, begins, ends, hard_too, created_by, created_at)
values (%(id)s, %(tenant)s, %(name)s, %(weekdays)s, %(begins)s, %(ends)s, %(hard_too)s, %(by)s, %(at)s)
on conflict (tenant_id, name) do nothing;

-- name: delete_mute_time
delete from alerts.mute_time where tenant_id = %(tenant)s and id = %(id)s;

-- name: leaves
-- Two days beyond their last: no clock on earth is further behind.
select id, person, first, last, deputy, created_by, created_at from alerts.leave
where tenant_id = %(tenant)s and last >= (%(now)s::timestamptz at time zone 'UTC')::date - 2 order by first, id;

-- name: add_leave
insert into alerts.leave (id, tenant_id, person, first, last, deputy, created_by, created_at)
values (%(id)s, %(tenant)s, %(person)s, %(first)s, %(last)s, %(deputy)s, %(by)s, %(at)s);

-- name: delete_leave
delete from alerts.leave where tenant_id = %(tenant)s and id = %(id)s;

-- name: on_call_overrides
select id, rotation, person, starts_at, ends_at, comment, created_by, created_at from alerts.on_call_override
where tenant_id = %(tenant)s and ends_at > %(now)s order by starts_at, id;

-- name: add_on_call_override
insert into alerts.on_call_override (id, tenant_id, rotation, person, starts_at, ends_at, comment, created_by, created_at)
values (%(id)s, %(tenant)s, %(rotation)s, %(person)s, %(starts_at)s, %(ends_at)s, %(comment)s, %(by)s, %(at)s);

-- name: delete_on_call_override
delete from alerts.on_call_override where tenant_id = %(tenant)s and id = %(id)s;

-- name: begin_pages
insert into alerts.page (case_id, tenant_id, rotation, begun_at, step, person, paged_at, due_at)
select n.case_id, n.tenant_id, n.rotation, n.begun_at, n.step, n.person, n.paged_at, n.due_at
from json_populate_recordset(null::alerts.page, %(rows)s) n
where not exists (select from alerts.page p where p.case_id = n.case_id and p.rotation = n.rotation and p.ended is null)
on conflict do nothing;

-- name: due_pages
select case_id, tenant_id, rotation, begun_at, step, person, paged_at, due_at from alerts.page
where ended is null and due_at <= %(now)s order by due_at limit %(limit)s for update skip locked;

-- name: end_page
update alerts.page set ended = %(ended)s
where case_id = %(case_id)s and rotation = %(rotation)s and begun_at = %(begun_at)s and step = %(step)s;

-- name: follow_page
insert into alerts.page (case_id, tenant_id, rotation, begun_at, step, person, paged_at, due_at, ended)
values (%(case_id)s, %(tenant_id)s, %(rotation)s, %(begun_at)s, %(step)s, %(person)s, %(paged_at)s, %(due_at)s, %(ended)s)
on conflict do nothing;

-- name: pages_of_case
select case_id, tenant_id, rotation, begun_at, step, person, paged_at, due_at, ended from alerts.page
where tenant_id = %(tenant)s and case_id = %(case)s order by paged_at, step;

-- name: made_digests
select owner, day from alerts.digest where tenant_id = %(tenant)s and day >= %(since)s;

-- name: make_digest
insert into alerts.digest (tenant_id, owner, day, made_at, cases) values (%(tenant)s, %(owner)s, %(day)s, %(now)s, %(cases)s)
on conflict do nothing;

-- name: days_with_digests
select distinct day from alerts.digest where tenant_id = %(tenant)s and day >= %(since)s;

-- name: last_digest
select day, made_at from alerts.digest where tenant_id = %(tenant)s and owner = %(owner)s and day < %(day)s order by day desc limit 1;

-- name: tenants_with_cases
select distinct tenant_id from alerts."case" where status <> 'resolved' order by 1;

-- name: owners_of_cases
select distinct responsible from alerts.v_any_case where tenant_id = %(tenant)s and status <> 'resolved' and queue = 'risk' order by 1;

-- name: own_cases
select c.id, c.account_id, c.account, c.traits ->> 'name', c.severity, c.opened_at, c.status = 'acknowledged', c.lapsed_at, c.money_at_risk, c.notice_deadline,
       array(select p.label from alerts.playbook_step p where p.case_id = c.id and p.status = 'todo' and p.due_on <= %(today)s
             order by p.due_on, p.position)
from alerts.v_any_case c
where c.tenant_id = %(tenant)s and c.status <> 'resolved' and c.queue = 'risk' and (c.snoozed_until is null or c.snoozed_until <= %(morning)s)
  and c.opened_at <= %(morning)s
  and (c.responsible = any(%(names)s) or (%(names)s::text[] is null and c.responsible is null))
order by c.priority desc, c.id limit 500;
