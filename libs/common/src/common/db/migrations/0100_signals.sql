-- What is tested about each account (use fell, an invoice failed): name -> state, value, baseline, unusual, since, why.
alter table engine.account_state add signals jsonb not null default '{}';

create or replace view published.account as
  select a.tenant_id, a.id as account_id, a.name as account, a.partition, a.created_at,
         s.traits, s.figures, s.mrr, s.first_event_at, s.last_event_at, s.last_activity_at,
         s.newest_ingest_at, s.computed_at, s.as_of, s.health, s.signals
  from engine.account a left join engine.account_state s on s.account_id = a.id;
create view published.account_state as
  select tenant_id, account_id, traits, figures, signals, mrr, computed_at, as_of from engine.account_state;

-- An account's recent steps without reading all of its past, and the few of its people whom it would miss.
create index step_of_account on engine.step (account_id, measure_id, at);
create index person_champion on engine.trait (tenant_id, account_id, person_id)
  where person_id <> 0 and (name = 'champion' and value = 'true' or name = 'role' and lower(value #>> '{}') = 'champion');
