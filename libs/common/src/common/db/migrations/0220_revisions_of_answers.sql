-- How many answers of a day had a score leaves revisions too: answers have no measure, so each kind has a number below 0 here. `part`
-- is the score and the survey.
create index answer_of_kind on engine.answer (tenant_id, kind, answered_at);
create or replace view published.revision as
  select r.tenant_id, r.revision_id, r.why, r.seq, r.at, r.account_ids,
    coalesce(m.name, ('{mrr,answers.nps,answers.csat,answers.ces}'::text[])[1 - e.measure_id]) as measure, e.day, e.until, e.before,
    e.after, e.complete, e.part
  from engine.revision r
  cross join lateral unnest(r.measures, r.days, r.untils, r.befores, r.afters, r.completes, r.parts)
    as e(measure_id, day, until, before, after, complete, part)
  left join engine.measure m on m.id = e.measure_id
  where m.id is not null or e.measure_id <= 0;
