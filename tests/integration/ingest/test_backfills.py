"""Events sent for a backfill say so in the log; those for one that takes no more are refused."""

from datetime import UTC, datetime

import msgspec
import psycopg
from tests.integration.ingest.running import Ingest, Tenant, event

from common.control.backfills import close, open_backfill
from common.testing import wait_until


def test_events_of_a_backfill_travel_apart_from_others(ingest: Ingest, tenant: Tenant) -> None:
    with psycopg.connect(ingest.database_url) as connection:
        opened = open_backfill(connection, tenant.id, "", "bw_admin_test", datetime.now(UTC))
    path = f"/v1/events?backfill={opened.id}"
    events = msgspec.json.encode([event(n) for n in range(20)])
    assert ingest.post(tenant.ingest, events, path=path).json()["accepted"] == 20
    assert ingest.send(tenant.ingest, [event(99)]).json()["accepted"] == 1
    sent = {opened.id: 0, None: 0}
    for record in ingest.records(tenant):
        sent[record.backfill] += len(record.bodies)
    assert sent == {opened.id: 20, None: 1}

    with psycopg.connect(ingest.database_url) as connection:
        close(connection, tenant.id, opened.id, "bw_admin_test", datetime.now(UTC))
    wait_until(
        lambda: ingest.post(tenant.ingest, events, path=path).status_code == 409,
        60,
        "the backfill to take no more",
    )


def test_a_backfill_that_is_not_the_tenants_is_unknown(ingest: Ingest, tenant: Tenant) -> None:
    other = ingest.new_tenant(f"{tenant.slug}-other")
    with psycopg.connect(ingest.database_url) as connection:
        opened = open_backfill(connection, other.id, "", "bw_admin_test", datetime.now(UTC))
    body = msgspec.json.encode([event(1)])
    for wanted in (opened.id, "nonsense", ""):
        answer = ingest.post(tenant.ingest, body, path=f"/v1/events?backfill={wanted}")
        assert (answer.status_code, answer.json()["code"]) == (404, "backfill-unknown")
    misspelt = ingest.post(tenant.ingest, body, path=f"/v1/events?backfil={opened.id}")
    assert (misspelt.status_code, misspelt.json()["code"]) == (400, "parameter-unknown")
    assert ingest.records(tenant) == []
