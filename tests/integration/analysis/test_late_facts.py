"""What came late for figures that are made of single facts: of revenue, cases and answers it is told exactly, for slices and accounts too."""

import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.conftest import PostgresServer
from tests.integration.analysis.correcting import amend, arrive, delete, revise
from tests.integration.analysis.stage import Told, telling
from tests.integration.analysis.test_explaining import definitions
from tests.integration.analysis.test_late_unknown import (
    JUNE,
    LATER,
    answer,
    answers,
    at,
    explained,
    paid,
)
from tests.integration.kpi_engine.figures_stage import Ev

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def told(postgres_server: PostgresServer, migrated_template: str) -> Iterator[Told]:
    name = f"late_facts_{uuid.uuid4().hex}"
    postgres_server.execute("create database {} template {} strategy file_copy", name, migrated_template)
    with telling(postgres_server.database_url(name), definitions()) as made:
        made.history.tell(
            [*answers(), paid("a", 100), paid("b", 200), segment("a", "small"), segment("b", "large")]
        )
        made.history.applied(datetime(2026, 11, 20, tzinfo=UTC))
        yield made
    postgres_server.drop(name)


def segment(account: str, name: str) -> Ev:
    traits = {"traits": {"segment": name}}
    return Ev("account.updated", JUNE, f"{account}-{name}", account, None, traits)


def ticket(kind: str, when: datetime, name: str) -> Ev:
    return Ev(f"ticket.{kind}", when, f"{name}-{kind}", "a", None, {"ticket": name})


def known(told: Told, metric: str, **more: Any) -> tuple[Decimal, Decimal, Decimal]:
    """Of August: the figure as it was, what came late, and the figure now."""
    was, late, now, sure = explained(told, metric, **more)
    assert sure, metric
    assert now is not None
    return Decimal(was), Decimal(late), Decimal(now)


def nearly(*numbers: object) -> Any:
    return tuple(pytest.approx(Decimal(str(number)), abs=Decimal("1e-11")) for number in numbers)


def test_an_answer(told: Told) -> None:
    told.history.tell([answer(8, "late-8", 5)], LATER)
    assert known(told, "csat") == nearly("0.8", Decimal(1) / 30, Decimal(5) / 6)
    assert known(told, "csat", accounts=["a"]) == nearly("0.8", Decimal(1) / 30, Decimal(5) / 6)


def test_a_fee_that_fell_and_that_of_one_segment(told: Told) -> None:
    told.history.tell([paid("a", 40, when=at(8), kind="changed")], LATER)
    assert known(told, "nrr") == nearly(1, "-0.2", "0.8")
    assert known(told, "nrr", filter={"segment": ["small"]}) == nearly(1, "-0.6", "0.4")
    assert known(told, "nrr", filter={"segment": ["large"]}) == nearly(1, 0, 1)


def test_an_end_that_was_told_after_the_month(told: Told) -> None:
    """The event is of November and acts in August."""
    data = {"subscription": "s", "effective_at": at(8).isoformat()}
    told.history.tell([Ev("subscription.cancelled", LATER, "end", "b", None, data)])
    revise(told.history, "mrr", LATER, (at(8).date(), date(2027, 1, 1), 300, 100))
    assert known(told, "nrr") == nearly(1, Decimal(-2) / 3, Decimal(1) / 3)
    assert known(told, "logo_churn") == nearly(0, "0.5", "0.5")


def test_a_renewal_that_came_after_its_thirty_days(told: Told) -> None:
    """When August was complete, 45 days after its end, the term had lapsed."""
    term = {"subscription": "t", "mrr": "50.00", "currency": "EUR"}
    ends = {"term_end": (at(8) - DAY).isoformat()}
    told.history.tell([Ev("subscription.started", JUNE, "t1", "a", None, {**term, **ends})])
    told.history.tell([Ev("subscription.renewed", at(8) - DAY, "t2", "a", None, term)], LATER)
    assert known(told, "nrr") == nearly(Decimal(6) / 7, Decimal(1) / 7, 1)


def test_a_case_that_was_told_late(told: Told) -> None:
    in_time = [
        it
        for n in range(10)
        for it in (ticket("opened", at(8), f"t{n}"), ticket("first_responded", at(8) + 2 * HOUR, f"t{n}"))
    ]
    late = [
        it
        for n in range(12)
        for it in (ticket("opened", at(8), f"x{n}"), ticket("first_responded", at(8) + HOUR, f"x{n}"))
    ]
    told.history.tell([*in_time, ticket("opened", at(9), "y"), ticket("first_responded", at(9) + HOUR, "y")])
    told.history.tell(late, LATER)
    assert known(told, "tickets_opened", accounts=["a"]) == nearly(10, 12, 22)
    assert known(told, "first_response_time_calendar") == nearly(2, -1, 1)


