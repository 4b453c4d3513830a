-- A tenant's own events have no account, and the people they name are that tenant's: the same name is somebody else at another.
create unique index person_of_tenant on engine.person (account_id, name, tenant_id);
alter table engine.person drop constraint person_account_id_name_key;
