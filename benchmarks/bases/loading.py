"""A base through the product's own topic and engine into a real PostgreSQL, as a load of history: taken as known when it happened."""

import uuid

import psycopg
from benchmarks.bases.base import Base
from benchmarks.bed import TENANT, Bed
from benchmarks.packing import fill

from common.catalogue import Catalogue

APPLIED_SECONDS = 900
_BEGIN = """insert into control.load (id, tenant_id, description, started_at, heartbeat_at)
select %s, id, 'simulated history', now(), now() + interval '1 day' from control.tenant where slug = %s"""
_END = "update control.load set heartbeat_at = now(), ended_at = now() where id = %s"
_COUNTED = """select a.account, sum(h.value) from published.measure_hour h join published.measure m using (tenant_id, measure_id)
join published.account a using (tenant_id, account_id) where m.measure = 'events' group by 1"""


def loaded(bed: Bed, name: str, catalogue: Catalogue, base: Base) -> str:
    """The address of a database that holds the base, every event applied."""
    url, topics, load = bed.installed(name, catalogue), bed.topics(name), uuid.uuid4()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_BEGIN, (load, TENANT))
        fill(bed, topics[0], (line.body for line in base.lines))
        engine = bed.engine(url, topics, f"{name}.engine")
        try:
            bed.wait_applied([engine], url, topics[0], APPLIED_SECONDS)
        finally:
            engine.stop()
        connection.execute(_END, (load,))
    return url


def counted(url: str) -> dict[str, int]:
    """Events of each account as the product counts them."""
    with psycopg.connect(url) as connection:
        return {str(name): int(count) for name, count in connection.execute(_COUNTED).fetchall()}
