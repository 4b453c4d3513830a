"""Who is looked after and who moves on, through the engine, equal plain code over the raw events."""

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.figures.conftest import Stages
from tests.integration.figures.stories import as_events
from tests.integration.figures.test_figures_match_the_oracle import ZONES
from tests.integration.kpi_engine.figures_stage import Ev, Stage, split
from tests.reference.calendar import Calendar
from tests.reference.contacts import entries, is_covered
from tests.reference.lifecycles import Lifecycles

from common.catalogue import Catalogue
from common.figures import Figure, Query, query

DAY, INSTANT = timedelta(days=1), timedelta(microseconds=1)
NOW = datetime(2026, 7, 1, tzinfo=UTC)
METRICS = ("csm_coverage", "journey_conversion")


@pytest.fixture
def stage(stages: Stages, base_pack: Catalogue) -> Stage:
    return stages(base_pack, NOW)


def ask(stage: Stage, *metrics: str, **parts: Any) -> list[Figure]:
    made = Query(metrics, **{"start": date(2026, 4, 1), "end": date(2026, 7, 1), "grain": "total", **parts})
    return list(query(stage.conn, stage.tenant_id, stage.catalogue, made, NOW).figures)


def test_a_contact_lasts_as_long_as_the_engagement_model_says(stage: Stage) -> None:
    told = NOW - 100 * DAY
    models = {"acme": "high", "bolt": "mid", "core": "other", "dune": None}
    owned = [
        Ev(
            "account.created",
            told,
            f"a-{name}",
            name,
            None,
            {"traits": {"owner": "kim", "engagement_model": model}},
        )
        for name, model in models.items()
    ]
    free = Ev("account.created", told, "free", "free", None, {"traits": {"owner": None}})
    contacts = [
        Ev("activity.logged", at, f"c-{n}", name, None, {"owner": "kim", "kind": "call", **two_way})
        for n, (name, at, two_way) in enumerate(
            [
                ("acme", NOW - 14 * DAY, {"two_way": True}),
                ("bolt", NOW - 30 * DAY - INSTANT, {"two_way": True}),
                ("core", NOW - 90 * DAY, {"two_way": True}),
                ("dune", NOW - DAY, {"two_way": False}),
                ("dune", NOW - DAY, {}),
            ]
        )
    ]
    stage.write([*owned, free, *contacts])
    (found,) = ask(stage, "csm_coverage")
    assert (found.value, found.numerator, found.denominator) == (0.5, 2, 4)


def test_a_closed_account_is_nobodys_from_that_instant_until_it_is_created_again(stage: Stage) -> None:
    owner = {"traits": {"owner": "kim"}}
    called = {"owner": "kim", "kind": "call", "two_way": True}
    closed = datetime(2026, 5, 10, 9, tzinfo=UTC)
    stage.write([Ev("account.created", closed + 30 * DAY, "again", "acme", None, owner)])
    stage.write([Ev("account.closed", closed, "end", "acme", None, {"reason": "moved"})])
    stage.write(
        [Ev("account.created", closed - 99 * DAY, f"c-{a}", a, None, owner) for a in ("acme", "bolt")]
    )
    stage.write([Ev("activity.logged", closed - DAY, "call", "acme", None, called)])
    day = closed.date()
    found = ask(stage, "csm_coverage", start=day - DAY, end=day + 2 * DAY, grain="day")
    assert [(f.numerator, f.denominator) for f in found] == [(1, 2), (0, 1), (0, 1)]
    found = ask(stage, "csm_coverage", start=day + 30 * DAY, end=day + 31 * DAY, grain="day")
    assert [(f.numerator, f.denominator) for f in found] == [(1, 2)]


