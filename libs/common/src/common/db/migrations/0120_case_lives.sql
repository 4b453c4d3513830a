-- What cases are worth and when the clock has something to do about them; who is on call, away, told in the morning; playbooks,
-- suppression, storms, mute times, loss reviews and the heartbeat. Written by the alerts service alone.
alter table alerts."case"
  add column queue            text not null default 'risk' check (queue in ('risk', 'growth')),
  add column probability      numeric,
  add column probability_from text check (probability_from in ('renewal-risk', 'severity')),
  add column money_at_risk    numeric,                -- a year, in the currency of the settings
  add column notice_deadline  timestamptz,
  add column priority         numeric not null default 0,
  add column paging           text not null default 'no-limit',   -- why it is told at once, or isn't
  add column paged_at         timestamptz,
  add column held             text,                   -- what keeps news of it back
  add column touched_at       timestamptz,            -- when somebody last did something about it
  add column lapsed_at        timestamptz,            -- when an acknowledgement ran out
  add column due_at           timestamptz,
  add column parent           text,
  add column family           text;                   -- the topmost account above it, itself where there is none
update alerts."case" set touched_at = updated_at where status = 'acknowledged';
alter table alerts."case" drop constraint case_resolution_check;
alter table alerts."case" add constraint case_resolution_check
  check (resolution in ('recovered', 'withdrawn', 'expected', 'saved', 'lost', 'won', 'not_real'));
drop index alerts.case_open_once;
create unique index case_open_once on alerts."case" (tenant_id, account_id, queue) where status <> 'resolved';
create index case_queue on alerts."case" (tenant_id, queue, priority desc, id desc) where status <> 'resolved';
create index case_due on alerts."case" (due_at) where due_at is not null;
create index case_paged on alerts."case" (tenant_id, paged_at) where paged_at is not null;
create index case_family on alerts."case" (tenant_id, family) where status <> 'resolved';

-- Cases of risk alone, one open at most an account; chances to grow have a view of their own.
create or replace view alerts.v_case as
  select c.tenant_id, c.id, c.account_id, a.name as account, c.status, c.origin, c.severity, c.opened_at, c.updated_at,
         c.acknowledged_at, c.acknowledged_by, c.assignee, c.snoozed_until, c.recovered_at, c.resolved_at, c.resolution,
         s.mrr, s.traits, c.priority, c.probability, c.probability_from, c.money_at_risk, c.notice_deadline, c.paging, c.paged_at,
         c.lapsed_at, c.parent, c.family
  from alerts."case" c
  join engine.account a on a.id = c.account_id
  left join engine.account_state s on s.account_id = c.account_id
  where c.queue = 'risk';
create view alerts.v_opportunity as
  select c.tenant_id, c.id, c.account_id, a.name as account, c.status, c.severity, c.opened_at, c.updated_at, c.assignee, c.resolved_at,
         c.resolution, c.priority
  from alerts."case" c join engine.account a on a.id = c.account_id where c.queue = 'growth';

-- All of a case, of either queue, with what is known of its account now and the last verdict on it; for the routes of the service itself.
create view alerts.v_any_case as
  select c.*, a.name as account, s.mrr, s.traits, coalesce(c.assignee, s.traits ->> 'owner') as responsible,
         (select v."real" from alerts.verdict v where v.case_id = c.id order by v.id desc limit 1) as "real"
  from alerts."case" c
  join engine.account a on a.id = c.account_id
  left join engine.account_state s on s.account_id = c.account_id;

-- The steps of the playbooks that apply to a case, as they were when it opened or got worse.
create table alerts.playbook_step (
  id          text primary key,
  tenant_id   int not null,
  case_id     text not null references alerts."case",
  source      text not null check (source in ('rule', 'engagement-model')),
  source_name text not null,
  position    int not null,
  label       text not null,
  owner_role  text not null,
  owner       text,
  due_on      date not null,
  status      text not null default 'todo' check (status in ('todo', 'done', 'skipped')),
  note        text,
  ended_at    timestamptz,
  ended_by    text,
  unique (case_id, source, source_name, position)
);

