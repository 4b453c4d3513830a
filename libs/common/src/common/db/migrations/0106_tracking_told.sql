-- Faults of tracking that people were told of, and that they were told when it was over.
create table alerts.tracking_told (
  tenant_id int not null,
  kind      text not null,
  name      text not null,
  since     timestamptz not null,
  told_at   timestamptz not null,
  withdrawn int not null,               -- alerts that were taken back because of it
  ended_at  timestamptz,                -- when people were told that all arrives again
  primary key (tenant_id, kind, name, since)
);
