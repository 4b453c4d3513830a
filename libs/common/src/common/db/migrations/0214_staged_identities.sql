-- Who the events of a record are, as they came: 24 bytes each, its identity and its fingerprint; zeros where one can't be read.
-- Null where the bodies still tell it; an erasure changes those.
alter table engine.staged add column entries bytea;
