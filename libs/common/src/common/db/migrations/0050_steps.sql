-- Steps that entities of a lifecycle take (a ticket is opened, a deal is won), one row an event. Rows are only ever added and
-- say what was said; what follows from them, and whose count, is decided when a figure is read.
create table engine.step (
  tenant_id  int not null,
  measure_id int not null,
  account_id bigint not null,   -- 0: the tenant itself
  entity     text not null,     -- empty: the account itself
  step       text not null,
  at         timestamptz not null,
  source     text not null,
  event_id   text not null,
  person_id  bigint not null,   -- 0: nobody named
  acts_at    timestamptz,       -- for steps that say when they happen; null takes it back
  amount     numeric,
  labels     jsonb,
  primary key (measure_id, account_id, entity, step, at, source, event_id)
);
create index step_at on engine.step (measure_id, step, at);

-- Steps of which only the first by each person counts: the earliest event of each.
create table engine.first_step (
  tenant_id  int not null,
  measure_id int not null,
  account_id bigint not null,
  person_id  bigint not null,   -- 0: nobody named
  step       text not null,
  at         timestamptz not null,
  primary key (measure_id, account_id, person_id, step)
);
create index first_step_at on engine.first_step (measure_id, step, at);

create view published.step as
  select tenant_id, measure_id, account_id, entity, step, at, source, event_id, person_id, acts_at, amount, labels from engine.step
  union all
  select tenant_id, measure_id, account_id, '', step, at, '', person_id::text, person_id, null, null, null from engine.first_step;
-- The first event of each account, up to date with the last batch.
create view published.account_seen as select tenant_id, account_id, first_event_at from engine.account_seen;
