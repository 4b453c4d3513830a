-- How healthy each account is, with everything that made it (score, band, inputs, overrides), as of when its state was computed.
alter table engine.account_state add health jsonb;

-- Its history: the last health of each local day on which it changed. score and band are null where too little was known.
create table engine.health_day (
  tenant_id   int not null,
  account_id  bigint not null,
  day         date not null,
  score       numeric,
  band        text,
  profile     text not null,
  definitions int not null,               -- the version of the definitions that made it
  computed_at timestamptz not null,
  primary key (account_id, day)
);

create or replace view published.account as
  select a.tenant_id, a.id as account_id, a.name as account, a.partition, a.created_at,
         s.traits, s.figures, s.mrr, s.first_event_at, s.last_event_at, s.last_activity_at,
         s.newest_ingest_at, s.computed_at, s.as_of, s.health
  from engine.account a left join engine.account_state s on s.account_id = a.id;
create view published.health_day as
  select tenant_id, account_id, day, score, band, profile, definitions, computed_at from engine.health_day;

-- What the people who look after an account think of it, beside the score. The latest counts; earlier ones stay.
create table control.health_rating (
  id         bigint generated always as identity primary key,
  tenant_id  int not null references control.tenant,
  account_id bigint not null,
  band       text not null,
  comment    text not null default '',
  rated_by   text not null,
  rated_at   timestamptz not null default now(),
  score      numeric,                     -- what was computed at that moment, so that who was right can be told later
  computed   text
);
create index health_rating_account on control.health_rating (account_id, id desc);
