-- An erasure that was refused in a partition left the name there: it is asked for once more, under the same token.
drop index control.control_log_erased;
create index control_log_erased on control.control_log (tenant_id, person_hash) where kind = 'erasure';
