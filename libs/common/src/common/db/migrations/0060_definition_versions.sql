-- A measure counts by one definition. `origin` is the version of the definitions that brought this one: 0 before measures could change.
alter table engine.measure add origin int not null default 0;
alter table engine.measure drop constraint measure_tenant_id_name_key;
alter table engine.measure add constraint measure_definition unique (tenant_id, name, origin);

-- needs_past: some of its measures count by a new definition, so it answers only once kept events are counted by it.
alter table control.definition add needs_past boolean not null default false;

-- How far the kept events of a partition are counted by a version's new measures. Chunks up to `through` were there when the
-- partition took the version up, those in (counted, through] are still to be counted, and later ones are counted as they come.
create table engine.definition_past (
  tenant_id  int not null,
  version    int not null,
  partition  int not null,
  through    bigint not null,
  counted    bigint not null default 0,
  started_at timestamptz not null default now(),
  primary key (tenant_id, version, partition)
);
-- Versions whose past is counted in every partition.
create table engine.definition_counted (
  tenant_id  int not null,
  version    int not null,
  counted_at timestamptz not null default now(),
  primary key (tenant_id, version)
);

create or replace view published.measure as select tenant_id, id as measure_id, name as measure, origin from engine.measure;

-- Every version of a tenant's definitions. `ready`: its figures are whole. Versions are taken up in order, so the one that
-- answers (`served`) is the last of those that are ready with all before them. `share`: of the past that is counted, 0 to 1.
create view published.definition as
  with known as (
    select d.tenant_id, d.version, d.applied_at, d.needs_past,
           not d.needs_past or c.version is not null as ready, coalesce(c.counted_at, d.applied_at) as ready_at
    from control.definition d left join engine.definition_counted c using (tenant_id, version)
  ), waiting as (select tenant_id, min(version) as version from known where not ready group by 1)
  select k.tenant_id, k.version, k.applied_at, k.needs_past, k.ready, k.ready_at,
         k.version = (select max(s.version) from known s
                      where s.tenant_id = k.tenant_id and s.version < coalesce(w.version, 2147483647)) as served,
         case when k.ready then 1.0
              else (select coalesce(sum(p.counted) / nullif(sum(p.through), 0), 0) from engine.definition_past p
                    where p.tenant_id = k.tenant_id and p.version = k.version) end as share
  from known k left join waiting w on w.tenant_id = k.tenant_id;
