-- Whether a spell ended because somebody said that it isn't sent any more.
create or replace view published.tracking_spell as
  select s.tenant_id, s.kind, s.name, s.since, s.found_at, s.until, s.expected, s.seen, s.types, s.share, s.renamed_to,
         exists (select from control.tracking_retired r where r.tenant_id = s.tenant_id and r.kind = s.kind and r.name = s.name
                 and r.retired_at > s.since and r.retired_at <= s.until) as retired
  from engine.tracking_spell s;
