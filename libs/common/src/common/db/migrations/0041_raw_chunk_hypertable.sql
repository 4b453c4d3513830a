-- timescaledb: only
-- Raw events by arrival in chunks of some hundred, as a hypertable. Not columnstored: a chunk is packed as it is, and stays indexed.
create table engine.raw_chunk (
  chunk_id    bigint generated always as identity,
  tenant_id   int not null,
  arrived_at  timestamptz not null,
  event_from  timestamptz not null,
  event_to    timestamptz not null,
  accounts    bigint[] not null,
  account_ids bigint[] not null,
  person_ids  bigint[] not null,
  types       text[] not null,
  event_at    timestamptz[] not null,
  ingested_at timestamptz[] not null,
  bodies      bytea not null,
  primary key (chunk_id, arrived_at)
);
select create_hypertable('engine.raw_chunk', by_range('arrived_at', interval '1 day'), create_default_indexes => false);
