-- What people say happened: a release, a price, an outage, the market, a holiday. Shown beside figures of the same time; rules may read it.
create table control.annotation (
  id         uuid primary key,
  tenant_id  int not null references control.tenant,
  starts_at  timestamptz not null,
  ends_at    timestamptz not null,       -- exclusive
  kind       text not null check (kind in ('release', 'price', 'outage', 'market', 'holiday')),
  text       text not null,
  author     text not null,
  segments   text[] not null default '{}',  -- whom it concerns; with no accounts either: everybody
  accounts   text[] not null default '{}',
  created_at timestamptz not null,
  check (starts_at < ends_at)
);
create index annotation_time on control.annotation (tenant_id, starts_at, id);

create view published.annotation as
  select tenant_id, id, starts_at, ends_at, kind, text, author, segments, accounts, created_at from control.annotation;
