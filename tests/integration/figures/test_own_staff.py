"""What our own people do for customers counts, whoever of us did it; what they do in customers' places doesn't."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.integration.figures.conftest import Stages
from tests.integration.kpi_engine.figures_stage import Ev, Stage

from common.catalogue import Catalogue, load
from common.catalogue.lifecycles import Step
from common.catalogue.models import EventType, Measure
from common.catalogue.staff import left_out
from common.figures import Figure, Query, query
from common.figures.run import behind

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
NOW = MONDAY + 40 * DAY
SPAN = (date(2026, 1, 1), date(2027, 1, 1))
MONEY = {"currency": "EUR"}
OUR_DOING: tuple[tuple[str, dict[str, Any]], ...] = (
    ("ticket.first_responded", {"ticket": "t"}),
    ("ticket.resolved", {"ticket": "t"}),
    ("complaint.resolved", {"complaint": "c"}),
    ("onboarding.milestone_reached", {"milestone": "first_value"}),
    ("activity.logged", {"owner": "kim", "kind": "review", "two_way": True}),
    ("deal.created", {"deal": "d"}),
    ("deal.won", {"deal": "d", "amount": "100", **MONEY}),
    ("invoice.failed", {"invoice": "i", "amount": "5", **MONEY}),
    ("success_plan.set", {"goal": "g", "baseline": 0, "target": 5, "due": "2026-03-20"}),
    ("success_plan.progressed", {"goal": "g", "value": 6}),
)
COUNTED = {
    "first_response_time_calendar": 1,
    "ticket_backlog": 0,
    "self_serve_share": 0,
    "complaint_resolution_time": 0,  # before the office opens
    "accounts_onboarded": 1,
    "csm_coverage": 1,
    "deals_won": 1,
    "failed_invoices": 1,
    "reviews_held": 1,
    "success_plan_attainment": 1,
}


@pytest.fixture(scope="module")
def pack() -> Catalogue:
    return load(Path(__file__).parents[3] / "catalogue")


@pytest.fixture
def stage(stages: Stages, pack: Catalogue) -> Stage:
    stage = stages(pack, NOW)
    begun: tuple[tuple[str, str | None, dict[str, Any]], ...] = (
        ("account.created", None, {"traits": {"owner": "kim"}}),
        ("ticket.opened", "ann", {"ticket": "t"}),
        ("complaint.filed", "ann", {"complaint": "c"}),
    )
    told = [Ev(kind, MONDAY, f"b{n}", "acme", who, data) for n, (kind, who, data) in enumerate(begun)]
    told += [
        Ev(kind, NOW - 3 * DAY if kind == "activity.logged" else MONDAY + (n + 1) * HOUR, f"o{n}", "acme", "ag", data)
        for n, (kind, data) in enumerate(OUR_DOING)
    ]  # fmt: skip
    stage.write(told)
    return stage


def mark(stage: Stage, user: str, *, number: int = 1) -> None:
    told = {"traits": {"is_internal": True}}
    stage.write([Ev("user.updated", NOW - DAY, f"m{number}", "acme", user, told)])


def ask(stage: Stage, metric: str) -> Figure:
    wanted = Query((metric,), start=SPAN[0], end=SPAN[1], grain="total")
    [figure] = query(stage.conn, stage.tenant_id, stage.catalogue, wanted, NOW).figures
    return figure


def test_what_our_people_did_counts_before_and_after_they_are_marked(stage: Stage) -> None:
    before = {metric: ask(stage, metric) for metric in COUNTED}
    assert {metric: found.value for metric, found in before.items()} == COUNTED
    mark(stage, "ag")
    assert {metric: ask(stage, metric) for metric in COUNTED} == before


def test_our_people_s_own_tickets_and_complaints_are_none_of_the_customer_s(stage: Stage) -> None:
    mark(stage, "ann")
    for metric in ("tickets_opened", "ticket_backlog", "complaints"):
        assert ask(stage, metric).value == 0
    assert ask(stage, "first_response_time_calendar").denominator == 0


def test_the_list_behind_a_figure_has_the_events_that_count(stage: Stage) -> None:
    def counted(metric: str) -> set[str]:
        account = stage.rows("select id from engine.account where name = 'acme'")[0][0]
        found = behind(
            stage.conn, stage.tenant_id, stage.catalogue, stage.catalogue.metrics[metric], account, SPAN, NOW
        )
        return {event_id for _, event_id in found.by_name}

    mark(stage, "ag")
    assert counted("first_response_time_calendar") == {"b1", "o0", "o1"}
    mark(stage, "ann", number=2)
    assert counted("first_response_time_calendar") == set()
    assert counted("csm_coverage") >= {"o4"}


@pytest.mark.parametrize("others", [True, False])
def test_a_step_is_the_customer_s_where_one_of_its_types_is_activity(others: bool) -> None:
    def step(name: str | None, *types: str) -> Step:
        return Step(name=name, name_from=None if name else "data.x", event_types=types)

    catalogue = Catalogue(event_types={"ours": EventType(name="ours", activity=False)})
    steps = (
        step("theirs", "use"),
        step("own", "ours"),
        step("both", "ours", "use"),
        step(None, "use" if others else "ours"),
    )
    made = Measure(name="m", agg="steps", steps=steps)
    assert [name in left_out(made, catalogue) for name in ("theirs", "own", "both", "anything")] == [
        True,
        False,
        True,
        others,
    ]
    everybody = left_out(made.model_copy(update={"exclude_internal": False}), catalogue)
    assert not any(name in everybody for name in ("theirs", "own", "both", "anything"))
