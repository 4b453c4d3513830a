-- Raw events move from a row each into chunks (ADR 0006).
-- Numbers hardly shrink, and pglz takes longest to find that out.
alter table engine.raw_chunk alter account_ids set storage external, alter person_ids set storage external,
  alter event_at set storage external, alter ingested_at set storage external, alter bodies set storage external;
create index raw_chunk_accounts on engine.raw_chunk using gin (accounts) with (gin_pending_list_limit = 1024);

do $$ declare day date; begin
  if (select relkind = 'p' from pg_class where oid = 'engine.raw_chunk'::regclass) then
    for day in select distinct (ingested_at at time zone 'UTC')::date from engine.raw_event loop
      execute format('create table engine.%I partition of engine.raw_chunk for values from (%L) to (%L)',
        'raw_chunk_' || to_char(day, 'YYYYMMDD'), day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
    end loop;
  end if;
end $$;
insert into engine.raw_chunk
  (tenant_id, arrived_at, event_from, event_to, accounts, account_ids, person_ids, types, event_at, ingested_at, bodies)
select tenant_id, max(ingested_at), min(event_at), max(event_at), array_agg(distinct account),
       array_agg(account order by n), array_agg(person order by n), array_agg(type order by n), array_agg(event_at order by n),
       array_agg(ingested_at order by n), convert_to(string_agg(translate(body, E'\n', ' '), E'\n' order by n), 'UTF8')
from (
  select *, coalesce(account_id, 0) as account, coalesce(person_id, 0) as person, (ingested_at at time zone 'UTC')::date as day,
         row_number() over (partition by tenant_id, (ingested_at at time zone 'UTC')::date order by account_id, event_at) as n
  from engine.raw_event
) as numbered group by tenant_id, day, n / 500;

-- One row an event; its body is number `position` of its chunk's. The columns from `chunk_id` on are of the whole chunk: a condition
-- on them spares unpacking it. To find an account's events: account_id = X and chunk_accounts @> array[X].
drop view published.raw_event;
create view published.raw_event as
  select c.tenant_id, nullif(e.account_id, 0) as account_id, nullif(e.person_id, 0) as person_id, e.type, e.event_at, e.ingested_at,
         e.position, c.chunk_id, c.accounts as chunk_accounts, c.arrived_at as chunk_arrived_at, c.event_from as chunk_event_from,
         c.event_to as chunk_event_to
  from engine.raw_chunk c
  cross join lateral unnest(c.account_ids, c.person_ids, c.types, c.event_at, c.ingested_at)
    with ordinality as e(account_id, person_id, type, event_at, ingested_at, position);
create view published.raw_chunk as
  select tenant_id, chunk_id, accounts, arrived_at, event_from, event_to, account_ids, person_ids, types, event_at, ingested_at, bodies
  from engine.raw_chunk;
drop table engine.raw_event;
