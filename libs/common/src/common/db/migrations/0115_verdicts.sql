-- Was the risk real? Kept apart from what happened (the case's resolution), and may be said after the case is closed.
-- The latest of a case counts; earlier ones stay. real is null when nobody can say (any more).
create table alerts.verdict (
  id         bigint generated always as identity primary key,
  tenant_id  int not null,
  case_id    text not null references alerts."case",
  account_id bigint not null,
  "real"     boolean,
  said_by    text not null,
  said_at    timestamptz not null
);
create index verdict_case on alerts.verdict (case_id, id desc);
create index verdict_tenant on alerts.verdict (tenant_id, id);

-- People have said of cases that they weren't real, long before they were asked apart from the outcome.
insert into alerts.verdict (tenant_id, case_id, account_id, "real", said_by, said_at)
select c.tenant_id, c.id, c.account_id, false, coalesce(a.actor, 'unknown'), c.resolved_at
from alerts."case" c left join lateral (
  select actor from alerts.action where case_id = c.id and kind = 'outcome' order by id desc limit 1
) a on true
where c.resolution = 'not_real';

-- Episodes of a rule that only watches (shadow) are recorded like any other, and never part of a case.
alter table alerts.alert add mode text not null default 'live' check (mode in ('live', 'shadow'));
create index alert_fired on alerts.alert (tenant_id, rule, fired_at) where fired_at is not null;
