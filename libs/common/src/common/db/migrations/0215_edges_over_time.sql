-- What the test of each edge of the tree said at the end of each week or month: of all accounts (segment null), and of each segment.
create table control.edge_look (
  tenant_id         int not null references control.tenant,
  edge              text not null,
  segment           text,
  through           date not null,         -- the first local day after the periods that were looked at
  meaning           text not null,         -- digest of what the edge and its two metrics mean; what was seen under another one is removed
  catalogue_version int not null,
  looked_at         timestamptz not null,
  state             text not null,
  accounts          int not null,
  lead              int,                   -- periods
  lead_low          int,
  lead_high         int,
  correlation       double precision,
  low               double precision,
  high              double precision,
  unique nulls not distinct (tenant_id, edge, through, segment)
);

-- Edges that held and hold no more, each once; `holds_again_at` is null while it is so.
create table control.edge_stop (
  id             bigint generated always as identity primary key,
  tenant_id      int not null references control.tenant,
  edge           text not null,
  segment        text,
  driver         text not null,
  moves          text not null,
  owners         text[] not null,          -- of the edge and of both metrics
  says           text not null,
  held_until     date not null,
  stopped_at     timestamptz not null,     -- when it was found
  holds_again_at timestamptz
);
create index edge_stop_of_edge on control.edge_stop (tenant_id, edge);
create unique index edge_stop_open on control.edge_stop (tenant_id, edge, segment) nulls not distinct where holds_again_at is null;
create view published.edge_stop as
  select id, tenant_id, edge, segment, driver, moves, owners, says, held_until, stopped_at, holds_again_at from control.edge_stop;

-- What people were told of them: that it stopped, and that it holds again.
create table alerts.edge_told (
  tenant_id     int not null,
  stop_id       bigint primary key,
  told_at       timestamptz not null,
  told_again_at timestamptz
);
create index edge_told_open on alerts.edge_told (stop_id) where told_again_at is null;
