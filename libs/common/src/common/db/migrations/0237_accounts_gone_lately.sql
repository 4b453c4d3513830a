-- Alerts look every second at the accounts that went lately, not at all that ever went.
drop index engine.account_gone;
create index account_gone_at on engine.account (gone_at) where gone_at is not null;
