"""A base in which who falls silent leaves four weeks later, and one in which as many leave at random: what the routes claim."""

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import PostgresServer
from tests.integration.analysis.lives import WEEK, life
from tests.integration.analysis.stage import Told, telling
from tests.integration.kpi_engine.figures_stage import Ev

from api_gateway.http import analysis_schemas as schemas
from common.catalogue import Catalogue, load
from common.catalogue.segments import Segment
from common.catalogue.tree import Driver
from common.clock import SystemClock

ACCOUNTS, WEEKS, LEAD_WEEKS = 90, 34, 4
NORTH = tuple(f"account-{number:03}" for number in range(0, ACCOUNTS, 3))
BELIEVED = {
    "name": "logins_to_grr", "driver": "portal_logins", "moves": "grr", "effect": "raises", "lag_days": 28,
    "why": "Who stops to use it leaves.", "owner": "Customer success", "team": "Customer success", "control": "shared",
}  # fmt: skip


@cache
def monday() -> datetime:
    """The start of the week in which the tests began; the weeks before it are finished."""
    today = SystemClock().now().date()
    return datetime.combine(today - timedelta(days=today.weekday()), datetime.min.time(), UTC)


def definitions() -> Catalogue:
    base = load(Path(__file__).parents[3] / "catalogue")
    arithmetic = {**BELIEVED, "name": "logins_to_adoption", "moves": "adoption_rate"}
    drivers = [Driver.model_validate(edge) for edge in (BELIEVED, arithmetic)]
    large = Segment(name="large_ones", label="Large", filter={"segment": ("large",)})
    return base.model_copy(
        update={
            "drivers": {edge.name: edge for edge in drivers},
            "segments": {**base.segments, large.name: large},
        }
    )


def prospects() -> Iterator[Ev]:
    """Accounts that were imported and never did anything, and visitors without an account."""
    for number in range(500):
        name, at = f"prospect-{number:03}", monday() - 5 * WEEK
        yield Ev("account.created", at, f"{name}-new", name, None, {"traits": {"segment": "small"}})
        visitor = f"user:{number:03}"
        yield Ev("user.logged_in", at, f"{visitor}-in", visitor, visitor)


def base(seed: int, *, follows: bool) -> Iterator[Ev]:
    """A third of the accounts fall to a fifth of their log-ins in some week; a third leave: those, or others drawn by lot."""
    rng = random.Random(seed)
    start = monday() - WEEKS * WEEK
    for number in range(ACCOUNTS):
        name, usual = f"account-{number:03}", rng.randrange(4, 8)
        segment = "large" if number % 4 == 0 else "small"
        falls = rng.randrange(6, WEEKS - 8) if rng.random() < 0.35 else None
        at_random = rng.randrange(6, WEEKS - 2) if rng.random() < 0.35 else None
        leaves = (None if falls is None else falls + LEAD_WEEKS) if follows else at_random
        yield from life(rng, start, WEEKS, name, segment, usual, falls, leaves)


def moving_north() -> Iterator[Ev]:
    """Some accounts get another trait on the eve of the period whose leavers are told by decile."""
    for name in NORTH:
        yield Ev(
            "account.updated",
            deciles_from() - WEEK / 7,
            f"{name}-north",
            name,
            None,
            {"traits": {"side": "north"}},
        )


def deciles_from() -> datetime:
    """As long as use falls before the end, so the week before shows it of all who leave; 11 do, and 8 by lot."""
    return monday() - 23 * WEEK


@pytest.fixture(scope="module", params=[True, False], ids=["follows", "at random"])
def told(
    request: pytest.FixtureRequest, postgres_server: PostgresServer, migrated_template: str
) -> Iterator[tuple[bool, Told]]:
    name = f"driven_{uuid.uuid4().hex}"
    postgres_server.execute("create database {} template {} strategy file_copy", name, migrated_template)
    with telling(postgres_server.database_url(name), definitions()) as made:
        made.history.tell([*base(3, follows=request.param), *prospects(), *moving_north()])
        made.history.applied(SystemClock().now())
        made.history.conn.execute(
            "update engine.account_state s set traits = jsonb_build_object('segment', t.value) "
            "from engine.trait t where t.account_id = s.account_id and t.name = 'segment'"
        )
        yield request.param, made
    postgres_server.drop(name)


