-- What is kept by hour is kept by day too: accounts are judged by days, and a day is one row instead of up to 24.
-- Days are of the zone by which the hours were counted, that of the version that brought the definition.
-- An engine of before, which keeps hours alone, commits nothing any more.
update engine.progress set epoch = epoch + 1;
create temporary table zone_of on commit drop as
  select m.id as measure_id, coalesce((
    select d.body -> 'settings' ->> 'timezone' from control.definition d
    where d.tenant_id = m.tenant_id and d.version >= m.origin order by d.version limit 1), 'UTC') as zone
  from engine.measure m;
insert into engine.measure_day (tenant_id, measure_id, account_id, day, value)
  select h.tenant_id, h.measure_id, h.account_id, (h.bucket at time zone z.zone)::date, sum(h.value)
  from engine.measure_hour h join zone_of z using (measure_id)
  group by 1, 2, 3, 4 order by 2, 3, 4;
insert into engine.total_day (tenant_id, measure_id, partition, day, value)
  select h.tenant_id, h.measure_id, h.partition, (h.bucket at time zone z.zone)::date, sum(h.value)
  from engine.total_hour h join zone_of z using (measure_id)
  group by 1, 2, 3, 4 order by 2, 3, 4;
