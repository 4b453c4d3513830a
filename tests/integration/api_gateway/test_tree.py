from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.integration.api_gateway.world import Served, Tenant, World

from api_gateway.http import schemas

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def test_the_tree_leads_from_the_mission_to_the_drivers(ours: Tenant, gateway: Served) -> None:
    tree = schemas.TreeAnswer.model_validate(gateway.get("/v1/tree", ours).json())
    assert tree.mission
    assert tree.goals[0].name == "bring_to_value"
    kpis = {kpi.name: kpi for goal in tree.goals for kpi in goal.kpis}
    assert "nps_accounts" in kpis["nps"].beside
    edges = {edge.name: edge for edge in tree.drivers}
    assert {edges[name].driver for name in kpis["nps"].drivers} >= {"complaints", "ticket_backlog"}
    assert {goal.serves for goal in tree.goals} <= {None, *(goal.name for goal in tree.goals)}


def test_the_scorecard_names_its_kpis_and_the_north_star(ours: Tenant, gateway: Served) -> None:
    card = schemas.ScorecardAnswer.model_validate(gateway.get("/v1/scorecard", ours).json())
    assert card.north_star is not None
    assert (card.north_star.volume.name, card.north_star.efficiency.name) == (
        "value_active_accounts",
        "grr_12m",
    )
    assert card.kpis[0].name == "accounts_onboarded"


def test_segments_and_engagement_models_are_listed(ours: Tenant, gateway: Served) -> None:
    segments = schemas.SegmentsAnswer.model_validate(gateway.get("/v1/segments", ours).json())
    assert {"customers", "partners"} <= {segment.name for segment in segments.data}
    answer = gateway.get("/v1/engagement-models", ours).json()
    models = schemas.EngagementModelsAnswer.model_validate(answer)
    assert {model.name: model.contact_interval_days for model in models.data} == {
        "high": 14,
        "mid": 30,
        "tech": 90,
    }


@pytest.mark.parametrize("path", ["/v1/tree", "/v1/scorecard", "/v1/segments", "/v1/engagement-models"])
def test_definitions_of_nobody_are_missing(world: World, gateway: Served, path: str) -> None:
    bare = world.tenant(f"bare{path.replace('/', '-')}", with_catalogue=False)
    assert gateway.get(path, bare).json()["code"] == "catalogue-missing"


def test_a_question_narrows_to_segments_by_the_traits_of_each_day(
    world: World, ours: Tenant, gateway: Served
) -> None:
    """acme is a customer until it becomes a partner on the second day; bolt is one all the time."""
    rows = {name: world.account(ours, name) for name in ("acme", "bolt")}
    for day in range(3):
        for number, row in enumerate(rows.values()):
            world.count(ours, row, "events", NOW + timedelta(days=day), 10**number)
    with world.connect() as connection:
        connection.execute(
            """insert into engine.trait (tenant_id, account_id, person_id, name, at, source, event_id, value)
               values (%s, %s, 0, 'kind', %s, 's', 'e', '"partner"')""",
            (ours.id, rows["acme"], NOW),
        )
    asked: dict[str, Any] = {"metrics": ["events"], "from": "2026-03-10", "to": "2026-03-13"}

    def values(**more: Any) -> list[int]:
        answer = gateway.post("/v1/query", ours, {**asked, **more})
        assert answer.status_code == 200, answer.text
        return [one["value"] for one in answer.json()["data"]]

    assert values(segments=["customers"]) == [11, 10, 10]
    assert values(segments=["partners"]) == [0, 1, 1]
    assert values(segments=["partners", "customers"]) == [0, 0, 0]
    assert values(filter={"segment:partners": [False]}) == [11, 10, 10]
    assert values(group_by=["segment:partners"]) == [11, 10, 10, 0, 1, 1]
    address = "/v1/query?metrics=events&from=2026-03-10&to=2026-03-13&segments=customers"
    figures = gateway.get(address, ours).json()["data"]
    assert [one["value"] for one in figures] == [11, 10, 10]
    behind = gateway.get(figures[1]["behind"], ours).json()["data"]
    assert {one["group"]["account"]: one["value"] for one in behind} == {"bolt": 10}
    refused: list[dict[str, Any]] = [
        {"segments": ["customer"]},
        {"filter": {"segment:partners": ["yes"]}},
        {"segments": "partners"},
    ]
    codes = [gateway.post("/v1/query", ours, asked | one).json()["code"] for one in refused]
    assert codes == ["segment-unknown", "filter-invalid", "segments-invalid"]


def test_the_description_names_what_can_be_read(ours: Tenant, gateway: Served) -> None:
    described = gateway.get("/openapi.json", ours).json()
    for path, answer in (("/v1/tree", "TreeAnswer"), ("/v1/scorecard", "ScorecardAnswer"), ("/v1/segments", "SegmentsAnswer"), ("/v1/engagement-models", "EngagementModelsAnswer")):  # fmt: skip
        content = described["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
        assert content["schema"]["$ref"] == f"#/components/schemas/{answer}"
        assert answer in described["components"]["schemas"]
    assert "segments" in described["components"]["schemas"]["QueryBody"]["properties"]
