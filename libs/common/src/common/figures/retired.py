"""Since when what an earlier version of the definitions counted is counted no more: its figures stand as of then."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import psycopg

from common.catalogue.models import Catalogue

# A version answers once it is ready with all before it; engines go on by it then. What a measure counts has its name and its
# origin: the first version that lacks the two, or has the name with another origin, ends it.
_REPLACED = """
with later as materialized (
  select d.version, d.body -> 'measures' as measures, coalesce(d.body -> 'origins', '{}') as origins, since.at
  from control.definition d join (
    select version, max(ready_at) over (order by version) as at from published.definition
    where tenant_id = %(tenant)s and ready
  ) since using (version)
  where d.tenant_id = %(tenant)s and d.version > %(version)s and d.version <= %(served)s
)
select asked.measure, min(later.at) from later cross join unnest(%(measures)s::text[], %(origins)s::int[]) as asked(measure, origin)
where not later.measures ? asked.measure or coalesce((later.origins ->> asked.measure)::int, 0) <> asked.origin
group by asked.measure
"""


def replaced(
    conn: psycopg.Connection[Any], tenant_id: int, catalogue: Catalogue, served: int | None
) -> Mapping[str, dt.datetime]:
    """From each measure of a catalogue that a later version took the place of to when that came into force.

    What both count alike is counted on, and isn't named. `served`: the version in force.
    """
    if served is None or not 0 < catalogue.version < served:
        return {}
    params = {
        "tenant": tenant_id,
        "version": catalogue.version,
        "served": served,
        "measures": list(catalogue.measures),
        "origins": [catalogue.origin_of(name) for name in catalogue.measures],
    }
    return {str(name): at for name, at in conn.execute(_REPLACED, params).fetchall()}
