"""Late subscriptions and late steps, and what is taken out again: revisions say of every complete day what plain code says."""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.integration.kpi_engine.figures_histories import AROUND, CATALOGUE, NOW, numbered
from tests.integration.kpi_engine.figures_stage import INGESTED_AT, Ev, Stage
from tests.integration.kpi_engine.revising import (
    CALENDAR,
    SETTLED,
    TODAY,
    Days,
    arrives,
    changes,
    metric,
    some_of,
    thorough,
    told,
)
from tests.integration.kpi_engine.test_retraction import TICKETS
from tests.reference.currencies import Currencies
from tests.reference.events import event_of, without_internal

from common.catalogue.lifecycles import Step
from common.catalogue.models import EventType, Measure
from common.clock import FixedClock
from kpi_engine.domain.revisions import LATE, Cause

METRICS = [
    metric({"type": "semi_additive", "measure": "mrr"}),
    metric({"type": "entered", "measure": "tickets", "step": "opened"}),
]
OUR_DOING = EventType(name="ticket.resolved", activity=False)
STEPS = (*TICKETS.steps, Step(name="resolved", event_types=(OUR_DOING.name,)))
MEASURES = {
    "tickets": TICKETS.model_copy(update={"steps": STEPS}),
    "mrr": Measure.model_validate({"name": "mrr", "agg": "mrr"}),
}
WITH_METRICS = CATALOGUE.model_copy(
    update={
        "event_types": {**CATALOGUE.event_types, OUR_DOING.name: OUR_DOING},
        "measures": {**CATALOGUE.measures, **MEASURES},
        "metrics": {metric.name: metric for metric in METRICS},
    }
)
instants = st.one_of(
    st.integers(0, 12).map(lambda days: AROUND + timedelta(days=3 * days)),
    st.integers(0, 5).map(lambda halves: INGESTED_AT - timedelta(days=1) * halves),
)
# Not yet when everything has arrived.
ahead = st.sampled_from([3, 40]).map(lambda days: INGESTED_AT + timedelta(days=days))
subscriptions = st.builds(
    lambda at, acts_at, term, account, kind, fee, currency: (
        f"subscription.{kind}", at, account, None,
        {
            "subscription": "s",
            **({"mrr": fee, "currency": currency} if kind != "cancelled" else {}),
            **({"effective_at": acts_at.isoformat()} if acts_at else {}),
            **({"term_end": term.isoformat()} if term and kind != "cancelled" else {}),
        },
    ),
    instants, st.none() | instants | ahead, st.none() | instants | ahead, st.sampled_from(["acme", "bolt"]),
    st.sampled_from(["started", "changed", "renewed", "cancelled"]), st.sampled_from(["10", "25.50"]),
    st.sampled_from(["EUR", "EUR", "USD"]),
)  # fmt: skip
tickets = st.builds(
    lambda at, step, account, user, ticket: (f"ticket.{step}", at, account, user, {"ticket": ticket}),
    instants, st.sampled_from(["opened", "opened", "resolved"]), st.sampled_from(["acme", "bolt"]), st.sampled_from(["ann", "staff"]), st.sampled_from(["a", "b"]),
)  # fmt: skip
OWN_STAFF = ("user.updated", AROUND, "acme", "staff", {"traits": {"is_internal": True}})


@pytest.fixture
def stage(postgres_url: str) -> Iterator[Stage]:
    made = Stage(postgres_url, WITH_METRICS, FixedClock(NOW))
    yield made
    made.close()


def figures(events: Iterable[Ev]) -> Days:
    """MRR at the end of each day by currency, and tickets opened by customers and resolved by anybody on it, by plain code over the events that stand."""
    found: Days = defaultdict(Decimal)
    told = [event_of(event.json) for event in events]
    money = Currencies(told, NOW, CALENDAR, "EUR", {})
    for day in CALENDAR.days(CALENDAR.day_of(AROUND) - timedelta(days=1), TODAY + timedelta(days=1)):
        end = CALENDAR.start_of(day + timedelta(days=1))
        for subscription in money.subscriptions:
            found["mrr", subscription.named(end)[0] or "", day] += subscription.amount(end)
    theirs = [event for event in without_internal(told) if event.type == "ticket.opened"]
    ours = [event for event in told if event.type == "ticket.resolved"]
    steps: dict[tuple[str, str, str], date] = {}
    for event in sorted([*theirs, *ours], key=lambda e: e.at):
        step = event.type.removeprefix("ticket.")
        steps.setdefault((step, event.account, event.data["ticket"]), CALENDAR.day_of(event.at))
    for (step, _, _), day in steps.items():
        found["tickets_steps", step, day] += 1
    return found


@given(
    drawn=st.lists(st.one_of(subscriptions, subscriptions, tickets), min_size=2, max_size=10),
    seed=st.integers(0, 999),
    cut=st.integers(1, 9),
    data=st.data(),
)
@thorough(12)
def test_days_that_were_complete_are_told_with_what_they_were(
    stage: Stage, drawn: list[Any], seed: int, cut: int, data: st.DataObject
) -> None:
    stage.reset()
    staff, *others = numbered([OWN_STAFF, *drawn])
    every = [staff, *random.Random(seed).sample(others, len(others))]
    first, late = every[:cut], every[cut:]
    arrives(stage, first)
    if not late:
        return
    moved = changes(figures(first), figures(every))
    told_else = first + [event for event in late if CALENDAR.day_of(event.at) == TODAY]
    known = {event.type.removeprefix("ticket.") for event in told_else}
    known |= {key[1] for key, mrr in figures(first).items() if mrr and key[0] == "mrr"}
    known |= {"EUR", "USD"} if known & {"EUR", "USD"} else set()
    expected = {key: (change, True) for key, change in moved.items() if key[2] < SETTLED and key[1] in known}
    found = told(stage, LATE, [arrives(stage, late)], figures(first))
    assert {key: said for key, said in found.items() if key[2] < SETTLED} == expected
    gone, _ = some_of(data, [event for event in every if event.type != "user.updated"])
    lost = stage.retract(gone).moved
    stay = [event for event in every if event not in gone]
    found = told(stage, Cause("deletion", 1), lost, figures(every))
    assert {key: change for key, (change, _) in found.items()} == changes(figures(every), figures(stay))


def test_what_acts_in_days_to_come_revises_no_day_yet(stage: Stage) -> None:
    """Late with something else, and taken out again."""
    stage.reset()
    euros = {"subscription": "s", "mrr": "10", "currency": "EUR"}
    ends = {"subscription": "s", "effective_at": (INGESTED_AT + timedelta(days=40)).isoformat()}
    paid = Ev("subscription.started", AROUND, "e1", "acme", None, euros)
    notice = Ev("subscription.cancelled", INGESTED_AT - timedelta(days=1), "e2", "acme", None, ends)
    dollars = Ev("subscription.started", AROUND, "e3", "bolt", None, euros | {"currency": "USD"})
    arrives(stage, [paid, dollars])
    before = figures([paid, dollars])
    late = Ev(
        "subscription.changed",
        AROUND + timedelta(days=3),
        "e4",
        "bolt",
        None,
        euros | {"mrr": "12", "currency": "USD"},
    )
    found = told(stage, LATE, [arrives(stage, [notice, late])], before)
    assert {key[1] for key in found} == {"USD"}
    assert (
        told(stage, Cause("deletion", 1), stage.retract([notice]).moved, figures([paid, dollars, late])) == {}
    )
