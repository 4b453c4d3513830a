-- What people said is not sent any more: nothing before that is compared with, and nobody waits for it.
create table control.tracking_retired (
  tenant_id  int not null references control.tenant,
  kind       text not null,
  name       text not null,
  retired_at timestamptz not null,
  retired_by text not null,
  primary key (tenant_id, kind, name)
);

create view published.tracking_progress as select tenant_id, judged_until from engine.tracking_progress;
