"""How healthy an account is: explained, never healthy while a grave case is open, beside what people think."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.integration.api_gateway.listening import Listening
from tests.integration.api_gateway.world import Served, Tenant, World

from api_gateway.domain import health as rules
from api_gateway.domain.rating_record import Rated, record
from api_gateway.domain.records import CaseSummary, Child
from common.catalogue import load
from common.catalogue.loading import base_pack
from kpi_engine.domain.health import compiled

FIGURES = {"days_silent": 1, "usual_gap_days": 1, "quiet_days": 0, "complaints_7d": 0,
           "complaints_base": 0.5, "nps_latest": 9, "mrr": 100, "age_days": 400}  # fmt: skip
USE = {"use_fell": {"state": "off", "value": 90, "baseline": 100}}
PROFILES = load(base_pack()).health


def judged(world: World, tenant: Tenant, name: str, figures: dict[str, Any], **known: Any) -> int:
    """An account as the engine leaves it."""
    health = compiled(PROFILES.values(), 1).judge({**figures, "s": USE}, known.get("traits", {}))
    assert health is not None
    account = world.account(
        tenant, name, figures={**figures, "health": health.score, "health_band": health.band}, **known
    )
    with world.connect() as connection:
        document = json.dumps(_fields(health), default=_fields)
        connection.execute(
            "update engine.account_state set health = %s where account_id = %s", (document, account)
        )
        for back, score in ((9, 80), (2, 60)):
            connection.execute(
                """insert into engine.health_day (tenant_id, account_id, day, score, band, profile, definitions, computed_at)
                   values (%s, %s, %s, %s, 'good', 'standard', 1, now())""",
                (tenant.id, account, date(2026, 3, 10) - timedelta(days=back), score),
            )
    return account


def _fields(part: Any) -> Any:
    return {field: getattr(part, field) for field in part.__struct_fields__}


def test_a_score_is_shown_with_what_made_it_and_its_history(
    world: World, ours: Tenant, gateway: Served
) -> None:
    judged(world, ours, "acme", FIGURES)
    health = gateway.get("/v1/accounts/acme/health", ours).json()
    assert (health["score"], health["band"], health["healthy"], health["worst"]) == (
        88.9,
        "good",
        True,
        "use",
    )
    assert round(sum(one["lost"] for one in health["inputs"]) + health["cut"] + health["score"], 6) == 100
    assert [(day["day"], day["score"], day["definitions"]) for day in health["history"]] == [
        ("2026-03-08", 60.0, 1),
        ("2026-03-01", 80.0, 1),
    ]
    assert (health["disagrees"], health["ratings"], health["children"]) == (None, [], None)
    assert [band["name"] for band in health["bands"]] == ["poor", "fair", "good"]
    assert len(gateway.get("/v1/accounts/acme/health?days=1", ours).json()["history"]) == 1


@pytest.mark.parametrize(("severity", "is_paged"), [("critical", False), ("warning", True)])
def test_no_account_is_healthy_anywhere_while_a_grave_case_is_open(
    world: World, ours: Tenant, gateway: Served, severity: str, is_paged: bool
) -> None:
    account = judged(world, ours, "acme", FIGURES, traits={"parent": "group"})
    calm = judged(world, ours, "a_calm_one", FIGURES)
    judged(world, ours, "group", FIGURES)
    world.case(ours, calm, severity="warning")
    case = world.case(ours, account, severity=severity)
    with world.connect() as connection:
        connection.execute('update alerts."case" set paged_at = now() where %s and id = %s', (is_paged, case))
    health = gateway.get("/v1/accounts/acme/health", ours).json()
    calm_score = gateway.get("/v1/accounts/a_calm_one/health", ours).json()["score"]
    assert (health["healthy"], health["held_by_case"]) == (False, case)
    least, most = (
        gateway.get(f"/v1/accounts?sort=health&order={order}", ours).json()["data"]
        for order in ("asc", "desc")
    )
    assert [row["id"] for row in least] == ["acme", "a_calm_one", "group"], "in the order of what is shown"
    assert [row["id"] for row in most] == ["a_calm_one", "group", "acme"]
    with Listening(f"{gateway.url}/v1/stream?topics=accounts", ours.headers()) as client:
        client.wait_for("ready")
        world.change(ours, [account])
        [heard] = client.wait_for("accounts").data["accounts"]
    one = gateway.get("/v1/accounts/acme", ours).json()
    assert [
        (row["figures"]["health"], row["figures"]["health_band"], row["held_by_case"])
        for row in (one, heard, least[0], most[2], least[1])
    ] == [(health["score"], "fair", case)] * 4 + [(calm_score, "good", None)]
    children = gateway.get("/v1/accounts/group/health", ours).json()["children"]
    assert (health["score"], children["score"]) == (69.9, 69.9)
    assert children["least_healthy"] == [{"id": "acme", "score": 69.9, "band": "fair"}]


def test_what_people_think_stands_beside_the_score(world: World, ours: Tenant, gateway: Served) -> None:
    judged(world, ours, "acme", FIGURES)
    said = {"band": "poor", "comment": "The champion is leaving.", "by": "Maya"}
    assert gateway.post("/v1/accounts/acme/health/rating", ours, said).status_code == 403, (
        "reading is not rating"
    )
    rated = gateway.post("/v1/accounts/acme/health/rating", ours, said, scope="act")
    assert rated.status_code == 201
    assert (rated.json()["score"], rated.json()["computed"]) == (88.9, "good")
    health = gateway.get("/v1/accounts/acme/health", ours).json()
    assert health["disagrees"] is True
    assert health["ratings"][0]["rated_by"] == "Maya"
    wrong = gateway.post("/v1/accounts/acme/health/rating", ours, {"band": "splendid"}, scope="act")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "band-unknown")


def test_a_disagreement_is_followed_to_the_renewal_that_decides_who_was_right(
    world: World, ours: Tenant, theirs: Tenant, gateway: Served
) -> None:
    renewals = (("left", 0), ("cut", 40), ("stayed", 100), ("waits", None))
    for name, renewed in renewals:
        account = judged(world, ours, name, FIGURES)
        for band in ("good", "poor", "poor"):
            gateway.post(
                f"/v1/accounts/{name}/health/rating", ours, {"band": band, "by": "Maya"}, scope="act"
            )
        with world.connect() as connection:
            connection.execute(
                """insert into engine.renewal (tenant_id, account_id, subscription, due_at, mrr, renewed, source)
                   select %s, %s, 's', now() + day * interval '1 day', 100, renewed, 'term'
                   from (values (-9, 100), (30, %s::numeric), (400, null)) as t(day, renewed)""",
                (ours.id, account, renewed),
            )
    told = gateway.get("/v1/health/disagreements", ours).json()
    counts = ("disagreements", "open", "person_right", "score_right", "person_right_share")
    assert [told[name] for name in counts] == [4, 1, 2, 1, None]
    assert {one["account"]: (one["outcome"], one["right"]) for one in told["data"]} == {
        "left": ("lost", "person"), "cut": ("reduced", "person"), "stayed": ("renewed", "score"), "waits": (None, None),
    }  # fmt: skip
    assert gateway.get("/v1/health/disagreements", theirs).json()["data"] == []


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.none() | st.floats(0, 1)), max_size=60))
def test_every_disagreement_is_counted_once_and_a_share_is_told_from_twenty_on(drawn: list[Any]) -> None:
    at = datetime(2026, 3, 10, tzinfo=UTC)
    bands = {True: ("good", "poor"), False: ("poor", "good")}
    rated = [Rated(f"a{n}", "standard", *bands[well], 50, "Maya", at, at, kept) for n, well, kept in drawn]
    told = record(rated, PROFILES)
    first = {n: (well, kept) for n, well, kept in reversed(drawn)}
    decided = [(well, kept >= 0.9) for well, kept in first.values() if kept is not None]
    assert told["disagreements"] == len(first) == told["open"] + told["person_right"] + told["score_right"]
    assert told["person_right"] == sum(well == stayed for well, stayed in decided)
    assert (told["person_right_share"] is None) == (len(decided) < 20)


def test_a_parent_shows_its_children_and_the_list_is_sorted_by_health(
    world: World, ours: Tenant, theirs: Tenant, gateway: Served
) -> None:
    judged(world, ours, "group", FIGURES, traits={"parent": "unheard"})
    judged(world, ours, "north", FIGURES, traits={"parent": "group"}, mrr="300")
    judged(world, ours, "south", {**FIGURES, "days_silent": 40}, traits={"parent": "group"}, mrr="100")
    judged(world, ours, "unheard", {}, traits={"parent": "north"})
    judged(world, theirs, "foreign", FIGURES, traits={"parent": "group"})
    children = gateway.get("/v1/accounts/group/health", ours).json()["children"]
    south = gateway.get("/v1/accounts/south/health", ours).json()["score"]
    assert (children["accounts"], children["known"]) == (3, 2), (
        "a grandchild too, and not itself though it hangs on it"
    )
    assert children["score"] == round((300 * 88.9 + 100 * south) / 400, 1)
    listed = gateway.get("/v1/accounts?sort=health", ours).json()["data"]
    assert [row["id"] for row in listed] == ["south", "group", "north", "unheard"]


def test_an_account_without_health_says_so(world: World, ours: Tenant, gateway: Served) -> None:
    world.account(ours, "new")
    answer = gateway.get("/v1/accounts/new/health", ours)
    assert (answer.status_code, answer.json()["code"]) == (404, "health-unknown")
    assert gateway.get("/v1/accounts/nobody/health", ours).json()["code"] == "account-unknown"


@given(
    st.dictionaries(st.sampled_from(sorted(FIGURES)), st.floats(-10, 1000) | st.none()),
    st.sampled_from(("info", "warning", "critical")),
    st.booleans(),
)
def test_a_grave_case_never_leaves_an_account_healthy(
    figures: dict[str, Any], severity: str, is_paged: bool
) -> None:
    health = compiled(PROFILES.values(), 1).judge(figures, {})
    assert health is not None
    document = json.loads(json.dumps(_fields(health), default=_fields))
    case = CaseSummary("c", severity, "open", "", datetime(2026, 3, 10, tzinfo=UTC), is_paged)
    profile = PROFILES[health.profile]
    shown = rules.shown(document, profile, case)
    if severity == "critical" or is_paged:
        assert not shown["healthy"]
    else:
        assert shown["score"] == health.score
    if shown["score"] is not None:
        told = [band.name for band in profile.bands if band.from_ <= shown["score"]][-1]
        assert shown["band"] == told


@given(st.lists(st.tuples(st.none() | st.floats(0, 100), st.decimals(0, 10_000, places=2)), max_size=6))
def test_a_roll_up_lies_between_the_least_and_the_most_healthy_child(
    children: list[tuple[float | None, Any]],
) -> None:
    made = [Child(str(n), score, None, mrr) for n, (score, mrr) in enumerate(children)]
    rolled = rules.rolled_up(made, PROFILES)
    scores = [score for score, _ in children if score is not None]
    if not children:
        assert rolled is None
    else:
        assert rolled is not None
        assert (rolled["score"] is None) == (not scores)
        if scores:
            assert min(scores) - 0.06 <= rolled["score"] <= max(scores) + 0.06


def test_signals_are_shown_with_what_they_rest_on_those_that_are_on_first(
    world: World, ours: Tenant, theirs: Tenant, gateway: Served
) -> None:
    account = world.account(ours, "acme", figures={"mrr": 100})
    said = {
        "complaints_rose": {"state": "on", "value": 6, "baseline": 0.5, "unusual": 0.0009, "since": "2026-03-09T11:00:00Z"},
        "use_fell": {"state": "stale", "why": "source-quiet", "value": 40, "baseline": 38},
        "nps_poor": {"state": "no-data", "why": "never-seen"},
        "mrr_fell": {"state": "off", "value": 100, "baseline": 100},
        "key_features_fell": {"state": "on", "value": 40, "baseline": 90, "unusual": 0.001, "last_year": 0.88},
        "use_dropped": {"state": "off", "why": "last-year", "value": 40, "baseline": 50, "last_year": 0.5},
    }  # fmt: skip
    with world.connect() as connection:
        connection.execute(
            "update engine.account_state set signals = %s where account_id = %s", (json.dumps(said), account)
        )
    signals = gateway.get("/v1/accounts/acme/signals", ours).json()["signals"]
    assert [(one["name"], one["state"]) for one in signals] == [
        ("complaints_rose", "on"), ("key_features_fell", "on"), ("use_fell", "stale"), ("nps_poor", "no-data"),
        ("mrr_fell", "off"), ("use_dropped", "off"),
    ]  # fmt: skip
    assert signals[1]["evidence"].endswith(
        "90 were to be expected. In the same weeks of last year: down 12%."
    )
    assert signals[5]["evidence"].endswith("In the same weeks of last year: down 50%.")
    assert signals[0]["evidence"] == "6 complaints in the last 7 days; its usual week has 0.5 complaints."
    assert (signals[0]["rests_on"], signals[0]["finished_days_only"]) == (["measure.complaints"], False)
    assert (signals[2]["why"], signals[2]["evidence"]) == ("source-quiet", None)
    assert gateway.get("/v1/accounts/acme/signals", theirs).status_code == 404
