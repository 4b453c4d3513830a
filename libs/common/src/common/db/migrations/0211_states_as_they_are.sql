-- An account's state is written about once a second while it is busy: packing its documents took a third of that.
alter table engine.account_state set (toast_tuple_target = 8160);
-- Who waits for being computed is written with every batch.
alter table engine.progress alter dirty set storage external;
