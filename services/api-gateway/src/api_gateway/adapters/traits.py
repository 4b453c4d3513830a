"""Histories of traits from schema published."""

from collections.abc import Sequence

from api_gateway.ports.traits import Place, TraitValue
from common.db.pool import Pool, borrow

# Of one instant the last by source and id stands, as everywhere.
_HISTORY = """
select name, value, at, until, source, event_id from (
  select t.name, t.value, t.at, t.source, t.event_id,
         lead(t.at) over (partition by t.name order by t.at, t.source collate "C", t.event_id collate "C") as until
  from published.trait t
  where t.tenant_id = %(tenant)s and t.account_id = %(account)s and (%(name)s::text is null or t.name = %(name)s)
    and t.person_id = case when %(person)s::text is null then 0 else (
      select p.person_id from published.person p
      where p.tenant_id = %(tenant)s and p.account_id = %(account)s and p.person = %(person)s) end
) as told
where %(after_name)s::text is null
  or (name collate "C", at, source collate "C", event_id collate "C")
     > (%(after_name)s, %(after_at)s::timestamptz, %(after_source)s, %(after_id)s)
order by name collate "C", at, source collate "C", event_id collate "C" limit %(limit)s
"""


class PostgresTraits:
    """TraitReader on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def history(
        self,
        tenant_id: int,
        account_id: int,
        person: str | None,
        name: str | None,
        limit: int,
        after: Place | None,
    ) -> Sequence[TraitValue]:
        names = ("after_name", "after_at", "after_source", "after_id")
        place = dict(zip(names, after or (None, None, None, None), strict=True))
        asked = {"tenant": tenant_id, "account": account_id, "person": person, "name": name, "limit": limit}
        with borrow(self._pool) as connection:
            return [TraitValue(*row) for row in connection.execute(_HISTORY, asked | place)]
