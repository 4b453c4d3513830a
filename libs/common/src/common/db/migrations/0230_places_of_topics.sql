-- A topic that was created again counts its offsets from 0: what lies at the place of an earlier record is another one. The instant at
-- which ingest took a record tells them apart, and a record that is read again from itself.
alter table engine.rejected drop constraint "rejected_topic_partition_offset_index_key",
  add unique (topic, partition, "offset", index, received_at);
alter table engine.conflict drop constraint conflict_pkey,
  add primary key (topic, partition, "offset", index, received_at);
alter table engine.staged drop constraint staged_pkey,
  add primary key (backfill_id, partition, "offset", ingested_at_us);
