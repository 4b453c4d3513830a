"""Traits with their history, and who is internal because of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kpi_engine.adapters.arrays import Instants, Int8s, Words
from kpi_engine.domain.batch import TenantBatch
from kpi_engine.domain.facts import IS_INTERNAL, Trait
from kpi_engine.ports.connection import Connection

_INSERT = """
insert into engine.trait (tenant_id, account_id, person_id, name, at, source, event_id, value)
select %(tenant_id)s, t.* from rows from (unnest(%(accounts)s), unnest(%(persons)s), unnest(%(names)s), unnest(%(at)s), unnest(%(sources)s), unnest(%(ids)s),
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

_DELETE = """
delete from engine.trait t using unnest(%(accounts)s, %(at)s, %(sources)s, %(ids)s) as d(account, at, source, id)
where t.account_id = d.account and t.at = d.at and t.source = d.source and t.event_id = d.id
"""
# The same once marks were taken back: without any mark a person is not internal.
_FLIPS_BACK = """
update engine.person as p set is_internal = latest.mark
from (
  select w.person_id, coalesce((
    select t.value = 'true'::jsonb from engine.trait t
    where t.account_id = w.account_id and t.person_id = w.person_id and t.name = %(name)s
    order by t.at desc, t.source collate "C" desc, t.event_id collate "C" desc limit 1
  ), false) as mark
  from unnest(%(accounts)s, %(persons)s) as w(account_id, person_id)
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
    accounts = batch.account_ids[indices]
    persons = np.where([trait.of_person for trait in traits], batch.person_ids[indices], 0)
    parameters = {
        "tenant_id": batch.tenant_id,
        "accounts": Int8s(accounts),
        "persons": Int8s(persons),
        "names": Words([trait.name for trait in traits]),
        "at": Instants(batch.event_at_us[indices]),
        "sources": Words([batch.sources[trait.index] for trait in traits]),
        "ids": Words([batch.ids[trait.index] for trait in traits]),
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
            "accounts": np.unique(accounts[marked]).tolist(),
            "persons": np.unique(persons[marked]).tolist(),
            "name": IS_INTERNAL,
        },
    )
    return sorted((Flip(*row) for row in found), key=lambda flip: flip.person_id)


def remove_traits(conn: Connection, batch: TenantBatch, traits: Sequence[Trait]) -> list[Flip]:
    """Deletes traits. Returns the people whose mark changed by that, already marked so, in the order of their ids."""
    if not traits:
        return []
    indices = np.array(sorted({trait.index for trait in traits}), np.int64)
    of_events = {
        "accounts": Int8s(batch.account_ids[indices]),
        "at": Instants(batch.event_at_us[indices]),
        "sources": Words([batch.sources[i] for i in indices.tolist()]),
        "ids": Words([batch.ids[i] for i in indices.tolist()]),
    }
    conn.execute(_DELETE, of_events)
    marked = sorted({trait.index for trait in traits if trait.of_person and trait.name == IS_INTERNAL})
    if not marked:
        return []
    persons, first = np.unique(batch.person_ids[marked], return_index=True)
    of_people = {
        "tenant_id": batch.tenant_id,
        "accounts": Int8s(batch.account_ids[marked][first]),
        "persons": Int8s(persons),
        "name": IS_INTERNAL,
    }
    return sorted(
        (Flip(*row) for row in conn.execute(_FLIPS_BACK, of_people)), key=lambda flip: flip.person_id
    )
