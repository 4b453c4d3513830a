-- name: edge_news
-- What stopped and held again before anybody could be told is no news.
select s.id, s.tenant_id, s.edge, s.segment, s.driver, s.moves, s.owners, s.says, s.held_until, s.stopped_at, s.holds_again_at
from published.edge_stop s
where s.holds_again_at is null and not exists (select from alerts.edge_told t where t.tenant_id = s.tenant_id and t.stop_id = s.id)
union all
select s.id, s.tenant_id, s.edge, s.segment, s.driver, s.moves, s.owners, s.says, s.held_until, s.stopped_at, s.holds_again_at
from alerts.edge_told t join published.edge_stop s on s.tenant_id = t.tenant_id and s.id = t.stop_id
where t.told_again_at is null and s.holds_again_at is not null
order by tenant_id, edge, segment nulls first;

-- name: note_stopped
insert into alerts.edge_told (tenant_id, stop_id, told_at) values (%(tenant)s, %(id)s, %(at)s) on conflict do nothing;

-- name: note_holding
update alerts.edge_told set told_again_at = %(at)s where tenant_id = %(tenant)s and stop_id = %(id)s;
