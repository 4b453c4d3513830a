-- name: extent
-- How far a tenant's events reach back, and how many there are.
select min(event_from), coalesce(sum(cardinality(account_ids)), 0)::bigint from published.raw_chunk where tenant_id = %(tenant)s;

-- name: chunks
-- All raw events of a tenant, a chunk at a time, numbers in the binary format of arrays.
select array_send(account_ids), array_send(person_ids), types, array_send(event_at), array_send(ingested_at), bodies
from published.raw_chunk where tenant_id = %(tenant)s;

-- name: internal_people
select person_id from published.person where tenant_id = %(tenant)s and is_internal;

-- name: loads_of
select started_at, coalesce(ended_at, heartbeat_at) from control.load where tenant_id = %(tenant)s;

-- name: account_names
select account_id, account from published.account where tenant_id = %(tenant)s;

-- name: trait_history
select account_id, at, name, value from published.trait where tenant_id = %(tenant)s and person_id = 0
order by account_id, name, at, source collate "C", event_id collate "C";

-- name: change_history
select account_id, subscription, effective_at, event_at, source, event_id, kind, mrr, term_end, currency, product, notice_deadline, seats
from published.subscription_change where tenant_id = %(tenant)s;

-- name: answer_history
select a.account_id, a.person_id, a.answered_at, a.score::float8 from published.answer a join published.person p using (tenant_id, person_id)
where a.tenant_id = %(tenant)s and a.kind = 'nps' and not a.transactional and not p.is_internal
order by a.account_id, a.answered_at, a.source collate "C", a.event_id collate "C";

-- name: champion_history
-- What was said of people who were ever called champions: whether they are, and whether they left.
select account_id, person_id, at, name, value from published.trait t
where tenant_id = %(tenant)s and person_id <> 0 and name in ('champion', 'role', 'left') and exists (
  select from published.trait c where c.tenant_id = t.tenant_id and c.account_id = t.account_id and c.person_id = t.person_id
    and (c.name = 'champion' and c.value = 'true' or c.name = 'role' and lower(c.value #>> '{}') = 'champion')
)
order by account_id, person_id, name, at, source collate "C", event_id collate "C";

-- name: step_history
-- Steps of measures that are told apart by their ids, and whether one of our own people took them.
select account_id, measure_id, entity, step, at, labels,
  person_id in (select person_id from published.person where tenant_id = %(tenant)s and is_internal)
from published.step where tenant_id = %(tenant)s and measure_id = any(%(measures)s)
order by account_id, at, source collate "C", event_id collate "C";

-- name: health_history
select account_id, day, score, band from published.health_day where tenant_id = %(tenant)s order by account_id, day;

-- name: risk_history
select account_id, day, probability from published.risk_day where tenant_id = %(tenant)s order by account_id, day;

-- name: warnings_of
-- What rules warned of from an instant on, and what was open then.
select rule, account_id, fired_at, ended_at from alerts.alert
where tenant_id = %(tenant)s and rule = any(%(rules)s) and fired_at is not null and state <> 'withdrawn'
  and (ended_at is null or ended_at > %(begin)s)
order by fired_at, id;
