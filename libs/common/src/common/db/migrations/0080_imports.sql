-- What people bring as files: dated exchange rates, targets, ranges of an industry, and a report of every import.
create table control.import (
  id          uuid primary key,
  tenant_id   int not null references control.tenant,
  kind        text not null check (kind in ('accounts', 'rates', 'targets', 'ranges')),
  file        text not null,
  started_at  timestamptz not null,
  ended_at    timestamptz,          -- null: it goes on, or was cut short
  imported_by text not null,
  dry_run     boolean not null,
  counts      jsonb not null default '{}'
);
create index import_newest on control.import (tenant_id, started_at desc);

-- The report line by line. person: who a line is about, so that erasing a person finds it.
create table control.import_line (
  import_id uuid not null references control.import on delete cascade,
  number    int not null,           -- order of the report, from 1
  finding   text not null check (finding in ('added', 'changed', 'missing', 'refused', 'kept')),
  line      int,                    -- of the file
  tenant_id int not null,
  subject   text,                   -- account, currency or metric
  person    text,
  field     text,
  old       jsonb,
  new       jsonb,
  reason    text,
  primary key (import_id, number)
);
create index import_line_person on control.import_line (tenant_id, subject, person) where person is not null;

-- rate: units of `quote`, the tenant's currency, for one unit of `currency` on `day` and until the next day that has one.
create table control.rate (
  tenant_id int not null references control.tenant,
  quote     text not null check (quote ~ '^[A-Z]{3}$'),
  currency  text not null check (currency ~ '^[A-Z]{3}$' and currency <> quote),
  day       date not null,
  rate      numeric not null check (rate > 0 and rate < 'Infinity'),
  import_id uuid not null references control.import,
  primary key (tenant_id, quote, currency, day)
);
-- Only rates into the currency that is in force: after a change of it, older ones would be silently wrong.
create view published.rate as
  select r.tenant_id, r.currency, r.day, r.rate
  from control.tenant t
  cross join lateral (
    select coalesce(d.body #>> '{settings,currency}', 'EUR') as currency
    from control.definition d where d.tenant_id = t.id order by d.version desc limit 1
  ) s
  join control.rate r on r.tenant_id = t.id and r.quote = s.currency;

-- What is aimed at and what others reach, as stated: rows are only ever added, the newest of a (metric, slice, due day) holds.
create table control.target (
  id        bigint generated always as identity primary key,
  tenant_id int not null references control.tenant,
  metric    text not null,
  slice     text not null default '',   -- name of a segment; empty: all accounts
  due       date,                       -- the day by which; null: always
  value     numeric,
  low       numeric,
  high      numeric,
  set_by    text not null,
  why       text not null,
  source    text,
  set_at    timestamptz not null,
  import_id uuid not null references control.import,
  check ((value is not null) <> (low is not null or high is not null)),
  check (low <= high)
);
create index target_newest on control.target (tenant_id, metric, slice, due, id desc);

create table control.industry_range (
  id        bigint generated always as identity primary key,
  tenant_id int not null references control.tenant,
  metric    text not null,
  slice     text not null default '',
  day       date,                       -- of the study
  value     numeric,
  low       numeric,
  high      numeric,
  set_by    text not null,
  why       text,
  source    text not null,
  set_at    timestamptz not null,
  import_id uuid not null references control.import,
  check (value is not null or low is not null or high is not null),
  check (low <= high)
);
create index industry_range_newest on control.industry_range (tenant_id, metric, slice, day, id desc);
