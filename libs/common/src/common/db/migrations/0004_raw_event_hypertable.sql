-- timescaledb: only
-- Raw events by arrival as a hypertable of daily chunks; aggregates as hypertables of long chunks, never compressed.
create extension if not exists timescaledb;
create table engine.raw_event (
  tenant_id   int not null,
  account_id  bigint,
  person_id   bigint,
  type        text not null,
  event_at    timestamptz not null,
  ingested_at timestamptz not null,
  body        text not null
);
select create_hypertable('engine.raw_event', by_range('ingested_at', interval '1 day'), create_default_indexes => false);
create index raw_event_account on engine.raw_event (account_id, event_at);
alter table engine.raw_event set (timescaledb.compress, timescaledb.compress_segmentby = 'account_id', timescaledb.compress_orderby = 'event_at');
select add_compression_policy('engine.raw_event', interval '7 days');
select create_hypertable('engine.measure_hour', by_range('bucket', interval '90 days'), create_default_indexes => false);
select create_hypertable('engine.measure_day', by_range('day', interval '1 year'), create_default_indexes => false);
