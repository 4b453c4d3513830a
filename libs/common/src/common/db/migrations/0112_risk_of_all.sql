-- Renewals and their risk are known of accounts once these are computed: at once, instead of after their next event or midnight.
update engine.account_state set due_at = now() where due_at > now();
