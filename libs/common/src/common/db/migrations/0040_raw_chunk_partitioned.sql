-- timescaledb: never
-- Raw events by arrival in chunks of some hundred, one native partition a day; the engine creates them ahead of time.
create table engine.raw_chunk (
  chunk_id    bigint generated always as identity,
  tenant_id   int not null,
  arrived_at  timestamptz not null,    -- the newest ingest stamp in the chunk
  event_from  timestamptz not null,    -- event times lie in [event_from, event_to]
  event_to    timestamptz not null,
  accounts    bigint[] not null,       -- whose events it holds, each once; 0 is the tenant itself
  account_ids bigint[] not null,       -- from here on element i says something of event i; 0 where there is none
  person_ids  bigint[] not null,
  types       text[] not null,
  event_at    timestamptz[] not null,
  ingested_at timestamptz[] not null,
  bodies      bytea not null,          -- the events as JSON, one a line, packed (common.contracts.bodies)
  primary key (chunk_id, arrived_at)
) partition by range (arrived_at);
