-- name: case_numbers
-- The line and how many cases each account has had in a queue, in the order asked; their watches are locked, so nobody opens another one meanwhile.
select i.line, (select count(*) from alerts."case" c where c.account_id = q.account_id and c.queue = q.queue)
from alerts.installation i, unnest(%(accounts)s::bigint[], %(queues)s::text[]) with ordinality as q(account_id, queue, n) order by q.n;

-- name: same_notices
-- How many notices of each kind and occasion were written about cases.
select case_id, receiver_id, type, occasion, count(*) from alerts.notification
where case_id = any(%(cases)s) and receiver_id is not null group by 1, 2, 3, 4;

-- name: names_of_receivers
select id, name from alerts.receiver where id = any(%(ids)s);

-- name: line
select line, seen_at, settles_at from alerts.installation for update;

-- name: save_line
update alerts.installation set line = %(name)s, seen_at = %(seen_at)s, settles_at = %(settles_at)s;
