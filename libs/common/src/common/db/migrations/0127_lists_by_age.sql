-- Ids say nothing about age any more: lists go by when a case opened and by the order in which notices were written.
drop index alerts.case_list;
create index case_list on alerts."case" (tenant_id, opened_at desc, id desc);
drop index alerts.notification_list;
create index notification_list on alerts.notification (tenant_id, seq desc);
