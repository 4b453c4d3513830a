-- name: case_number
-- The line and how many cases the account has had; its watch is locked, so nobody opens another one meanwhile.
select line, (select count(*) from alerts."case" where account_id = %(account)s and queue = %(queue)s) from alerts.installation;

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
