"""What was told of a risk is forgotten where it rests on what was corrected, and told on where nothing arrives any more."""

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.integration.kpi_engine.test_backfills import closed, load, reverted
from tests.integration.kpi_engine.test_corrections import decide, settle, tenant_id, world
from tests.integration.kpi_engine.test_engine import NOW, World, event

from common.control.backfills import open_backfill
from common.control.log import NewEntry, append
from kpi_engine.consumer.loop import Engine

__all__ = ["world"]


def fee(subscription: str, days: int) -> dict[str, Any]:
    data = {"subscription": subscription, "mrr": "100", "currency": "EUR"}
    end = (NOW + timedelta(days=days)).isoformat()
    at = (NOW - timedelta(days=60)).isoformat()
    return event(0, id=subscription, type="subscription.started", time=at, data=data | {"term_end": end})


def answer(score: int) -> dict[str, Any]:
    return event(1, type="survey.responded", data={"user": "u", "survey": "s", "kind": "nps", "score": score})


def shown(world: World, engine: Engine) -> list[tuple[float, list[tuple[str, str, float]]]]:
    """The risk and the reasons of each open renewal."""
    for _ in range(3):
        world.clock.advance(timedelta(seconds=2))
        world.drain(engine)
    rows = world.connection.execute(
        "select probability::float8, reasons from published.renewal_risk order by subscription"
    )
    return [(p, [(its["reason"], its["state"], its["points"]) for its in reasons]) for p, reasons in rows]


@pytest.mark.parametrize("how", ["deletion", "amendment", "revert"])
def test_a_corrected_event_leaves_no_reason_behind(world: World, how: str) -> None:
    engine = world.engine()
    world.send(fee("s", 60), fee("t", 90))
    world.drain(engine)
    before = shown(world, engine)
    assert len(before) == 2
    opened = open_backfill(world.connection, tenant_id(world), "", "k", NOW)
    if how == "revert":
        load(world, opened, answer(0))
        world.drain(engine)
        closed(world, engine, opened)
    else:
        world.send(answer(0))
        world.drain(engine)
    told = shown(world, engine)
    costs = [points for _, reasons in told for name, _, points in reasons if name == "nps"]
    assert len(costs) == 2
    assert min(costs) > 0
    if how == "revert":
        reverted(world, engine, opened)
    else:
        login = event(1, data={"user": "u"}) if how == "amendment" else None
        settle(world, engine, decide(world, how, "e1", login))
    left = [[its for its in reasons if its[0] == "nps"] for _, reasons in shown(world, engine)]
    assert left == [[its for its in reasons if its[0] == "nps"] for _, reasons in before]
    if how != "amendment":
        assert shown(world, engine) == before


def test_history_made_anew_forgets_what_was_held(world: World) -> None:
    engine = world.engine()
    world.send(fee("s", 60), fee("t", 90))
    world.drain(engine)
    before = shown(world, engine)
    assert {state for name, state, _ in before[0][1] if name == "champion"} == {"unknown"}
    told = [{"reason": "champion", "label": "", "state": "known", "points": 99.0, "text": ""}]
    for table in ("account_state", "further_risk"):
        world.connection.execute(
            f"update engine.{table} set risk = jsonb_set(risk, '{{reasons}}', risk -> 'reasons' || %s::jsonb)",
            (json.dumps(told),),
        )
    rebuild = append(world.connection, tenant_id(world), NewEntry("rebuild", "", "k"), world.clock.now())
    settle(world, engine, rebuild)
    assert shown(world, engine) == before
