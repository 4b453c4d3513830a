"""What does not arrive: shown to its tenant alone, and no longer waited for when people say so."""

from datetime import UTC, datetime

from tests.integration.api_gateway.world import Served, Tenant, World

SINCE = datetime(2026, 3, 2, 9, tzinfo=UTC)


def is_missing(world: World, tenant: Tenant, kind: str, name: str) -> None:
    with world.connect() as connection:
        connection.execute(
            """insert into engine.tracking_spell (tenant_id, kind, name, since, found_at, expected, seen, types, share)
               values (%s, %s, %s, %s, %s, 120, 3, array['feature.used'], 0.25)""",
            (tenant.id, kind, name, SINCE, SINCE),
        )
        connection.execute(
            "insert into engine.tracking_progress (tenant_id, judged_until) values (%s, %s) on conflict do nothing",
            (tenant.id, SINCE),
        )


def test_what_is_missing_is_listed_and_can_be_retired_by_its_tenant_alone(
    world: World, ours: Tenant, theirs: Tenant, gateway: Served
) -> None:
    is_missing(world, ours, "type", "feature.used")
    is_missing(world, theirs, "source", "mobile")
    shown = gateway.get("/v1/tracking", ours).json()
    assert shown["judged_until"].startswith("2026-03-02T09:00")
    (one,) = shown["data"]
    assert (one["kind"], one["name"], one["state"], one["seen"]) == ("type", "feature.used", "broken", 3)
    path, foreign = "/v1/tracking/retired", {"kind": "source", "name": "mobile"}
    assert gateway.post(path, ours, foreign, "act").json()["code"] == "tracking-unknown"
    assert gateway.post(path, ours, {"kind": "type", "name": "feature.used"}, "act").status_code == 204
    with world.connect() as connection:
        rows = connection.execute(
            "select kind, name from control.tracking_retired where tenant_id in (%s, %s)",
            (ours.id, theirs.id),
        ).fetchall()
    assert rows == [("type", "feature.used")]
