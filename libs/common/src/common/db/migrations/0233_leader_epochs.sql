-- A log that lost its end and was written on has other records at the same offsets: the epoch under which the last applied record was
-- written tells. -1 is unknown: nothing was applied since.
alter table engine.progress add column leader_epoch integer not null default -1;
