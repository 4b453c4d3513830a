-- An account of which nothing is left keeps its id and its name: open cases, people's ratings and reviews name it by its id, whoever followed it has to
-- be told that it is gone, and history that is loaded again is of the same account.
alter table engine.account add column gone_at timestamptz;
-- Alerts look every second at the accounts that went lately, not at all that ever went.
create index account_gone_at on engine.account (gone_at) where gone_at is not null;

create or replace view published.account as
  select a.tenant_id, a.id as account_id, a.name as account, a.partition, a.created_at,
         s.traits, s.figures, s.mrr, s.first_event_at, s.last_event_at, s.last_activity_at,
         s.newest_ingest_at, s.computed_at, s.as_of, s.health, s.signals
  from engine.account a left join engine.account_state s on s.account_id = a.id
  where a.gone_at is null;
create view published.gone_account as
  select tenant_id, id as account_id, name as account, gone_at from engine.account where gone_at is not null;
