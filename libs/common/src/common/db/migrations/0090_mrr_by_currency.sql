-- MRR is kept in the currency it is paid in; figures convert it by dated rates (published.rate) when they are read.
alter table engine.mrr_change add column currency text;
update engine.mrr_change m set currency = coalesce(
  (select d.body #>> '{settings,currency}' from control.definition d where d.tenant_id = m.tenant_id order by d.version desc limit 1), 'EUR');
alter table engine.mrr_change alter column currency set not null;
alter table engine.mrr_change drop constraint mrr_change_pkey;
alter table engine.mrr_change add primary key (account_id, currency, at);
-- Whether a tenant has any but its own is asked by every figure of revenue.
create index mrr_change_currency on engine.mrr_change (tenant_id, currency);
create or replace view published.mrr_change as select tenant_id, account_id, at, delta, currency from engine.mrr_change;
