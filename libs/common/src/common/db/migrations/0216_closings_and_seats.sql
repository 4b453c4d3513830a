-- How many seats a subscription was told to have; null: it doesn't say. What arrived before says it after a rebuild.
alter table engine.subscription_change add column seats numeric;
-- Who has seats by a subscription, and when one was told last: companies that send none have no entry.
create index subscription_seats on engine.subscription_change (tenant_id, event_at) where seats is not null;
create or replace view published.subscription_change as
  select tenant_id, account_id, subscription, effective_at, event_at, source, event_id, kind, mrr, currency, product, term_end,
         notice_deadline, reason, seats
  from engine.subscription_change;
-- Who was ever closed: every created account says that it isn't.
create index trait_closed on engine.trait (tenant_id, account_id) where person_id = 0 and name = 'closed' and value = 'true'::jsonb;
