-- Sign-ins of the dashboard. id: SHA-256 of the cookie; sealed_key: the API key, encrypted under the cookie, so that this table alone opens nothing.
create table control.session (
  id         bytea primary key,
  tenant_id  int not null references control.tenant,
  key_id     text not null references control.api_key,
  sealed_key bytea not null,
  created_at timestamptz not null,
  expires_at timestamptz not null
);
create index session_expiry on control.session (expires_at);

-- Names this database, so that a stream position from another installation is recognised and answered with a reset.
create table control.installation (
  only_row boolean primary key default true check (only_row),
  id       uuid not null default gen_random_uuid()
);
insert into control.installation default values;
