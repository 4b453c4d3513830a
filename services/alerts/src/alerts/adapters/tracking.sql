-- name: faults
select tenant_id, kind, name, since, expected, seen, types, share, renamed_to from published.tracking_spell
where until is null and tenant_id = any(%(tenants)s);

-- name: tracking_news
-- What began and ended before anybody could be told is no news.
select s.tenant_id, s.kind, s.name, s.since, s.expected, s.seen, s.types, s.share, s.renamed_to, s.until, s.retired
from published.tracking_spell s left join alerts.tracking_told t using (tenant_id, kind, name, since)
where (t.told_at is null and s.until is null) or (t.told_at is not null and t.ended_at is null and s.until is not null)
order by s.tenant_id, s.since, s.kind, s.name;

-- name: fired_since
select distinct account_id from alerts.alert
where tenant_id = %(tenant)s and state = 'firing' and rule = any(%(rules)s) and fired_at >= %(since)s order by account_id;

-- name: taken_back
select count(*) from alerts.alert where tenant_id = %(tenant)s and state = 'withdrawn' and reason = %(reason)s and ended_at = %(at)s;

-- name: note_broken
insert into alerts.tracking_told (tenant_id, kind, name, since, told_at, withdrawn)
values (%(tenant)s, %(kind)s, %(name)s, %(since)s, %(at)s, %(withdrawn)s)
on conflict do nothing;

-- name: note_mended
update alerts.tracking_told set ended_at = %(at)s
where tenant_id = %(tenant)s and kind = %(kind)s and name = %(name)s and since = %(since)s;
