-- Cases, alerts and what people were told. Written by the alerts service alone; others read the views v_*.
create schema if not exists alerts;

-- How far each partition's change feed was evaluated. A replica evaluates a partition while it holds the row's lock.
-- sweep_after: the last account of a walk over all accounts of the partition (after a gap in the feed); null when none is under way.
create table alerts.cursor (
  partition   int primary key,
  batch_no    bigint not null,
  sweep_after bigint,
  updated_at  timestamptz not null default now()
);

-- What was last evaluated of an account. Its row lock keeps replicas from deciding about one account at a time.
-- expected_until: people said that silence is expected until then.
create table alerts.watch (
  account_id     bigint primary key,
  tenant_id      int not null,
  evaluated_at   timestamptz,
  ingest_at      timestamptz,
  expected_until timestamptz
);
create index watch_tenant on alerts.watch (tenant_id);

-- One walk over a tenant's accounts after its loads ended; next_account_id is where the next page starts.
create table alerts.sweep (
  tenant_id       int primary key,
  through         timestamptz not null,
  next_account_id bigint,
  cases_opened    int not null default 0
);

create table alerts."case" (
  id                text primary key,
  tenant_id         int not null,
  account_id        bigint not null,
  status            text not null check (status in ('open', 'acknowledged', 'resolved')),
  origin            text not null check (origin in ('live', 'load')),
  severity          text not null check (severity in ('info', 'warning', 'critical')),
  opened_at         timestamptz not null,
  updated_at        timestamptz not null,
  acknowledged_at   timestamptz,
  acknowledged_by   text,
  assignee          text,
  snoozed_until     timestamptz,
  recovered_at      timestamptz,
  resolved_at       timestamptz,
  resolution        text check (resolution in ('recovered', 'withdrawn', 'expected', 'saved', 'lost', 'not_real')),
  told_severity     text,
  told_rules        text[] not null default '{}',
  untold            boolean not null default false
);
create unique index case_open_once on alerts."case" (tenant_id, account_id) where status <> 'resolved';
create index case_list on alerts."case" (tenant_id, id desc);
create index case_untold on alerts."case" (id) where untold and status <> 'resolved';

-- One episode of one rule on one account. standing: true, but not from what happened now (hold says why); it opens nothing.
create table alerts.alert (
  id               text primary key,
  tenant_id        int not null,
  account_id       bigint not null,
  rule             text not null,
  state            text not null check (state in ('pending', 'firing', 'standing', 'resolved', 'withdrawn')),
  reason           text not null,
  severity         text not null check (severity in ('info', 'warning', 'critical')),
  case_id          text references alerts."case",
  since_at         timestamptz not null,
  fired_at         timestamptz,
  recovering_since timestamptz,
  no_data_since    timestamptz,
  ended_at         timestamptz,
  due_at           timestamptz,
  label            text not null,
  evidence         text not null,
  figures          jsonb not null,
  updated_at       timestamptz not null
);
create unique index alert_live_once on alerts.alert (tenant_id, account_id, rule) where state in ('pending', 'firing', 'standing');
create index alert_case on alerts.alert (case_id);
create index alert_due on alerts.alert (due_at) where due_at is not null;

-- Everything that people, and the service itself, did to a case.
create table alerts.action (
  id         bigint generated always as identity primary key,
  tenant_id  int not null,
  case_id    text references alerts."case",
  at         timestamptz not null,
  kind       text not null,
  actor      text not null,
  detail     jsonb not null default '{}'
);
create index action_case on alerts.action (case_id, id);

-- Where notices go. secrets: the first signs first; further ones are on their way out (rotation).
create table alerts.receiver (
  id              bigint generated always as identity primary key,
  tenant_id       int not null,
  name            text not null,
  origin          text not null check (origin in ('file', 'api')),
  kind            text not null check (kind in ('webhook', 'email')),
  target          text not null,
  secrets         text[] not null default '{}',
  events          text[] not null,
  min_severity    text not null default 'info' check (min_severity in ('info', 'warning', 'critical')),
  allow_private   boolean not null default false,
  created_at      timestamptz not null default now(),
  disabled_at     timestamptz,
  disabled_reason text,
  last_success_at timestamptz,
  unique (tenant_id, name)
);

-- The outbox: written in the transaction of the change it tells of. id is the webhook-id and, at our host, the Message-ID.
create table alerts.notification (
  id              text primary key,
  tenant_id       int not null,
  receiver_id     bigint references alerts.receiver on delete set null,
  receiver        text not null,
  case_id         text references alerts."case",
  type            text not null,
  body            text not null,
  created_at      timestamptz not null,
  status          text not null check (status in ('pending', 'delivered', 'failed')),
  reason          text,
  attempts        int not null default 0,
  round           int not null default 0,
  next_attempt_at timestamptz,
  lease_owner     uuid,
  lease_until     timestamptz,
  delivered_at    timestamptz
);
create index notification_due on alerts.notification (next_attempt_at) where status = 'pending';
create index notification_list on alerts.notification (tenant_id, id desc);
create index notification_case on alerts.notification (case_id);

-- The delivery log.
create table alerts.attempt (
  notification_id  text not null references alerts.notification on delete cascade,
  number           int not null,
  started_at       timestamptz not null,
  finished_at      timestamptz not null,
  outcome          text not null,
  reason           text not null,
  status_code      int,
  primary key (notification_id, number)
);

create table alerts.silence (
  id         text primary key,
  tenant_id  int not null,
  account    text,
  rule       text,
  starts_at  timestamptz not null,
  ends_at    timestamptz not null check (ends_at > starts_at),
  comment    text not null,
  created_by text not null,
  created_at timestamptz not null,
  check (account is not null or rule is not null)
);
create index silence_tenant on alerts.silence (tenant_id, ends_at);

-- What changed, in the order it became visible: seq is given under one lock, held to the commit. Kept for a day.
create table alerts.change (
  seq        bigint primary key,
  tenant_id  int not null,
  case_id    text not null,
  account_id bigint not null,
  written_at timestamptz not null default clock_timestamp()
);
create table alerts.change_seq (only_row boolean primary key default true check (only_row), last bigint not null);
insert into alerts.change_seq (last) values (0);

create view alerts.v_case as
  select c.tenant_id, c.id, c.account_id, a.name as account, c.status, c.origin, c.severity, c.opened_at, c.updated_at,
         c.acknowledged_at, c.acknowledged_by, c.assignee, c.snoozed_until, c.recovered_at, c.resolved_at, c.resolution,
         s.mrr, s.traits
  from alerts."case" c
  join engine.account a on a.id = c.account_id
  left join engine.account_state s on s.account_id = c.account_id;

create view alerts.v_alert as
  select tenant_id, id, case_id, account_id, rule, label, state, reason, severity, since_at, fired_at, recovering_since,
         no_data_since, ended_at, evidence, figures, updated_at
  from alerts.alert;

create view alerts.v_change as select seq, tenant_id, case_id, account_id, written_at from alerts.change;