def test_an_edge_is_found_where_it_is_and_not_claimed_where_it_is_not(told: tuple[bool, Told]) -> None:
    follows, gateway = told
    answer = gateway.get("/v1/drivers")
    schemas.Drivers.model_validate(answer)
    edge, arithmetic = answer["data"]
    assert (arithmetic["state"], arithmetic["accounts"], arithmetic["segments"]) == ("shared_events", 0, [])
    assert "(user.logged_in)" in arithmetic["says"]
    # The 500 that were only created are none of them, nor are as many visitors.
    assert answer["accounts"] == {"looked_at": ACCOUNTS, "of": ACCOUNTS}
    assert (edge["driver"], edge["moves"], edge["grain"], edge["accounts"]) == (
        "portal_logins",
        "grr",
        "week",
        ACCOUNTS,
    )
    if not follows:
        assert edge["state"] == "not_seen", edge
        assert "not seen" in edge["says"]
        return
    assert edge["state"] == "holds", edge
    assert edge["lead"]["unit"] == "weeks"
    assert edge["lead"]["low"] <= LEAD_WEEKS <= edge["lead"]["high"]
    assert edge["lead"]["value"] == LEAD_WEEKS
    assert 0 < edge["correlation"]["low"] < edge["correlation"]["high"]
    assert edge["says"] == "Where portal_logins rises, grr is higher 4 weeks later, as believed."
    assert {one["segment"]: one["state"] for one in edge["segments"]} == {
        "small": "holds",
        "large": "too_little_data",
    }
    assert edge["segments"][1]["says"].startswith("Too little data")


def test_only_the_edges_asked_for_are_tested(told: tuple[bool, Told]) -> None:
    _, gateway = told
    assert gateway.get("/v1/drivers?moves=nrr")["data"] == []
    [edge] = gateway.get("/v1/drivers?driver=portal_logins&moves=grr&by=")["data"]
    assert edge["segments"] == []


def test_edges_are_tested_apart_by_segments_of_the_definitions(told: tuple[bool, Told]) -> None:
    [edge] = told[1].get("/v1/drivers?moves=grr&by=segment:large_ones")["data"]
    large = len(range(0, ACCOUNTS, 4))
    apart = {one["segment"]: one["state"] for one in edge["segments"]}
    assert list(apart) == ["false", "true"]
    assert apart["true"] == "too_little_data"
    assert edge["segments"][0]["accounts"] == ACCOUNTS - large


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("driver=nothing", "metric-unknown"),
        ("moves=nothing", "metric-unknown"),
        ("by=nothing", "dimension-unknown"),
        ("by=customers", "dimension-unknown"),
        ("by=segment:nothing", "segment-unknown"),
        ("drivr=portal_logins", "parameter-unknown"),
    ],
)
def test_a_question_about_edges_that_can_not_be_answered_says_why(
    told: tuple[bool, Told], asked: str, code: str
) -> None:
    answer = told[1].send("GET", f"/v1/drivers?{asked}")
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_deciles_show_who_leaves_where_it_follows(told: tuple[bool, Told]) -> None:
    follows, gateway = told
    found = gateway.post("/v1/drivers/churn-by-decile", who_leaves())
    schemas.ByDecile.model_validate(found)
    assert sum(one["accounts"] for one in found["deciles"]) == found["accounts"]
    assert sum(one["left"] for one in found["deciles"]) == found["left"]
    assert found["churn"] == "logo_churn"
    assert found["verdict"] == ("low_values_leave" if follows else "no_difference")
    assert (found["low"] > 0.5) is follows


def test_a_filter_chooses_accounts_by_what_they_are_when_the_period_begins(told: tuple[bool, Told]) -> None:
    _, gateway = told
    by_trait = gateway.post("/v1/drivers/churn-by-decile", {**who_leaves(), "filter": {"side": ["north"]}})
    by_name = gateway.post("/v1/drivers/churn-by-decile", {**who_leaves(), "accounts": list(NORTH)})
    assert by_trait == by_name
    assert by_trait["deciles"][-1]["most"] > 0


def who_leaves() -> dict[str, Any]:
    ends = deciles_from() + LEAD_WEEKS * WEEK
    return {
        "driver": "portal_logins", "from": deciles_from().isoformat(), "to": ends.isoformat(), "before_days": 7,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"driver": "nothing"}, "metric-unknown"),
        ({"driver": None}, "driver-missing"),
        ({"before_days": 0}, "before-days-invalid"),
        ({"to": "2999-01-01"}, "to-invalid"),
        ({"to": "2190-01-01"}, "period-not-over"),
        ({"odd": 1}, "field-unknown"),
    ],
)
def test_a_question_about_deciles_that_can_not_be_answered_says_why(
    told: tuple[bool, Told], change: dict[str, Any], code: str
) -> None:
    asked = {"driver": "portal_logins", "from": "2026-03-01", "to": "2026-04-01", **change}
    answer = told[1].send("POST", "/v1/drivers/churn-by-decile", asked)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
