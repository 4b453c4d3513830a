-- What a rule would have warned of before it watched: its past, which no work of ours touched. Made anew when the rule or the past changes.
-- warnings: [[account_id, instant], ...]. note: why there is none.
create table alerts.replayed (
  tenant_id   int not null,
  rule        text not null,
  fingerprint text not null,
  through     timestamptz not null,       -- from here on the rule itself watched
  since       date,                       -- the first day that was replayed
  warnings    jsonb not null,
  note        text,
  past        text not null,              -- which past was read: changes when history is loaded, corrected or taken back
  computed_at timestamptz not null,
  primary key (tenant_id, rule)
);

-- What is known now, in words, for notices and lists. kind: a rule, a band of health, or a risk score.
create table alerts.record (
  tenant_id   int not null,
  kind        text not null check (kind in ('rule', 'health', 'risk')),
  name        text not null,
  words       text not null,
  verdicts    int not null,
  computed_at timestamptz not null,
  primary key (tenant_id, kind, name)
);

-- What was published at the end of each month, over all warnings until then. Never changed: accounts are ids, so that names may.
create table alerts.frozen_record (
  tenant_id   int not null,
  kind        text not null,
  name        text not null,
  month       date not null,
  fingerprint text not null,
  record      jsonb not null,
  frozen_at   timestamptz not null,
  primary key (tenant_id, kind, name, month)
);

-- Rules that were put in force although they cost more than the people who look after accounts have time for.
create table control.over_budget (
  id         bigint generated always as identity primary key,
  tenant_id  int not null references control.tenant,
  version    int not null,
  reason     text not null,
  figures    jsonb not null,
  said_at    timestamptz not null default now()
);
