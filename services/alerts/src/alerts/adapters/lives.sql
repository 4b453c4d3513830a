-- name: tops_of_families
-- A path that comes back to where it was ends; ten levels are more than any company has.
with recursive up as (
  select a.account as below, a.account, a.traits ->> 'parent' as parent, array[a.account] as path, 0 as level from published.account a
  where a.tenant_id = %(tenant)s and a.account = any(%(accounts)s)
  union all
  select u.below, coalesce(a.account, u.parent), a.traits ->> 'parent', u.path || u.parent, u.level + 1
  from up u left join published.account a on a.tenant_id = %(tenant)s and a.account = u.parent
  where u.parent is not null and u.parent <> all(u.path) and u.level < 10
)
select distinct on (below) below, account from up order by below, level desc;

-- name: families_told
select family, id, told_severity from alerts."case"
where tenant_id = %(tenant)s and family = any(%(families)s) and status <> 'resolved' and paged_at is not null and told_severity is not null;

-- name: cases_told_since
select count(*) from alerts."case" where tenant_id = %(tenant)s and paged_at > %(since)s;

-- name: due_cases
select {case} from alerts."case" where due_at <= %(now)s and status <> 'resolved' order by due_at limit %(limit)s;

-- name: open_cases_after
select {case} from alerts."case" where status <> 'resolved' and id > %(after)s order by id limit %(limit)s;

-- name: save_stakes
update alerts."case" c set severity = v.severity, probability = v.probability, probability_from = v.probability_from, money_at_risk = v.money_at_risk,
  notice_deadline = v.notice_deadline, priority = v.priority, paging = v.paging, due_at = v.due_at, untold = v.untold,
  told_severity = case when v.told_severity = 'critical' then v.told_severity else c.told_severity end
from json_populate_recordset(null::alerts."case", %(rows)s) v where c.id = v.id and c.status <> 'resolved';

-- name: add_to_storm
insert into alerts.storm as s (tenant_id, started_at, last_at, cases) values (%(tenant)s, %(now)s, %(now)s, %(cases)s)
on conflict (tenant_id) where ended_at is null do update set last_at = excluded.last_at, cases = s.cases + excluded.cases
returning s.cases = %(cases)s and s.started_at = %(now)s, s.tenant_id, s.started_at, s.cases, (select line from alerts.installation),
  (select count(*) + 1 from alerts.storm o where o.tenant_id = s.tenant_id and o.id < s.id);

-- name: end_storms
update alerts.storm s set ended_at = %(now)s where tenant_id = %(tenant)s and ended_at is null and last_at <= %(quiet)s
returning s.tenant_id, s.started_at, s.cases, (select line from alerts.installation),
  (select count(*) + 1 from alerts.storm o where o.tenant_id = s.tenant_id and o.id < s.id);

-- name: stormy_tenants
select tenant_id from alerts.storm where ended_at is null order by tenant_id;

-- name: add_steps
insert into alerts.playbook_step (id, tenant_id, case_id, source, source_name, position, label, owner_role, owner, due_on)
select id, tenant_id, case_id, source, source_name, position, label, owner_role, owner, due_on
from json_populate_recordset(null::alerts.playbook_step, %(rows)s)
on conflict (case_id, source, source_name, position) do nothing;

-- name: steps
select id, tenant_id, case_id, source, source_name, position, label, owner_role, owner, due_on, status, note, ended_at, ended_by
from alerts.playbook_step where tenant_id = %(tenant)s and case_id = any(%(cases)s) order by due_on, source desc, source_name, position;

-- name: lock_step
select id, tenant_id, case_id, source, source_name, position, label, owner_role, owner, due_on, status, note, ended_at, ended_by
from alerts.playbook_step where tenant_id = %(tenant)s and case_id = %(case)s and id = %(id)s for update;

-- name: end_step
update alerts.playbook_step set status = %(status)s, note = %(note)s, ended_at = %(ended_at)s, ended_by = %(ended_by)s, owner = %(owner)s,
  due_on = %(due_on)s
where id = %(id)s and tenant_id = %(tenant_id)s;

-- name: suppress
insert into alerts.suppression (tenant_id, account_id, rule, case_id, judged_at, until, figure, value, probability)
values (%(tenant_id)s, %(account_id)s, %(rule)s, %(case_id)s, %(judged_at)s, %(until)s, %(figure)s, %(value)s, %(probability)s)
on conflict (account_id, rule) do update set case_id = excluded.case_id, judged_at = excluded.judged_at, until = excluded.until,
  figure = excluded.figure, value = excluded.value, probability = excluded.probability;

-- name: suppressions
select tenant_id, account_id, rule, case_id, judged_at, until, figure, value, probability from alerts.suppression
where account_id = any(%(ids)s) and until > %(now)s;

-- name: suppressions_of_case
select tenant_id, account_id, rule, case_id, judged_at, until, figure, value, probability from alerts.suppression
where tenant_id = %(tenant)s and case_id = %(case)s order by rule;

-- name: add_turns
insert into alerts.turn (tenant_id, account_id, rule, at)
select tenant_id, account_id, rule, %(now)s from unnest(%(tenants)s::int[], %(accounts)s::bigint[], %(rules)s::text[]) as t(tenant_id, account_id, rule);

-- name: turns
select t.account_id, t.rule, count(*) from alerts.turn t
join unnest(%(accounts)s::bigint[], %(rules)s::text[]) as q(account_id, rule) on q.account_id = t.account_id and q.rule = t.rule
where t.at > %(since)s group by 1, 2;

-- name: children
select c.id, a.account, c.severity, c.money_at_risk, c.family, c.queue from alerts."case" c
join published.account a on a.account_id = c.account_id
where c.tenant_id = %(tenant)s and c.family = any(%(families)s) and c.status <> 'resolved' order by c.priority desc, c.id;
