-- All figures of a tenant can be made anew from what is kept.
alter table control.control_log drop constraint control_log_kind_check;
alter table control.control_log add constraint control_log_kind_check
  check (kind in ('amendment', 'deletion', 'erasure', 'backfill_closed', 'backfill_reverted', 'rebuild'));
create index rejected_received on engine.rejected (tenant_id, received_at);
create index revision_at on engine.revision (tenant_id, at);
