"""Which definitions are in force while something is measured."""

from pathlib import Path

import psycopg
from benchmarks.oracle import Answer, cells
from tests.acceptance.stack import Stack

from common.catalogue import Catalogue, apply, load
from common.catalogue.loading import base_pack
from common.testing import wait_until

TENANT = "default"
ACTIVE_SECONDS = 30
_SIMPLE = Path(__file__).parent / "catalogues" / "simple"

HOURS = """select a.account || ' ' || (extract(epoch from h.bucket)::bigint / 3600),
  coalesce(sum(h.value) filter (where m.measure = 'events'), 0), coalesce(sum(h.value) filter (where m.measure = 'value'), 0)
from published.measure_hour h join published.measure m using (tenant_id, measure_id)
join published.account a using (tenant_id, account_id) where m.measure in ('events', 'value') group by 1"""
DAYS = """select a.account || ' ' || (d.day - date '1970-01-01'), sum(d.value)
from published.measure_day d join published.measure m using (tenant_id, measure_id)
join published.account a using (tenant_id, account_id) where m.measure = 'people' group by 1"""


def whole_pack() -> Catalogue:
    return load(base_pack())


def simple() -> Catalogue:
    """One count, one sum, one measure of distinct people: what every engine can do."""
    return load(_SIMPLE)


def is_simple(catalogue: Catalogue) -> bool:
    return not catalogue.metrics


def described(catalogue: Catalogue) -> str:
    if is_simple(catalogue):
        return "active: " + ", ".join(f"{m.name} ({m.agg} an {m.grain})" for m in catalogue.measures.values())
    return (
        f"active: {len(catalogue.measures)} measures, {len(catalogue.metrics)} metrics, {len(catalogue.rules)} alert rules, "
        "account figures"
    )


def activate(stack: Stack, catalogue: Catalogue) -> None:
    """In place of the base pack, which is what a fresh stack has; returns once the engine reads by it."""
    if not is_simple(catalogue):
        return
    with psycopg.connect(stack.database_url) as connection:
        version = apply(connection, TENANT, catalogue)

    def active() -> bool:
        rows = stack.select("select count(*) from engine.definition_activation where version = %s", version)
        return int(rows[0][0]) > 0

    wait_until(active, ACTIVE_SECONDS, "the engine to read by the new definitions")


def simple_answer(connection: psycopg.Connection) -> Answer:
    """What the product says, cell by cell, under the simple definitions."""
    return Answer(cells(connection.execute(HOURS).fetchall()), cells(connection.execute(DAYS).fetchall()))
