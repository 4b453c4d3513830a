-- What belongs to this installation of the alerts. button_key: signs the links of notices' buttons.
-- line: what ids of cases are made from beside account and number (ADR 0125), since when it is, when somebody was last there to keep it.
create table alerts.installation (
  only_row   boolean primary key default true check (only_row),
  button_key bytea not null default uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()),
  line       text not null default gen_random_uuid()::text,
  seen_at    timestamptz not null default now(),
  settles_at timestamptz
);
insert into alerts.installation default values;

-- Buttons that were pressed, by the hash of their link; kept for as long as the link would be good.
create table alerts.press (
  link_hash  bytea primary key,
  tenant_id  int not null,
  case_id    text not null,
  action     text not null,
  pressed_at timestamptz not null,
  expires_at timestamptz not null
);
create index press_expires on alerts.press (expires_at);

-- occasion: what tells a notice from others of its type about the same case; with the case, the type and the receiver it makes the id.
alter table alerts.notification add column occasion text not null default '';
create index case_account on alerts."case" (account_id);
