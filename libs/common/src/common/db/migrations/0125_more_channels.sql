-- Slack and PagerDuty beside webhooks and mail. channel: where in Slack a bot posts. person: who acts when a button of a notice is pressed.
alter table alerts.receiver drop constraint receiver_kind_check;
alter table alerts.receiver add constraint receiver_kind_check check (kind in ('webhook', 'email', 'slack', 'pagerduty'));
alter table alerts.receiver add column channel text, add column person text;

-- reference: what the receiver calls the message it took, so that a later notice about the same case can change it.
-- seq: the order in which notices were written; those of one case reach one receiver in it.
alter table alerts.notification add column reference text, add column seq bigint generated always as identity;
create index notification_of_case on alerts.notification (case_id, receiver_id, seq);
drop index alerts.notification_case;
