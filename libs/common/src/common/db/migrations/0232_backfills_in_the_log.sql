-- The engine asks every second, and alerts several times, which backfills were closed or taken back: a few among many corrections.
create index control_log_backfills on control.control_log (tenant_id, seq) where kind in ('backfill_closed', 'backfill_reverted');
