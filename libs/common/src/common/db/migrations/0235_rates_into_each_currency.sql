-- Rates into every currency that a version of the definitions has: who reads names the one that is answered in. The last version that was
-- applied need not be the one that answers.
create or replace view published.rate as
  select tenant_id, currency, day, rate, quote from control.rate;

-- Null where what an account pays now is in a currency without any rate.
alter table engine.account_state alter column mrr drop not null;
