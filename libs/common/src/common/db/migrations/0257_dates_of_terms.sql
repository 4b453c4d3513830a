-- Dates of a contract that were told without a time, and the zone at whose midnights they begin: they follow when the tenant's zone
-- changes. What arrived before says so after a rebuild.
alter table engine.subscription_change
  add column effective_on date,
  add column term_end_on date,
  add column notice_on date,
  add column zone text;
