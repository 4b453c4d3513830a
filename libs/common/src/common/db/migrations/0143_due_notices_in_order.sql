-- Thousands are due at the same instant when many accounts cross at once: whoever claims a few of them need not sort all.
drop index alerts.notification_due;
create index notification_due on alerts.notification (next_attempt_at, seq) where status = 'pending';
