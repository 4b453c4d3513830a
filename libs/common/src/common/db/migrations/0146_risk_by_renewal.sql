-- How likely the open renewals of an account are lost, but for the one that must be decided first: that one's risk is in the account's state.
create table engine.further_risk (
  tenant_id    int not null,
  account_id   bigint not null,
  subscription text not null,
  due_at       timestamptz not null,
  probability  numeric(5, 4) not null,
  risk         jsonb not null,
  computed_at  timestamptz not null,
  primary key (account_id, subscription, due_at)
);

-- One row an open renewal. at_risk is rounded once, here, so that every sum of it is that of what is shown.
create or replace view published.renewal_risk as
  select r.tenant_id, r.account_id, r.subscription, r.due_at, r.notice_deadline, coalesce(r.notice_deadline, r.due_at) as decide_by,
         r.source, r.mrr, coalesce(f.probability, s.renewal_risk) as probability,
         round(r.mrr * coalesce(f.probability, s.renewal_risk), 2) as at_risk,
         coalesce(f.risk, s.risk) ->> 'method' as method, (coalesce(f.risk, s.risk) ->> 'version')::int as version,
         coalesce(f.risk, s.risk) -> 'reasons' as reasons, s.computed_at,
         (coalesce(f.risk, s.risk) ->> 'now_counts')::float8 as now_counts
  from engine.renewal r
  left join engine.account_state s on s.account_id = r.account_id
  left join engine.further_risk f on f.account_id = r.account_id and f.subscription = r.subscription and f.due_at = r.due_at
  where r.renewed is null;

-- Tenants whose history is being loaded, or was and is not all in the figures yet: for a minute and a half after its last event is, because
-- what accounts are compared with settles within that.
create view published.settling as
  select l.tenant_id, min(l.started_at) as since from control.load l
  where case when l.ended_at is null and l.heartbeat_at > now() - interval '5 minutes' then 'infinity'
             else coalesce(l.ended_at, l.heartbeat_at) end + interval '90 seconds'
        > coalesce((select min(applied_at) from engine.progress), '-infinity')
  group by l.tenant_id;
