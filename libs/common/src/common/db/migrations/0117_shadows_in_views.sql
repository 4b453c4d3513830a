-- Episodes of rules that only watch are told from those that people were told of.
create or replace view alerts.v_alert as
  select tenant_id, id, case_id, account_id, rule, label, state, reason, severity, since_at, fired_at, recovering_since,
         no_data_since, ended_at, evidence, figures, updated_at, mode
  from alerts.alert;
