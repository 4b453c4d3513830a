"""Traits with their history, and who is internal because of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kpi_engine.adapters.arrays import Instants
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.domain.facts import IS_INTERNAL, Trait
from kpi_engine.ports.connection import Connection

_INSERT = """
insert into engine.trait (tenant_id, account_id, person_id, name, at, source, event_id, value)
select %(tenant_id)s, t.* from rows from (unnest(%(accounts)s::int8[]), unnest(%(persons)s::int8[]),
  unnest(%(names)s::text[]), unnest(%(at)s), unnest(%(sources)s::text[]), unnest(%(ids)s::text[]),
  jsonb_array_elements(%(values)s::text::jsonb)) as t
on conflict do nothing
"""

# What a person's latest mark says, where that is not what is known of them.
_FLIPS = """
update engine.person as p set is_internal = latest.mark
from (
  select distinct on (t.person_id) t.person_id, t.value = 'true'::jsonb as mark
  from engine.trait t
  where t.account_id = any(%(accounts)s) and t.person_id = any(%(persons)s) and t.name = %(name)s
  order by t.person_id, t.at desc, t.source collate "C" desc, t.event_id collate "C" desc
) as latest
where p.id = latest.person_id and p.tenant_id = %(tenant_id)s and p.is_internal <> latest.mark
returning p.id, p.account_id, p.is_internal
"""


@dataclass(frozen=True, slots=True)
class Flip:
    """A person of the account turned out to be internal, or not to be."""

    person_id: int
    account_id: int
    internal: bool


def add_traits(conn: Connection, batch: TenantBatch, traits: Sequence[Trait]) -> list[Flip]:
    """Stores traits. Returns the people whose mark changed, already marked so, in the order of their ids."""
    if not traits:
        return []
    indices = np.array([trait.index for trait in traits], np.int64)
    accounts = batch.account_ids[indices].tolist()
    people = batch.person_ids[indices].tolist()
    persons = [person if trait.of_person else 0 for trait, person in zip(traits, people, strict=True)]
    parameters = {
        "tenant_id": batch.tenant_id,
        "accounts": accounts,
        "persons": persons,
        "names": [trait.name for trait in traits],
        "at": Instants(batch.event_at_us[indices]),
        "sources": [batch.sources[index] for index in indices],
        "ids": [batch.ids[index] for index in indices],
        # One document: psycopg would escape each text of an array, and these are full of quotes.
        "values": f"[{','.join(trait.value for trait in traits)}]",
    }
    conn.execute(_INSERT, parameters)
    marked = [i for i, trait in enumerate(traits) if trait.of_person and trait.name == IS_INTERNAL]
    if not marked:
        return []
    found = conn.execute(
        _FLIPS,
        {
            "tenant_id": batch.tenant_id,
            "accounts": sorted({accounts[i] for i in marked}),
            "persons": sorted({persons[i] for i in marked}),
            "name": IS_INTERNAL,
        },
    )
    return sorted((Flip(*row) for row in found), key=lambda flip: flip.person_id)
