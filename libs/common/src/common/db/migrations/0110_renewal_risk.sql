-- The renewals of each account by their original due date, with what became of them: made from its subscriptions, else from its traits.
create table engine.renewal (
  tenant_id       int not null,
  account_id      bigint not null,
  subscription    text not null,           -- '' where only the traits renewal_at and notice_deadline tell it
  due_at          timestamptz not null,
  notice_deadline timestamptz,
  mrr             numeric not null,        -- what is due, in the tenant's currency
  renewed         numeric,                 -- what was kept, 0 when it was lost, null while it is open
  source          text not null check (source in ('term', 'trait')),
  segment         text,                    -- of the account when it was due, else now
  primary key (account_id, subscription, due_at)
);
create index renewal_open on engine.renewal (tenant_id, account_id) where renewed is null;
create index renewal_decided on engine.renewal (tenant_id, due_at) where renewed is not null;

-- How likely an account's open renewals are lost, with everything that made it, as of when its state was computed.
alter table engine.account_state add risk jsonb, add renewal_risk numeric(5, 4);

-- Its history: the last risk of each local day on which it changed.
create table engine.risk_day (
  tenant_id   int not null,
  account_id  bigint not null,
  day         date not null,
  probability numeric(5, 4),               -- null from when no renewal is open
  method      text,
  version     int,                         -- of the definitions for the score, of the model for a model
  computed_at timestamptz not null,
  primary key (account_id, day)
);

create view published.renewal as
  select tenant_id, account_id, subscription, due_at, notice_deadline, mrr, renewed, source, segment from engine.renewal;
-- One row an open renewal. at_risk is rounded once, here, so that every sum of it is that of what is shown.
create view published.renewal_risk as
  select r.tenant_id, r.account_id, r.subscription, r.due_at, r.notice_deadline, coalesce(r.notice_deadline, r.due_at) as decide_by,
         r.source, r.mrr, s.renewal_risk as probability, round(r.mrr * s.renewal_risk, 2) as at_risk,
         s.risk ->> 'method' as method, (s.risk ->> 'version')::int as version, s.risk -> 'reasons' as reasons, s.computed_at
  from engine.renewal r left join engine.account_state s on s.account_id = r.account_id where r.renewed is null;
create view published.account_risk as select tenant_id, account_id, risk, computed_at, as_of from engine.account_state;
create view published.risk_day as
  select tenant_id, account_id, day, probability, method, version, computed_at from engine.risk_day;
