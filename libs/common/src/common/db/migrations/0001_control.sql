-- Who may do what, and what each tenant has declared. Written by the gateway and the command line.
create schema if not exists control;

create table control.tenant (
  id          int generated always as identity primary key,
  slug        text not null unique,
  name        text not null,
  created_at  timestamptz not null default now()
);

-- A key's id is its public prefix; only a hash of the secret part is kept.
create table control.api_key (
  id          text primary key,
  tenant_id   int not null references control.tenant,
  secret_hash bytea not null,
  scope       text not null check (scope in ('ingest', 'read', 'act', 'admin')),
  name        text not null,
  source      text,
  created_at  timestamptz not null default now(),
  expires_at  timestamptz,
  revoked_at  timestamptz
);

-- One immutable, complete catalogue per version (base pack with the tenant's overlay); the highest is in force.
create table control.definition (
  tenant_id   int not null references control.tenant,
  version     int not null,
  sha256      text not null,
  body        jsonb not null,
  applied_at  timestamptz not null default now(),
  primary key (tenant_id, version)
);

-- History being loaded: alerts stay silent for the tenant until the engine has applied all of it.
create table control.load (
  id           uuid primary key,
  tenant_id    int not null references control.tenant,
  description  text not null,
  started_at   timestamptz not null default now(),
  heartbeat_at timestamptz not null default now(),
  ended_at     timestamptz
);
create index load_open on control.load (tenant_id, started_at);
