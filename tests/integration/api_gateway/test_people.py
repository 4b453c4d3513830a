"""Who is at an account, and what it wants to reach."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.integration.api_gateway.test_traits import said
from tests.integration.api_gateway.world import Served, Tenant, World

PAGES = 2


def measured(connection: Any, tenant: Tenant, name: str) -> int:
    row = connection.execute(
        """insert into engine.measure (tenant_id, name) values (%s, %s)
           on conflict (tenant_id, name, origin) do update set name = excluded.name returning id""",
        (tenant.id, name),
    ).fetchone()
    return int(row[0])


def test_people_come_by_their_last_day_page_by_page_with_what_was_said_of_them_last(
    world: World, ours: Tenant, theirs: Tenant, gateway: Served
) -> None:
    account, today = world.account(ours, "acme"), datetime.now(UTC).date()
    days = {"pia": (1, 3, 40), "ben": (1,), "cy": (200,), "never": (), "also never": ()}
    with world.connect() as connection:
        measure = measured(connection, ours, "active_users")
        ids = {}
        for name, ago in days.items():
            row = connection.execute(
                "insert into engine.person (tenant_id, account_id, name) values (%s, %s, %s) returning id",
                (ours.id, account, name),
            ).fetchone()
            assert row is not None
            ids[name] = row[0]
            for one in ago:
                connection.execute(
                    "insert into engine.presence (tenant_id, measure_id, account_id, person_id, day) values (%s, %s, %s, %s, %s)",
                    (ours.id, measure, account, row[0], today - timedelta(days=one)),
                )
    said(world, ours, account, "role", 1, '"user"', ids["ben"])
    said(world, ours, account, "role", 2, '"champion"', ids["ben"])
    said(world, ours, account, "phone", 2, "null", ids["ben"])

    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = gateway.get(f"/v1/accounts/acme/people?limit={PAGES}{cursor}", ours).json()
        found += page["data"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert [one["person"] for one in found] == ["ben", "pia", "cy", "also never", "never"]
    ben, pia, cy, *_ = found
    assert ben["traits"] == {"role": "champion"}
    assert (pia["active_days_28d"], pia["last_active_on"]) == (2, (today - timedelta(days=1)).isoformat())
    assert (cy["active_days_28d"], found[-1]["last_active_on"]) == (0, None)
    assert gateway.get("/v1/accounts/acme/people", theirs).status_code == 404
    assert gateway.get("/v1/accounts/acme/people?cursor=x", ours).json()["code"] == "cursor-invalid"


def test_a_plan_is_shown_as_it_was_set_last_with_every_value(
    world: World, ours: Tenant, gateway: Served
) -> None:
    account = world.account(ours, "acme")
    told = [
        (1, "faster", "progressed", {"value": "1"}),
        (2, "faster", "set", {"baseline": "0", "target": "8", "due": "2026-12-31"}),
        (3, "faster", "set", {"baseline": "10", "target": "2", "confirmed_by_customer": "true"}),
        (4, "faster", "progressed", {"value": "4"}),
        (5, "odd", "set", {"target": "many"}),
        (6, "untold", "progressed", {"value": "3"}),
    ]
    with world.connect() as connection:
        measure = measured(connection, ours, "success_plans_steps")
        for day, goal, step, labels in told:
            connection.execute(
                """insert into engine.step (tenant_id, measure_id, account_id, entity, step, at, source, event_id, person_id, labels)
                   values (%s, %s, %s, %s, %s, %s, 's', %s, 0, %s)""",
                (ours.id, measure, account, goal, step, datetime(2026, 1, day, tzinfo=UTC), f"e{day}", json.dumps(labels)),
            )  # fmt: skip
    odd, faster = gateway.get("/v1/accounts/acme/plans", ours).json()["data"]
    assert (odd["goal"], odd["target"], odd["progress"]) == ("odd", None, None)
    assert (faster["baseline"], faster["target"], faster["due"]) == (10, 2, None)
    assert (faster["value"], faster["progress"], faster["confirmed_by_customer"]) == (4, 0.75, True)
    assert [one["value"] for one in faster["values"]] == [1, 4]
