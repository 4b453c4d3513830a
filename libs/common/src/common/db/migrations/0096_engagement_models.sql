-- How long a contact lasts is said by engagement models, no more by each formula of type coverage. Definitions stored before
-- say the same in the new words, so that they can be read.
with said as (
  select distinct on (d.tenant_id, d.version) d.tenant_id, d.version,
         coalesce(m.value #> '{formula,days}', '{}') as days, m.value #> '{formula,otherwise}' as otherwise
  from control.definition d cross join lateral jsonb_each(d.body -> 'metrics') m
  where m.value #>> '{formula,type}' = 'coverage' and m.value -> 'formula' ? 'otherwise'
  order by d.tenant_id, d.version, m.key <> 'csm_coverage', m.key
), model as (
  select s.tenant_id, s.version, 'model_' || row_number() over (partition by s.tenant_id, s.version order by e.key) as name,
         e.key as label, to_jsonb(e.key) as value, e.value as days, false as is_default
  from said s cross join lateral jsonb_each(s.days) e
  union all
  select tenant_id, version, 'all_others', 'All others', 'null', otherwise, true from said
), models as (
  select tenant_id, version, jsonb_object_agg(name, jsonb_build_object(
    'name', name, 'label', label, 'value', value, 'contact_interval_days', days, 'default', is_default,
    'playbook', 'As agreed')) as models
  from model group by 1, 2
)
update control.definition d
set body = jsonb_set(d.body, '{metrics}', (
      select jsonb_object_agg(m.key, case when m.value #>> '{formula,type}' = 'coverage'
        then m.value #- '{formula,days}' #- '{formula,otherwise}' else m.value end)
      from jsonb_each(d.body -> 'metrics') m)) || jsonb_build_object('engagement_models', models.models)
from models where models.tenant_id = d.tenant_id and models.version = d.version;
