-- What the KPI engine keeps. It is the only writer; others read schema published.
create schema if not exists engine;
create schema if not exists published;

-- Consumed offsets, committed with what they produced. epoch and owner fence a paused engine out.
create table engine.progress (
  topic        text not null,
  partition    int not null,
  topic_id     uuid,
  partitions   int not null,                    -- of the whole topic; another number stops the engine
  epoch        bigint not null default 0,
  owner        uuid,
  next_offset  bigint not null default 0,
  batch_no     bigint not null default 0,
  dirty        bigint[] not null default '{}',  -- accounts whose state is still to be computed
  applied_at   timestamptz,                     -- ingest stamp of the last applied record
  updated_at   timestamptz not null default now(),
  primary key (topic, partition)
);

create table engine.account (
  id          bigint generated always as identity primary key,
  tenant_id   int not null,
  name        text not null,
  partition   int not null,
  created_at  timestamptz not null default now(),
  unique (tenant_id, name)
);

create table engine.person (
  id          bigint generated always as identity primary key,
  tenant_id   int not null,
  account_id  bigint not null,
  name        text not null,
  is_internal boolean not null default false,
  unique (account_id, name)
);
create index person_internal on engine.person (tenant_id) where is_internal;

-- Identity of every accepted event: 24-byte entries, 16 of identity and 8 of body digest.
-- The log holds what was not yet sealed; blocks hold sealed entries by the first bits of their identity.
create table engine.id_log (
  partition int not null,
  batch_no  bigint not null,
  entries   bytea not null,
  primary key (partition, batch_no)
);
-- A bucket is the first 12 + 4 * level bits of the identity; full buckets move a level down, so a row stays about 1 kB.
create table engine.id_block (
  partition  int not null,
  level      smallint not null,
  bucket     int not null,
  generation bigint not null,
  entries    bytea not null,
  primary key (partition, level, bucket, generation)
);
alter table engine.id_log alter entries set storage external;
alter table engine.id_block alter entries set storage external;

create table engine.measure (
  id         int generated always as identity primary key,
  tenant_id  int not null,
  name       text not null,
  unique (tenant_id, name)
);

-- bucket: the UTC instant at which the tenant's local hour starts.
create table engine.measure_hour (
  tenant_id  int not null,
  measure_id int not null,
  account_id bigint not null,
  bucket     timestamptz not null,
  value      numeric not null,
  primary key (measure_id, account_id, bucket)
) with (fillfactor = 80); -- a bucket in progress is updated again and again: room for that on its page spares the index
-- day: the tenant's local date. Rolling measures hold deltas here: their value on a day is the sum of all deltas up to it.
create table engine.measure_day (
  tenant_id  int not null,
  measure_id int not null,
  account_id bigint not null,
  day        date not null,
  value      numeric not null,
  primary key (measure_id, account_id, day)
) with (fillfactor = 80);
-- The same summed over the accounts of one partition, so that tenant figures never read accounts.
create table engine.total_hour (
  tenant_id  int not null,
  measure_id int not null,
  partition  int not null,
  bucket     timestamptz not null,
  value      numeric not null,
  primary key (measure_id, partition, bucket)
);
create table engine.total_day (
  tenant_id  int not null,
  measure_id int not null,
  partition  int not null,
  day        date not null,
  value      numeric not null,
  primary key (measure_id, partition, day)
);

-- Days on which a person (person_id 0: nobody named) was seen, per measure of distinct people.
create table engine.presence (
  tenant_id  int not null,
  measure_id int not null,
  account_id bigint not null,
  person_id  bigint not null,
  day        date not null,
  primary key (measure_id, account_id, person_id, day)
);

-- The last value of a field per account and bucket, for measures of kind last.
create table engine.last_value (
  tenant_id  int not null,
  measure_id int not null,
  account_id bigint not null,
  day        date not null,
  event_at   timestamptz not null,
  source     text not null,
  event_id   text not null,
  value      numeric not null,
  primary key (measure_id, account_id, day)
);

create table engine.answer (
  tenant_id     int not null,
  account_id    bigint not null,
  person_id     bigint not null,
  answered_at   timestamptz not null,
  source        text not null,
  event_id      text not null,
  survey        text not null,
  kind          text not null,
  wave          text,
  transactional boolean not null,
  score         numeric not null,
  comment       text,
  primary key (account_id, person_id, answered_at, source, event_id)
);

