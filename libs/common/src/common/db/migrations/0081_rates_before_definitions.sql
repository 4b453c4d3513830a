-- Rates into the currency in force; before the first definitions that is the default of settings.
create or replace view published.rate as
  select r.tenant_id, r.currency, r.day, r.rate
  from control.tenant t
  left join lateral (
    select d.body #>> '{settings,currency}' as currency
    from control.definition d where d.tenant_id = t.id order by d.version desc limit 1
  ) s on true
  join control.rate r on r.tenant_id = t.id and r.quote = coalesce(s.currency, 'EUR');

-- A target without any number is one that was withdrawn.
alter table control.target drop constraint target_check;
alter table control.target add constraint target_said check (value is null or (low is null and high is null));
alter table control.industry_range drop constraint industry_range_check;
