from datetime import UTC, datetime
from typing import Any

from tests.integration.api_gateway.world import Served, Tenant, World


def said(
    world: World, tenant: Tenant, account: int, name: str, day: int, value: str, person: int = 0
) -> None:
    with world.connect() as connection:
        connection.execute(
            """insert into engine.trait (tenant_id, account_id, person_id, name, at, source, event_id, value)
               values (%s, %s, %s, %s, %s, 's', %s, %s)""",
            (tenant.id, account, person, name, datetime(2026, 1, day, tzinfo=UTC), f"e{day}", value),
        )


def test_every_value_of_a_trait_is_told_with_from_when_and_by_which_event(
    world: World, ours: Tenant, theirs: Tenant, gateway: Served
) -> None:
    account = world.account(ours, "acme")
    for day, value in ((1, '"anna"'), (5, '"ben"'), (9, "null")):
        said(world, ours, account, "owner", day, value)
    said(world, ours, account, "seats", 2, "10")
    with world.connect() as connection:
        person = connection.execute(
            "insert into engine.person (tenant_id, account_id, name) values (%s, %s, 'pia') returning id",
            (ours.id, account),
        ).fetchone()
    assert person is not None
    said(world, ours, account, "role", 3, '"boss"', person[0])

    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = gateway.get(f"/v1/accounts/acme/traits?limit=3{cursor}", ours).json()
        found += page["data"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert [(t["name"], t["value"], t["at"][:10], (t["until"] or "")[:10], t["event_id"]) for t in found] == [
        ("owner", "anna", "2026-01-01", "2026-01-05", "e1"),
        ("owner", "ben", "2026-01-05", "2026-01-09", "e5"),
        ("owner", None, "2026-01-09", "", "e9"),
        ("seats", 10, "2026-01-02", "", "e2"),
    ]
    only = gateway.get("/v1/accounts/acme/traits?name=seats", ours).json()["data"]
    assert [t["value"] for t in only] == [10]
    of_pia = gateway.get("/v1/accounts/acme/traits?user=pia", ours).json()["data"]
    assert [(t["name"], t["value"]) for t in of_pia] == [("role", "boss")]
    assert gateway.get("/v1/accounts/acme/traits?user=nobody", ours).json()["data"] == []
    assert gateway.get("/v1/accounts/acme/traits", theirs).status_code == 404
