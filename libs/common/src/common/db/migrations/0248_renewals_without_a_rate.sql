-- What is due in a currency without any rate is due all the same; how much it is in the tenant's nobody knows. `renewed` is then in its own.
alter table engine.renewal alter mrr drop not null;
