-- timescaledb: never
-- Raw events by arrival, one native partition a day; the engine creates them ahead of time.
create table engine.raw_event (
  tenant_id   int not null,
  account_id  bigint,
  person_id   bigint,
  type        text not null,
  event_at    timestamptz not null,
  ingested_at timestamptz not null,
  body        text not null
) partition by range (ingested_at);
create index raw_event_account on engine.raw_event (account_id, event_at);
