-- What people decided about events that are counted: amended, deleted, a person erased, a backfill closed or reverted. Ordered
-- per tenant without gaps, never changed. It names no person who was erased: `person_hash` is keyed, `token` is what stands instead.
create table control.control_log (
  tenant_id   int not null references control.tenant,
  seq         bigint not null,
  id          uuid not null unique,
  kind        text not null check (kind in ('amendment', 'deletion', 'erasure', 'backfill_closed', 'backfill_reverted')),
  account     text,            -- of an event; empty: the tenant's own
  source      text,
  event_id    text,
  body        text,            -- the corrected event, whole
  person_hash bytea,
  token       text,
  backfill_id uuid,
  reason      text not null,
  created_by  text not null,   -- the key's id
  created_at  timestamptz not null,
  primary key (tenant_id, seq)
);
create unique index control_log_erased on control.control_log (tenant_id, person_hash) where kind = 'erasure';

-- The key of hashes of erased people. Whoever has it and a name can tell whether that person was erased, and nothing else.
alter table control.installation add erasure_key bytea not null
  default uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());

create table control.backfill (
  id          uuid primary key,
  tenant_id   int not null references control.tenant,
  description text not null,
  state       text not null default 'open' check (state in ('open', 'closed', 'reverted')),
  opened_at   timestamptz not null,
  closed_at   timestamptz,
  reverted_at timestamptz,
  created_by  text not null
);
create index backfill_tenant on control.backfill (tenant_id, opened_at);

-- For how many days things are kept, by kind; a kind without a row is kept for ever.
create table control.retention (
  tenant_id int not null references control.tenant,
  kind      text not null check (kind in ('raw_events', 'rejected', 'conflicts', 'revisions')),
  days      int not null check (days >= 1),
  primary key (tenant_id, kind)
);

-- How far each partition has applied a tenant's control log, and what came of each entry there.
create table engine.control_progress (
  tenant_id int not null,
  partition int not null,
  seq       bigint not null,
  primary key (tenant_id, partition)
);
create table engine.control_result (
  tenant_id  int not null,
  seq        bigint not null,
  partition  int not null,
  state      text not null check (state in ('applied', 'refused')),
  code       text,
  message    text,
  counts     jsonb not null default '{}',
  applied_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, seq, partition)
);

-- Events that stand no more, as they were received, with the entry that displaced them.
create table engine.superseded_event (
  tenant_id     int not null,
  account_id    bigint not null,
  person_id     bigint not null,
  type          text not null,
  source        text not null,
  event_id      text not null,
  event_at      timestamptz not null,
  ingested_at   timestamptz not null,
  body          text not null,
  seq           bigint not null,
  superseded_at timestamptz not null default clock_timestamp()
);
create index superseded_event_account on engine.superseded_event (account_id, source, event_id);

-- Figures that changed after their bucket was complete, or by an entry of the control log; element i of each array is one stretch of
-- local days [day, until) of one measure. before and after are the tenant's figure on its first day.
create table engine.revision (
  revision_id bigint generated always as identity primary key,
  tenant_id   int not null,
  partition   int not null,
  why         text not null check (why in ('late', 'amendment', 'deletion', 'backfill', 'revert', 'internal')),
  seq         bigint,                    -- of the control log
  at          timestamptz not null default clock_timestamp(),
  account_ids bigint[] not null,
  first_day   date not null,
  last_day    date not null,
  measures    int[] not null,
  days        date[] not null,
  untils      date[] not null,
  befores     numeric[] not null,
  afters      numeric[] not null,
  completes   boolean[] not null         -- the bucket was complete and not empty
);
create index revision_tenant on engine.revision (tenant_id, revision_id);

-- Records of open backfills: they count nowhere until the backfill is closed, and are kept for a revert.
create table engine.staged (
  backfill_id    uuid not null,
  tenant_id      int not null,
  partition      int not null,
  "offset"       bigint not null,
  ingested_at_us bigint not null,
  events         int not null,
  bodies         bytea not null,
  primary key (backfill_id, partition, "offset")
);
-- Identities that a backfill brought (and a live event may have repeated: then that one comes back on revert), and those that a revert
-- gave free: known to the identity store, and yet new.
create table engine.backfill_id (
  partition   int not null,
  identity    bytea not null,
  backfill_id uuid not null,
  tenant_id   int not null,
  free        boolean not null default false,
  displaced   bytea,                     -- the first live event that was a repetition of it
  displaced_at_us bigint,
  primary key (partition, identity)
);
create index backfill_id_backfill on engine.backfill_id (backfill_id, partition);

-- Raw events that arrived before this were dropped: what needs them is refused.
create table engine.retained (
  tenant_id int primary key,
  raw_from  timestamptz not null
);

create view published.superseded_event as
  select s.tenant_id, s.account_id, s.type, s.source, s.event_id, s.event_at, s.ingested_at, s.body, s.seq, s.superseded_at, c.kind, c.reason
  from engine.superseded_event s join control.control_log c on c.tenant_id = s.tenant_id and c.seq = s.seq;
create view published.control_result as
  select tenant_id, seq, partition, state, code, message, counts, applied_at from engine.control_result;
create view published.control_progress as select tenant_id, partition, seq from engine.control_progress;
create view published.staged as
  select tenant_id, backfill_id, partition, sum(events) as events, min(ingested_at_us) as first_us, max(ingested_at_us) as last_us
  from engine.staged group by 1, 2, 3;
create view published.retained as select tenant_id, raw_from from engine.retained;
create view published.revision as
  select r.tenant_id, r.revision_id, r.why, r.seq, r.at, r.account_ids, m.name as measure, e.day, e.until, e.before, e.after, e.complete
  from engine.revision r
  cross join lateral unnest(r.measures, r.days, r.untils, r.befores, r.afters, r.completes) as e(measure_id, day, until, before, after, complete)
  join engine.measure m on m.id = e.measure_id;
