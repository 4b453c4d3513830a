-- The newest chunks of an account that most chunks have events of are found without looking at all of them.
create index raw_chunk_ends on engine.raw_chunk (tenant_id, event_to);
