-- The engine's figures as others may read them.
create view published.account as
  select a.tenant_id, a.id as account_id, a.name as account, a.partition, a.created_at,
         s.traits, s.figures, s.mrr, s.first_event_at, s.last_event_at, s.last_activity_at,
         s.newest_ingest_at, s.computed_at, s.as_of
  from engine.account a left join engine.account_state s on s.account_id = a.id;

create view published.person as select tenant_id, account_id, id as person_id, name as person, is_internal from engine.person;
create view published.measure as select tenant_id, id as measure_id, name as measure from engine.measure;
create view published.measure_hour as select tenant_id, measure_id, account_id, bucket, value from engine.measure_hour;
create view published.measure_day as select tenant_id, measure_id, account_id, day, value from engine.measure_day;
create view published.total_hour as select tenant_id, measure_id, partition, bucket, value from engine.total_hour;
create view published.total_day as select tenant_id, measure_id, partition, day, value from engine.total_day;
create view published.presence as select tenant_id, measure_id, account_id, person_id, day from engine.presence;
create view published.last_value as select tenant_id, measure_id, account_id, day, value from engine.last_value;
create view published.answer as select * from engine.answer;
create view published.mrr_change as select tenant_id, account_id, at, delta from engine.mrr_change;
create view published.subscription_change as select * from engine.subscription_change;
create view published.trait as select tenant_id, account_id, person_id, name, at, source, event_id, value from engine.trait;
create view published.raw_event as select tenant_id, account_id, person_id, type, event_at, ingested_at, body from engine.raw_event;
create view published.change as select partition, batch_no, tenant_id, account_ids, measures, events, as_of, written_at from engine.change;
create view published.fate as select tenant_id, partition, batch_no, seq, written_at, fates from engine.fate;
create view published.rejected as select * from engine.rejected;
create view published.conflict as select * from engine.conflict;
create view published.progress as
  select topic, partition, next_offset, batch_no, cardinality(dirty) as dirty_accounts, applied_at, updated_at from engine.progress;
