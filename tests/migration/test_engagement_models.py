"""Definitions of an earlier version, with contact intervals in a formula, are read as they were meant."""

import json
from pathlib import Path

import psycopg

from common.catalogue import load
from common.catalogue.models import Catalogue
from common.catalogue.store import canonical
from common.db.migrate import migrate, read_history

ENGAGEMENT_MODELS = 96
BASE = Path(__file__).parents[2] / "catalogue"


def test_contact_intervals_move_into_engagement_models(empty_postgres_url: str) -> None:
    migrate(empty_postgres_url, [step for step in read_history() if step.version < ENGAGEMENT_MODELS])
    body = json.loads(canonical(load(BASE)))
    body["metrics"]["csm_coverage"]["formula"] |= {"days": {"High touch": 14, "mid": 30}, "otherwise": 90}
    del body["engagement_models"]
    with psycopg.connect(empty_postgres_url) as conn:
        conn.execute("insert into control.tenant (slug, name) values ('t', 't'), ('u', 'u')")
        conn.execute(
            "insert into control.definition (tenant_id, version, sha256, body) values (1, 1, '', %s), (2, 1, '', '{}')",
            (json.dumps(body),),
        )
    migrate(empty_postgres_url)
    with psycopg.connect(empty_postgres_url) as conn:
        stored = [
            row[0] for row in conn.execute("select body::text from control.definition order by tenant_id")
        ]
    read = Catalogue.model_validate_json(stored[0])
    assert read.contact_intervals() == ({"High touch": 14, "mid": 30, "all_others": 90}, 90)
    assert Catalogue.model_validate_json(stored[1]) == Catalogue()
