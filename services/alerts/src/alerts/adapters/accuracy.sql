-- name: rule_versions
-- Every version's rules and what they rest on, the oldest first.
select d.version, d.applied_at, d.body->'rules', d.body->'signals' from control.definition d
where d.tenant_id = %(tenant)s and d.version <= (select version from published.definition where tenant_id = %(tenant)s and served)
order by d.version;

-- name: fired_episodes
select account_id, fired_at, mode, rule, case_id, state = 'withdrawn' from alerts.alert
where tenant_id = %(tenant)s and fired_at is not null order by fired_at, id;

-- name: open_times
select account_id, opened_at, resolved_at from alerts."case" where tenant_id = %(tenant)s order by opened_at;

-- name: verdicts
select distinct on (case_id) case_id, "real" from alerts.verdict where tenant_id = %(tenant)s order by case_id, id desc;

-- name: contracts
select account_id, subscription, effective_at, event_at, source, event_id, kind, mrr, term_end, currency, product, notice_deadline, reason
from published.subscription_change where tenant_id = %(tenant)s;

-- name: owners_and_segments
select account_id, at, name, value from published.trait where tenant_id = %(tenant)s and person_id = 0 and name in ('owner', 'segment')
order by account_id, at, source collate "C", event_id collate "C";

-- name: rates
select currency, day, rate from published.rate where tenant_id = %(tenant)s order by currency, day;

-- name: names_of
select account_id, account from published.account where tenant_id = %(tenant)s and account_id = any(%(ids)s);