def test_a_trait_that_came_late(told: Told) -> None:
    """Acme's 100 were small as far as anybody knew."""
    move = Ev("account.updated", at(7), "moved", "a", None, {"traits": {"segment": "large"}})
    told.history.tell([move], LATER)
    assert known(told, "mrr", filter={"segment": ["large"]}) == nearly(200, 100, 300)
    assert known(told, "mrr", filter={"segment": ["small"]}) == nearly(100, -100, 0)


def test_a_mark_of_own_staff_that_came_late(told: Told) -> None:
    """Four of five were content; one of them is one of ours."""
    mark = Ev("user.updated", at(8), "ours", "a", "good-1-8", {"traits": {"is_internal": True}})
    arrive(told.history, [mark], LATER)
    assert known(told, "csat") == nearly("0.8", "-0.05", "0.75")


def test_what_came_late_and_was_corrected_came_late(told: Told) -> None:
    """Twice, and one more was taken back: by the time August was complete nothing of them was known."""
    forms = [answer(8, "late-8", score) for score in (1, 4, 5)]
    told.history.tell([forms[0], answer(8, "later-8", 1)], LATER)
    amend(told.history, forms[0], forms[1], LATER + DAY, LATER)
    amend(told.history, forms[1], forms[2], LATER + 2 * DAY, LATER + DAY)
    delete(told.history, answer(8, "later-8", 1), LATER + DAY, LATER)
    for part in ({}, {"accounts": ["a"]}):
        assert known(told, "csat", **part) == nearly("0.8", Decimal(1) / 30, Decimal(5) / 6)


def test_what_was_known_and_corrected_twice_is_not_told(told: Told) -> None:
    """The answer that stands came with the second correction; the one that was known is kept nowhere among the facts."""
    forms = [answer(8, "bad-8", score) for score in (1, 2, 5)]
    amend(told.history, forms[0], forms[1], LATER, at(8))
    amend(told.history, forms[1], forms[2], LATER + DAY, LATER)
    assert not explained(told, "csat")[3]


def began(account: str, when: datetime, days: int) -> list[Ev]:
    """An account that is heard of by a log-in and has its first value so many days later."""
    milestone = {"milestone": "first_value"}
    reached = Ev(
        "onboarding.milestone_reached", when + days * DAY, f"{account}-value", account, None, milestone
    )
    return [Ev("user.logged_in", when, f"{account}-in", account, "ann"), reached]


@pytest.fixture
def onboarded(told: Told) -> Told:
    """In August after 6, 8 and 12 days, in September after 10."""
    for account, month, days in (("c", 8, 6), ("d", 8, 8), ("e", 8, 12), ("f", 9, 10)):
        told.history.tell(began(account, at(month), days))
    return told


def test_a_first_event_that_came_late_began_the_clock(onboarded: Told) -> None:
    """Nothing reads log-ins for onboarding but that one was the first event of the account."""
    assert known(onboarded, "time_to_value") == nearly(8, 0, 8)
    onboarded.history.tell([Ev("user.logged_in", at(8) - 3 * DAY, "before", "c", "ann")], LATER)
    assert known(onboarded, "time_to_value") == nearly(8, 1, 9)
    onboarded.history.tell([Ev("user.logged_in", at(8) - 9 * DAY, "long before", "e", "ann")], LATER + DAY)
    onboarded.history.tell([Ev("user.logged_in", at(8) - 40 * DAY, "in July", "d", "ann")], LATER + DAY)
    assert known(onboarded, "time_to_value") == nearly(8, 7, 15), "9 and 21 days are left of August"


def test_a_first_event_is_not_looked_for_where_raw_events_are_gone(onboarded: Told) -> None:
    """What was first before the one that came may be among them; where none came nothing is to be looked for."""
    history = onboarded.history
    history.rows(
        "insert into engine.retained (tenant_id, raw_from) values (%s, %s) returning 1",
        history.tenant_id,
        JUNE,
    )
    assert known(onboarded, "time_to_value") == nearly(8, 0, 8)
    history.tell([Ev("user.logged_in", at(8) - 3 * DAY, "before", "c", "ann")], LATER)
    assert explained(onboarded, "time_to_value")[1:] == ("0", "9", False)


def test_a_first_event_that_was_deleted_began_the_clock(onboarded: Told) -> None:
    onboarded.history.tell([Ev("user.logged_in", at(8) + DAY, "second", "d", "ann")])
    delete(onboarded.history, began("d", at(8), 8)[0], LATER, at(8))
    assert known(onboarded, "time_to_value") == nearly(8, -1, 7)


def test_a_milestone_that_came_late(onboarded: Told) -> None:
    """An action that is no part of it came too; of actions only the earliest is kept."""
    told_late = [*began("g", at(8), 4), Ev("feature.used", at(8), "used", "c", "ann", {"feature": "x"})]
    onboarded.history.tell(told_late[:1])
    assert known(onboarded, "time_to_value") == nearly(10, 0, 10), "6, 8, 12 and one that waits"
    onboarded.history.tell(told_late[1:], LATER)
    assert known(onboarded, "time_to_value") == nearly(10, -3, 7)
