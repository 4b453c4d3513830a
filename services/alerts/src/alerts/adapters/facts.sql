-- name: quiet_people
-- People of accounts who used it regularly until two weeks ago and not since, the most regular first, by what counts as use now.
-- Our own people don't count.
select p.account_id, p.person_id, max(p.day) from published.presence p
join published.measure m on m.measure_id = p.measure_id and m.tenant_id = p.tenant_id and m.measure = 'active_users' and m.origin = %(origin)s
join published.person n on n.tenant_id = p.tenant_id and n.account_id = p.account_id and n.person_id = p.person_id and not n.is_internal
where p.tenant_id = %(tenant)s and p.account_id = any(%(accounts)s) and p.day > %(since)s
group by p.account_id, p.person_id having max(p.day) <= %(quiet_since)s and count(distinct p.day) >= %(least_days)s
order by p.account_id, count(distinct p.day) desc, max(p.day) desc, p.person_id;

-- name: last_contacts
-- The last call, meeting, review or mail with each customer that went both ways, of those that csm_coverage counts.
-- The steps of these accounts first: asked for with the rest, all contacts of the tenant may be read by when they were.
with its as materialized (
  select s.account_id, s.person_id, s.step, s.at from published.step s
  join published.measure m on m.measure_id = s.measure_id and m.tenant_id = s.tenant_id and m.measure = 'contacts_steps' and m.origin = %(origin)s
  where s.tenant_id = %(tenant)s and s.account_id = any(%(accounts)s)
)
select account_id, max(at) from its
where step = 'two_way' and at <= %(now)s
  and (%(by_us)s or person_id not in (select person_id from published.person where tenant_id = %(tenant)s and is_internal))
group by 1;

-- name: records_in_words
select name, words from alerts.record where tenant_id = %(tenant)s and kind = 'rule';