create table engine.subscription_change (
  tenant_id       int not null,
  account_id      bigint not null,
  subscription    text not null,
  effective_at    timestamptz not null,
  event_at        timestamptz not null,
  source          text not null,
  event_id        text not null,
  kind            text not null check (kind in ('started', 'changed', 'renewed', 'cancelled')),
  mrr             numeric,
  currency        text,
  product         text,
  term_end        timestamptz,
  notice_deadline timestamptz,
  reason          text,
  primary key (account_id, subscription, effective_at, event_at, source, event_id)
);
-- An account's MRR as a step function: its value at an instant is the sum of the deltas strictly before it.
create table engine.mrr_change (
  tenant_id  int not null,
  account_id bigint not null,
  at         timestamptz not null,
  delta      numeric not null,
  primary key (account_id, at)
);
create index mrr_change_tenant on engine.mrr_change (tenant_id, at);

-- History of every trait; person_id 0 is the account itself. The value at an instant is the last one strictly before it.
create table engine.trait (
  tenant_id  int not null,
  account_id bigint not null,
  person_id  bigint not null,
  name       text not null,
  at         timestamptz not null,
  source     text not null,
  event_id   text not null,
  value      jsonb not null,
  primary key (account_id, person_id, name, at, source, event_id)
);
create index trait_slice on engine.trait (tenant_id, name, at) where person_id = 0;

-- What is true of each account now; alerts and the gateway read this.
create table engine.account_state (
  account_id       bigint primary key,
  tenant_id        int not null,
  traits           jsonb not null default '{}',
  figures          jsonb not null default '{}',
  mrr              numeric not null default 0,
  first_event_at   timestamptz,
  last_event_at    timestamptz,
  last_activity_at timestamptz,
  newest_ingest_at timestamptz,
  computed_at      timestamptz not null,
  as_of            timestamptz,
  due_at           timestamptz not null
);
create index account_state_due on engine.account_state (due_at);
create index account_state_tenant on engine.account_state (tenant_id);

-- When each account was heard of: narrow rows, because every batch changes them; account_state takes them over when it is computed.
create table engine.account_seen (
  account_id       bigint primary key,
  tenant_id        int not null,
  first_event_at   timestamptz not null,
  last_event_at    timestamptz not null,
  last_activity_at timestamptz,
  newest_ingest_at timestamptz
) with (fillfactor = 70);

-- What each batch changed, contiguous per partition.
create table engine.change (
  partition   int not null,
  batch_no    bigint not null,
  tenant_id   int not null,
  account_ids bigint[] not null,
  measures    text[] not null,
  events      int not null,
  as_of       timestamptz not null,
  written_at  timestamptz not null default clock_timestamp(),
  primary key (partition, batch_no, tenant_id)
);
create index change_written on engine.change (written_at);

-- The fate of the last events, a row a batch and tenant; old rows are deleted as new ones come.
create table engine.fate (
  tenant_id  int not null,
  partition  int not null,
  batch_no   bigint not null,
  written_at timestamptz not null default clock_timestamp(),
  seq        bigint generated always as identity,
  fates      jsonb not null,
  primary key (tenant_id, partition, batch_no)
);
create index fate_seq on engine.fate (tenant_id, seq);

create table engine.rejected (
  id          bigint generated always as identity primary key,
  tenant_id   int,
  received_at timestamptz not null,
  written_at  timestamptz not null default clock_timestamp(),
  stage       text not null check (stage in ('ingest', 'engine')),
  code        text not null,
  message     text not null,
  event_id    text,
  source      text,
  type        text,
  account     text,
  body        bytea not null,
  topic       text not null,
  partition   int not null,
  "offset"    bigint not null,
  index       int not null default 0,
  replayed_at timestamptz,
  unique (topic, partition, "offset", index)
);
create index rejected_tenant on engine.rejected (tenant_id, id);

create table engine.conflict (
  tenant_id   int not null,
  account     text not null,
  source      text not null,
  event_id    text not null,
  received_at timestamptz not null,
  body        text not null,
  topic       text not null,
  partition   int not null,
  "offset"    bigint not null,
  index       int not null,
  primary key (topic, partition, "offset", index)
);
create index conflict_tenant on engine.conflict (tenant_id, received_at);

-- From which offset on a partition was read under a definition version.
create table engine.definition_activation (
  tenant_id    int not null,
  version      int not null,
  partition    int not null,
  from_offset  bigint not null,
  activated_at timestamptz not null default now(),
  primary key (tenant_id, version, partition)
);