def test_entries_that_stall_are_those_without_a_next_step_in_time(stage: Stage) -> None:
    start = NOW - 60 * DAY
    walk = [("a", 0), ("b", 29), ("c", 40), ("b", 41)]
    stage.write(
        [
            Ev(
                "journey.step_entered",
                start + days * DAY,
                f"{step}{days}",
                "acme",
                None,
                {"journey": "j", "step": step},
            )
            for step, days in walk
        ]
    )
    (found,) = ask(stage, "journey_conversion")
    # a and b moved on; c is 20 days old, and going back to b is no new entry.
    assert (found.value, found.numerator, found.denominator, found.censored) == (1, 2, 2, 1)
    by_step = {
        f.group["step"]: (f.value, f.censored) for f in ask(stage, "journey_conversion", group_by=("step",))
    }
    assert by_step == {"a": (1, 0), "b": (1, 0), "c": (None, 1)}


@st.composite
def lives(draw: st.DrawFn) -> tuple[str, datetime, str, dict[str, Any]]:
    kind = draw(
        st.sampled_from(
            [
                "account.updated",
                "account.created",
                "account.closed",
                "activity.logged",
                "activity.logged",
                "journey.step_entered",
                "journey.step_entered",
            ]
        )
    )
    at = (
        NOW
        - draw(st.sampled_from([0, 1, 13, 14, 15, 29, 30, 31, 60, 89, 90, 91])) * DAY
        - draw(st.integers(0, 1)) * INSTANT
    )
    data: dict[str, Any]
    if kind == "account.updated":
        owner, model = st.sampled_from(["kim", None]), st.sampled_from(["high", "mid", "tech", "x", None])
        data = {
            "traits": draw(st.fixed_dictionaries({}, optional={"owner": owner, "engagement_model": model}))
        }
    elif kind == "activity.logged":
        data = {"owner": "kim", "kind": "call", "two_way": draw(st.booleans())}
    elif kind in ("account.created", "account.closed"):
        data = {}
    else:
        data = {"journey": draw(st.sampled_from("jk")), "step": draw(st.sampled_from("abc"))}
    return kind, at, draw(st.sampled_from(["acme", "bolt"])), data


@given(
    drawn=st.lists(lives(), min_size=10, max_size=40),
    seed=st.integers(0, 2**32),
    cuts=st.lists(st.integers(0, 100), max_size=4),
    by=st.sampled_from([None, "account"]),
    zone=st.sampled_from(ZONES),
)
@settings(
    max_examples=50,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_coverage_and_journeys_equal_the_reference(
    stage: Stage, drawn: list[Any], seed: int, cuts: list[int], by: str | None, zone: str
) -> None:
    happened = [
        Ev(kind, at, f"e{n:02d}", account, None, data) for n, (kind, at, account, data) in enumerate(drawn)
    ]
    arriving = list(happened)
    random.Random(seed).shuffle(arriving)
    local = stage.catalogue.settings.model_copy(update={"timezone": zone})
    stage.reset(stage.catalogue.model_copy(update={"settings": local}))
    for batch in split(arriving, cuts):
        if batch:
            stage.write(batch)
    events, calendar = as_events(happened), Calendar(ZoneInfo(zone))
    traits = Lifecycles(events, calendar, NOW)
    for figure in ask(stage, *METRICS, grain="month", group_by=(by,) if by else ()):
        start, end = (datetime.fromisoformat(at).astimezone(UTC) for at in (figure.start, figure.end))
        wanted = {event.account for event in events} if by is None else {str(figure.group["account"])}
        if figure.metric == "csm_coverage":
            judged = [is_covered(events, calendar, traits, a, min(end, NOW)) for a in wanted]
            part, whole = judged.count(True), len(judged) - judged.count(None)
        else:
            old = [
                (at, after)
                for account, at, after in entries(events, NOW)
                if account in wanted and start <= at < end and at + 30 * DAY <= NOW
            ]
            part = sum(after is not None and after < at + 30 * DAY for at, after in old)
            whole = len(old)
        assert (figure.numerator, figure.denominator) == (part, whole), figure
        assert figure.value == (part / whole if whole else None)
