-- How a segment does, is known when all of a load is counted: accounts that were compared with it before have to be compared again.
-- Every load that ended by then is behind the comparisons of this partition's accounts.
alter table engine.progress add column settled_at timestamptz;
create or replace view published.progress as
  select topic, partition, next_offset, batch_no, cardinality(dirty) as dirty_accounts, applied_at, updated_at, settled_at from engine.progress;
