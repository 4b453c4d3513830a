-- Hazard models as they were trained, accepted or refused; a version is never changed. The latest one says whether a model judges.
create table control.risk_model (
  tenant_id int not null references control.tenant,
  version   int not null,
  made_at   timestamptz not null default now(),
  accepted  boolean not null,
  training  jsonb not null,                -- the model, or why there is none; counts, times and the trial
  known     jsonb not null,                -- how many events were known when, and how that was told
  primary key (tenant_id, version)
);
create function control.risk_model_stays() returns trigger language plpgsql as $$
begin
  raise exception 'risk model % of tenant % stays as it was made', old.version, old.tenant_id;
end $$;
create trigger risk_model_stays before update or delete on control.risk_model
  for each row execute function control.risk_model_stays();
create view published.risk_model as select tenant_id, version, made_at, accepted, training, known from control.risk_model;