-- A rule that was judged not real on an account opens nothing there until then. figure and value: what it rested on most when it was judged.
create table alerts.suppression (
  tenant_id   int not null,
  account_id  bigint not null,
  rule        text not null,
  case_id     text not null references alerts."case",
  judged_at   timestamptz not null,
  until       timestamptz not null,
  figure      text,
  value       numeric,
  probability numeric,
  primary key (account_id, rule)
);

-- When a rule began to fire on an account: who does so again and again is flapping. Kept for as long as definitions may ask.
create table alerts.turn (
  tenant_id  int not null,
  account_id bigint not null,
  rule       text not null,
  at         timestamptz not null
);
create index turn_account on alerts.turn (account_id, rule, at);
create index turn_at on alerts.turn (at);

-- A stretch in which more cases opened than people are told of one by one; open while ended_at is null.
create table alerts.storm (
  id         bigint generated always as identity primary key,
  tenant_id  int not null,
  started_at timestamptz not null,
  last_at    timestamptz not null,
  ended_at   timestamptz,
  cases      int not null default 0
);
create unique index storm_open_once on alerts.storm (tenant_id) where ended_at is null;

create table alerts.mute_time (
  id         text primary key,
  tenant_id  int not null,
  name       text not null,
  weekdays   text[] not null,
  begins     text not null,
  ends       text not null,
  hard_too   boolean not null default false,
  created_by text not null,
  created_at timestamptz not null,
  unique (tenant_id, name)
);

-- Days on which somebody is away, beside those in people.yaml.
create table alerts.leave (
  id         text primary key,
  tenant_id  int not null,
  person     text not null,
  first      date not null,
  last       date not null check (last >= first),
  deputy     text,
  created_by text not null,
  created_at timestamptz not null
);
create index leave_tenant on alerts.leave (tenant_id, last);

create table alerts.on_call_override (
  id         text primary key,
  tenant_id  int not null,
  rotation   text not null,
  person     text not null,
  starts_at  timestamptz not null,
  ends_at    timestamptz not null check (ends_at > starts_at),
  comment    text,
  created_by text not null,
  created_at timestamptz not null
);
create index on_call_override_tenant on alerts.on_call_override (tenant_id, rotation, ends_at);

-- One step of paging a rotation about a case: 0 whoever is on call, 1 the next person, 2 the default receivers.
create table alerts.page (
  case_id   text not null references alerts."case",
  rotation  text not null,
  begun_at  timestamptz not null,
  step      int not null,
  tenant_id int not null,
  person    text,
  paged_at  timestamptz not null,
  due_at    timestamptz,                              -- when it goes on, unless somebody acknowledges
  ended     text,                                     -- what became of it: acknowledged, resolved, escalated, told-all
  primary key (case_id, rotation, begun_at, step)
);
create index page_due on alerts.page (due_at) where ended is null;

-- The mornings for which an owner's digest was made, or was found to have nothing to say. owner '': accounts that nobody looks after.
create table alerts.digest (
  tenant_id int not null,
  owner     text not null,
  day       date not null,
  made_at   timestamptz not null,
  cases     int not null,
  primary key (tenant_id, owner, day)
);

create table alerts.loss_review (
  id                text primary key,
  tenant_id         int not null,
  account_id        bigint not null,
  case_id           text references alerts."case",
  status            text not null check (status in ('open', 'completed', 'returned')),
  lost_at           timestamptz not null,
  opened_at         timestamptz not null,
  opened_by         text not null,
  mrr               numeric,
  owner             text,
  proposal          jsonb not null,
  cause             text,
  should_have_fired text[],
  comment           text,
  completed_at      timestamptz,
  completed_by      text
);
create index loss_review_list on alerts.loss_review (tenant_id, id desc);
create unique index loss_review_open_once on alerts.loss_review (tenant_id, account_id) where status = 'open';
create index loss_review_account on alerts.loss_review (account_id, lost_at);

create table alerts.heartbeat (
  tenant_id int primary key,
  sent_at   timestamptz not null
);
