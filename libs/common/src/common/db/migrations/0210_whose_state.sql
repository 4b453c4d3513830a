-- Of the accounts that a batch changed, those whose state it computed: only they have new figures. The others wait for their turn.
alter table engine.change add column computed_ids bigint[] not null default '{}';
update engine.change set computed_ids = account_ids;
create or replace view published.change as
  select partition, batch_no, tenant_id, account_ids, measures, events, as_of, written_at, computed_ids from engine.change;
