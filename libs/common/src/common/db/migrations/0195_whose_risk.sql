-- Of which renewal the recorded risk is: that of the first to be decided. Null before this was kept; empty where a trait dates the renewal.
alter table engine.risk_day add column subscription text;
create or replace view published.risk_day as
  select tenant_id, account_id, day, probability, method, version, computed_at, subscription from engine.risk_day;
