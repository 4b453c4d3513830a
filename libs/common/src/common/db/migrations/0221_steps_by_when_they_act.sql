-- Steps that say when they happen, by that: which cases take one on a day.
create index step_acts_at on engine.step (measure_id, step, acts_at) where acts_at is not null;
