"""People and success plans of accounts, from schema published."""

from collections.abc import Sequence
from datetime import date

from api_gateway.domain.plans import PlanStep
from api_gateway.ports.figures import FigureReader
from api_gateway.ports.people import Person, Place
from common.db.pool import Connection, Pool, borrow
from common.figures.run import measure_ids

PRESENCE, PLANS = "active_users", "success_plans_steps"
# A plan is told of once a month or so.
_MAX_STEPS = 2_000

# Of one instant the last by source and id stands, as everywhere. Traits are read for the people shown only.
_PEOPLE = """
with seen as (
  select p.person_id, p.person, p.is_internal, d.last, d.days
  from published.person p left join lateral (
    select max(day) as last, count(*) filter (where day > %(today)s::date - 28) as days
    from published.presence where measure_id = %(measure)s and account_id = %(account)s and person_id = p.person_id
  ) d on true
  where p.tenant_id = %(tenant)s and p.account_id = %(account)s
    and (%(person)s::text is null or (coalesce(d.last, '-infinity') < %(last)s::date
      or coalesce(d.last, '-infinity') = %(last)s::date and p.person collate "C" > %(person)s))
  order by d.last desc nulls last, p.person collate "C" limit %(limit)s
)
select s.person, coalesce(t.traits, '{}'), s.is_internal, s.last, s.days
from seen s left join lateral (
  select jsonb_object_agg(name, value) as traits from (
    select distinct on (name) name, value from published.trait
    where tenant_id = %(tenant)s and account_id = %(account)s and person_id = s.person_id
    order by name, at desc, source collate "C" desc, event_id collate "C" desc
  ) latest where value <> 'null'
) t on true
order by s.last desc nulls last, s.person collate "C"
"""
_STEPS = """
select entity, step, at, labels from (
  select entity, step, at, source, event_id, coalesce(labels, '{}') as labels from published.step
  where tenant_id = %s and measure_id = %s and account_id = %s
  order by at desc, source collate "C" desc, event_id collate "C" desc limit %s
) as last order by at, source collate "C", event_id collate "C"
"""


class PostgresPeople:
    """PeopleReader on PostgreSQL. Measures are those of the definitions that `figures` answers under."""

    def __init__(self, pool: Pool, figures: FigureReader) -> None:
        self._pool, self._figures = pool, figures

    def people(
        self, tenant_id: int, account_id: int, today: date, limit: int, after: Place | None
    ) -> Sequence[Person]:
        last, person = after or (None, None)
        asked = {"tenant": tenant_id, "account": account_id, "today": today, "limit": limit}
        place = {"last": last or "-infinity", "person": person}
        with borrow(self._pool) as connection:
            measure = self._measure(connection, tenant_id, PRESENCE)
            rows = connection.execute(_PEOPLE, asked | place | {"measure": measure}).fetchall()
        return [Person(*row) for row in rows]

    def plan_steps(self, tenant_id: int, account_id: int) -> Sequence[PlanStep]:
        with borrow(self._pool) as connection:
            measure = self._measure(connection, tenant_id, PLANS)
            rows = connection.execute(_STEPS, (tenant_id, measure, account_id, _MAX_STEPS)).fetchall()
        return [PlanStep(*row) for row in rows]

    def _measure(self, connection: Connection, tenant_id: int, name: str) -> int:
        """0, which nothing was counted under, where the definitions don't have it."""
        catalogue = self._figures.catalogue(tenant_id)
        return measure_ids(connection, tenant_id, catalogue, [name]).get(name, 0)
