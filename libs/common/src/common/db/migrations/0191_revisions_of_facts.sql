-- Recurring revenue and steps of cases leave revisions too. `parts` tells whose figure of the measure it is: the currency, which
-- recurring revenue is kept in (measure 0, which has no rows of its own), or the step; null for other measures.
alter table engine.revision add column parts text[];
create or replace view published.revision as
  select r.tenant_id, r.revision_id, r.why, r.seq, r.at, r.account_ids, coalesce(m.name, 'mrr') as measure, e.day, e.until, e.before,
    e.after, e.complete, e.part
  from engine.revision r
  cross join lateral unnest(r.measures, r.days, r.untils, r.befores, r.afters, r.completes, r.parts)
    as e(measure_id, day, until, before, after, complete, part)
  left join engine.measure m on m.id = e.measure_id
  where m.id is not null or e.measure_id = 0;
