-- name: button_key
select button_key from alerts.installation;

-- name: pressable
select coalesce(a.traits->>'name', a.account), c.severity, c.status, coalesce(r.person, case when r.kind = 'email' then r.target end, r.name), r.name,
       exists (select from alerts.press p where p.link_hash = %(hash)s)
from alerts."case" c
join published.account a on a.account_id = c.account_id
join alerts.receiver r on r.tenant_id = c.tenant_id and r.id = %(receiver)s
where c.tenant_id = %(tenant)s and c.id = %(case)s;

-- name: use_button
insert into alerts.press (link_hash, tenant_id, case_id, action, pressed_at, expires_at)
values (%(hash)s, %(tenant)s, %(case)s, %(action)s, %(now)s, %(expires)s) on conflict do nothing returning true;

-- name: tidy_presses
delete from alerts.press where expires_at < %(now)s;

-- name: names_of_people
select person_id, person from published.person where tenant_id = %(tenant)s and person_id = any(%(ids)s);
