-- What arrived, by the hour of its arrival at ingest: tells a broken pipeline from customers who leave. A journal: corrections don't change it.
create table engine.arrival_hour (
  tenant_id int not null,
  hour      timestamptz not null,
  partition int not null,
  source    text not null,
  type      text not null,
  groups    int8[] not null,         -- events by group of accounts; 16 groups a partition
  primary key (tenant_id, hour, partition, source, type)
);

-- How far a tenant's arrivals were judged.
create table engine.tracking_progress (
  tenant_id    int primary key,
  judged_until timestamptz not null
);

-- Times in which a type of event, a source or a whole tenant (name *) was missing; `until` is null while it is.
create table engine.tracking_spell (
  tenant_id  int not null,
  kind       text not null check (kind in ('tenant', 'source', 'type')),
  name       text not null,
  since      timestamptz not null,   -- the first hour that is missing
  found_at   timestamptz not null,   -- when that was told
  until      timestamptz,            -- the end of the last hour that was missing
  expected   double precision not null,
  seen       bigint not null,
  types      text[] not null,        -- event types that are missing by it
  share      double precision not null,  -- of all that the tenant usually sends
  renamed_to text,
  primary key (tenant_id, kind, name, since)
);
create unique index tracking_spell_open on engine.tracking_spell (tenant_id, kind, name) where until is null;

create view published.tracking_spell as
  select tenant_id, kind, name, since, found_at, until, expected, seen, types, share, renamed_to from engine.tracking_spell;
-- The state of whatever was ever broken; what never was is not listed.
create view published.tracking as
  select distinct on (s.tenant_id, s.kind, s.name) s.tenant_id, s.kind, s.name, case when s.until is null then 'broken' else 'ok' end as state,
         case when s.until is null then s.since else s.until end as since, s.expected, s.seen, s.types, s.share, s.renamed_to, s.found_at,
         p.judged_until
  from engine.tracking_spell s left join engine.tracking_progress p using (tenant_id)
  order by s.tenant_id, s.kind, s.name, s.since desc;
