-- From when on a version's measures count everything, where raw events were dropped before its past was counted; null where none were.
alter table engine.definition_counted add kept_from timestamptz;

create view published.definition_past as
  select tenant_id, version, kept_from from engine.definition_counted where kept_from is not null;
