"""Worked examples of lifecycles, through the engine: who is in, who waits, and what happens exactly on an edge."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.integration.figures.conftest import Stages
from tests.integration.kpi_engine.figures_stage import Ev, Stage
from tests.integration.kpi_engine.revising import metric

from common.catalogue import Catalogue, load
from common.catalogue.models import Measure
from common.figures import Figure, Query, query
from common.figures.run import behind

DAY, HOUR, INSTANT = timedelta(days=1), timedelta(hours=1), timedelta(microseconds=1)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
NOW = MONDAY + 40 * DAY


@pytest.fixture(scope="module")
def pack() -> Catalogue:
    return load(Path(__file__).parents[3] / "catalogue")


@pytest.fixture
def stage(stages: Stages, pack: Catalogue) -> Stage:
    return stages(pack, NOW)


def ask(stage: Stage, metric: str, now: datetime = NOW, **parts: Any) -> Figure:
    """Of a year around everything that happens here."""
    span = {"start": date(2026, 1, 1), "end": date(2027, 1, 1), "grain": "total", **parts}
    figures = query(stage.conn, stage.tenant_id, stage.catalogue, Query((metric,), **span), now).figures
    assert len(figures) == 1
    return figures[0]


class Telling:
    """Writes events one by one, each with an id of its own."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.told = 0

    def __call__(
        self, kind: str, at: datetime, account: str = "acme", /, user: str | None = None, **data: Any
    ) -> None:
        self.told += 1
        self.stage.write([Ev(kind, at, f"e{self.told}", account, user, data)])


@pytest.fixture
def tell(stage: Stage) -> Telling:
    return Telling(stage)


def reached(tell: Telling, account: str, at: datetime, milestone: str = "first_value") -> None:
    tell("onboarding.milestone_reached", at, account, milestone=milestone)


def test_four_of_ten_that_arrived_are_no_median_but_forty_percent(stage: Stage, tell: Telling) -> None:
    for n in range(10):
        tell("account.created", MONDAY, f"acct-{n}")
    for n, days in enumerate((3, 5, 6, 8)):
        reached(tell, f"acct-{n}", MONDAY + days * DAY)
    median, share = ask(stage, "time_to_value"), ask(stage, "time_to_value_30d")
    assert (median.value, median.numerator, median.denominator, median.censored) == (None, 4, 10, 6)
    assert (share.value, share.numerator, share.denominator, share.n) == (0.4, 4, 10, 10)
    assert (round(share.low or 0, 4), round(share.high or 0, 4)) == (0.1682, 0.6873)
    assert ask(stage, "accounts_onboarded").value == 4
    reached(tell, "acct-4", MONDAY + 9 * DAY)
    assert ask(stage, "time_to_value").value == 9
    reached(tell, "acct-5", MONDAY + 10 * DAY)
    assert ask(stage, "time_to_value").value == 9.5


def test_a_start_is_the_contract_last_said_else_creation_else_the_first_event(
    stage: Stage, tell: Telling
) -> None:
    reached(tell, "acme", MONDAY + 10 * DAY)
    assert ask(stage, "time_to_value").value == 0
    tell("account.created", MONDAY + 4 * DAY)
    assert ask(stage, "time_to_value").value == 6
    tell("account.updated", MONDAY + 11 * DAY, traits={"contract_start": "2026-03-04"})
    assert ask(stage, "time_to_value").value == 8
    tell("account.updated", MONDAY + 11 * DAY - INSTANT, traits={"contract_start": "2026-03-02"})
    assert ask(stage, "time_to_value").value == 8
    tell("account.updated", MONDAY + 12 * DAY, traits={"contract_start": "soon", "segment": "smb"})
    assert ask(stage, "time_to_value").value == 8
    tell("account.updated", MONDAY + 13 * DAY, traits={"contract_start": None})
    assert ask(stage, "time_to_value").value == 6
    tell("account.updated", MONDAY + 14 * DAY, traits={"contract_start": "2026-12-01"})
    assert ask(stage, "time_to_value").denominator == 0


def test_a_case_counts_when_it_said_it_does_whenever_it_said_so(stages: Stages) -> None:
    ends = {"name": "ends", "event_types": ["trial.told"], "instant": "data.ends"}
    trials = {"name": "trials", "agg": "steps", "entity": ["data.trial"], "steps": [ends]}
    ended = metric({"type": "entered", "measure": "trials", "step": "ends"})
    measures = {"trials": Measure.model_validate(trials)}
    stage = stages(Catalogue(measures=measures, metrics={ended.name: ended}), NOW)
    tell = Telling(stage)
    for trial, days in (("a", 10), ("b", 30), ("c", 10), ("c", 30)):
        tell("trial.told", MONDAY + tell.told * HOUR, trial=trial, ends=(MONDAY + days * DAY).isoformat())
    for start, end, count in ((0, 10, 0), (10, 11, 1), (11, 40, 2)):
        first, last = ((MONDAY + days * DAY).date() for days in (start, end))
        assert ask(stage, ended.name, start=first, end=last).value == count


def test_value_before_the_contract_took_no_time(stage: Stage, tell: Telling) -> None:
    tell("account.created", MONDAY, traits={"contract_start": "2026-03-09"})
    reached(tell, "acme", MONDAY + DAY)
    assert ask(stage, "time_to_value").value == 0
    assert ask(stage, "time_to_value_30d").value == 1


def test_within_fourteen_days_ends_just_before_the_fourteenth_is_over(stage: Stage, tell: Telling) -> None:
    for account, at in (("acme", 14 * DAY), ("bolt", 14 * DAY - INSTANT)):
        tell("account.created", MONDAY, account)
        tell("feature.used", MONDAY + at, account, feature="export")
    assert (ask(stage, "activation_rate").numerator, ask(stage, "activation_rate").denominator) == (1, 2)
    young = ask(stage, "activation_rate", MONDAY + 14 * DAY - INSTANT)
    assert (young.value, young.denominator, young.censored) == (None, 0, 2)
    assert ask(stage, "activation_rate", MONDAY + 14 * DAY).denominator == 2


def test_activation_is_the_first_use_of_somebody_who_counts(stage: Stage, tell: Telling) -> None:
    tell("account.created", MONDAY)
    tell("feature.used", MONDAY + 9 * DAY, user="ann", feature="export")
    assert ask(stage, "time_to_activation").value == 9
    tell("feature.used", MONDAY + 3 * DAY, user="bot", feature="export")
    assert ask(stage, "time_to_activation").value == 3
    tell("user.updated", MONDAY + 20 * DAY, user="bot", traits={"is_internal": True})
    assert ask(stage, "time_to_activation").value == 9
    reached(tell, "acme", MONDAY + 7 * DAY, "configured")
    assert ask(stage, "time_to_activation").value == 7
    tell("user.updated", MONDAY + 21 * DAY, user="bot", traits={"is_internal": False})
    assert ask(stage, "time_to_activation").value == 3


def test_a_ticket_counts_its_business_hours_and_all_hours_beside(stage: Stage, tell: Telling) -> None:
    friday = MONDAY + 4 * DAY
    tell("ticket.opened", friday + 16 * HOUR, ticket="t1")
    tell("ticket.first_responded", friday + 3 * DAY + 10 * HOUR, ticket="t1")
    tell("ticket.resolved", friday + 3 * DAY + 10 * HOUR + INSTANT, ticket="t1")
    assert ask(stage, "first_response_time").value == 2
    assert ask(stage, "first_response_time_calendar").value == 66
    assert ask(stage, "resolution_time").value == pytest.approx(2, abs=1e-8)


def test_an_open_ticket_waits_and_one_resolved_without_answer_waits_no_more(
    stage: Stage, tell: Telling
) -> None:
    for ticket, answered in (("t1", 2), ("t2", 4), ("t3", None)):
        tell("ticket.opened", MONDAY, ticket=ticket)
        if answered:
            tell("ticket.first_responded", MONDAY + answered * HOUR, ticket=ticket)
    waiting = ask(stage, "first_response_time_calendar")
    assert (waiting.value, waiting.numerator, waiting.denominator, waiting.censored) == (4, 2, 3, 1)
    tell("ticket.resolved", MONDAY + 3 * HOUR, ticket="t3")
    gone = ask(stage, "first_response_time_calendar_p90")
    assert (gone.value, gone.censored) == (4, 1)


def test_who_waits_no_more_is_not_answered_afterwards(stage: Stage, tell: Telling) -> None:
    """What is said once nobody waits any more took nobody's time; at the same instant it still did."""
    for ticket, resolved, answered in (("late", 1, 900), ("then", 5, 5), ("soon", 9, 3)):
        tell("ticket.opened", MONDAY, ticket=ticket)
        tell("ticket.resolved", MONDAY + resolved * HOUR, ticket=ticket)
        tell("ticket.first_responded", MONDAY + answered * HOUR, ticket=ticket)
    median = ask(stage, "first_response_time_calendar")
    assert (median.value, median.numerator, median.denominator, median.censored) == (4, 2, 3, 1)
    assert ask(stage, "self_serve_share").numerator == 1
    tell("deal.created", MONDAY, deal="lost, then won")
    tell("deal.lost", MONDAY + 2 * DAY, deal="lost, then won")
    tell("deal.won", MONDAY + 30 * DAY, deal="lost, then won")
    closed = ask(stage, "time_to_close")
    assert (closed.value, closed.numerator, closed.denominator, closed.censored) == (None, 0, 1, 1)


def test_the_backlog_is_made_of_what_happened_strictly_before(stage: Stage, tell: Telling) -> None:
    tell("ticket.opened", MONDAY, ticket="t1")
    tell("ticket.opened", MONDAY + HOUR, ticket="t1")
    tell("ticket.resolved", MONDAY + DAY, ticket="t1")
    edges = {
        MONDAY: 0,
        MONDAY + INSTANT: 1,
        MONDAY + DAY: 1,
        MONDAY + DAY + INSTANT: 0,
    }
    for at, backlog in edges.items():
        assert ask(stage, "ticket_backlog", start=MONDAY - DAY, end=at).value == backlog
    assert ask(stage, "tickets_opened").value == 1


def test_complaints_are_spread_over_accounts_that_pay(stage: Stage, tell: Telling) -> None:
    assert ask(stage, "complaints_per_100_accounts").value is None
    for account in ("acme", "bolt", "core"):
        tell("subscription.started", MONDAY, account, subscription=f"s-{account}", mrr="10", currency="EUR")
    for n in range(4):
        tell("complaint.filed", MONDAY + n * DAY, complaint=f"c{n}")
    found = ask(stage, "complaints_per_100_accounts")
    assert (found.numerator, found.denominator) == (4, 3)
    assert found.value == 400 / 3
    tell("subscription.cancelled", MONDAY + 5 * DAY, "bolt", subscription="s-bolt")
    assert ask(stage, "complaints_per_100_accounts").value == 200
    assert ask(stage, "paying_accounts").value == 2


def test_satisfied_are_those_who_say_four_or_five(stage: Stage, tell: Telling) -> None:
    for n, score in enumerate((5, 4, 3, 0, 10)):
        tell("survey.responded", MONDAY + n * DAY, user=f"u{n}", survey="s", kind="csat", score=score)
    for n, score in enumerate((7, 4)):
        tell("survey.responded", MONDAY + n * DAY, user=f"u{n}", survey="s", kind="ces", score=score)
    csat, ces = ask(stage, "csat"), ask(stage, "ces")
    assert (csat.value, csat.numerator, csat.denominator, csat.low_n) == (2 / 3, 2, 3, True)
    assert (ces.value, ces.n, ces.low_n) == (5.5, 2, True)


def test_each_person_who_was_asked_answers_for_themselves(stage: Stage, tell: Telling) -> None:
    for user in ("ann", "bob"):
        tell("survey.sent", MONDAY, user=user, survey="s", kind="nps", wave=1)
    tell("survey.responded", MONDAY + DAY, user="ann", survey="s", kind="nps", wave="1", score=9)
    tell("survey.responded", MONDAY + DAY, user="bob", survey="s", kind="nps", wave="2", score=9)
    found = ask(stage, "survey_response_rate")
    assert (found.value, found.numerator, found.denominator) == (0.5, 1, 2)


def test_a_survey_that_is_sent_again_is_a_case_of_its_own(stage: Stage, tell: Telling) -> None:
    survey = {"survey": "quarterly", "kind": "nps"}
    sent = {MONDAY: "ab", MONDAY + 7 * DAY: "", MONDAY + 14 * DAY: "abcd"}
    for at, answering in sent.items():
        for user in "abcd":
            tell("survey.sent", at, user=user, **survey)
            if user in answering:
                tell("survey.responded", at + DAY, user=user, score=9, **survey)
    shares = [
        (found.numerator, found.denominator)
        for at in sent
        for found in (ask(stage, "survey_response_rate", start=at.date(), end=(at + 7 * DAY).date()),)
    ]
    assert shares == [(2, 4), (0, 4), (4, 4)]
    acme, metric = (
        stage.rows("select id from engine.account")[0][0],
        stage.catalogue.metrics["survey_response_rate"],
    )
    behind_them = [
        behind(
            stage.conn,
            stage.tenant_id,
            stage.catalogue,
            metric,
            acme,
            (at.date(), (at + 7 * DAY).date()),
            NOW,
        )
        for at in sent
    ]
    assert [len(found.by_name) for found in behind_them] == [4 + 2, 4, 4 + 4]


def test_an_answer_belongs_to_the_last_sending_before_it(stage: Stage, tell: Telling) -> None:
    survey = {"survey": "after_ticket", "kind": "csat"}
    tell("survey.responded", MONDAY, user="ann", score=5, **survey)
    for days in (1, 3, 5):
        tell("survey.sent", MONDAY + days * DAY, user="ann", **survey)
    tell("survey.responded", MONDAY + 4 * DAY, user="ann", score=5, **survey)
    tell("survey.responded", MONDAY + 4 * DAY + HOUR, user="ann", score=4, **survey)
    tell("survey.sent", MONDAY + 2 * DAY, **survey)
    tell("survey.responded", MONDAY + 6 * DAY, user="bob", score=4, **survey)
    found = ask(stage, "survey_response_rate")
    assert (found.numerator, found.denominator) == (2, 4)


def test_surveys_that_our_own_people_were_sent_are_none(stage: Stage, tell: Telling) -> None:
    for user in ("ann", "bot"):
        tell("survey.sent", MONDAY, user=user, survey="s", kind="nps")
    tell("user.updated", MONDAY, user="bot", traits={"is_internal": True})
    assert ask(stage, "survey_response_rate").denominator == 1


def test_the_same_event_twice_leaves_one_step(stage: Stage, tell: Telling) -> None:
    for _ in range(2):
        stage.write([Ev("ticket.opened", MONDAY, "same", "acme", None, {"ticket": "t1"})])
    assert stage.rows("select count(*) from engine.step") == [(1,)]


def test_what_cannot_be_filed_and_what_names_no_entity_is_no_step(stage: Stage) -> None:
    told = [
        Ev("ticket.opened", MONDAY, "1", "acme", None, {"ticket": {"no": "text"}}),
        Ev("ticket.opened", MONDAY, "2", "acme", None, {"ticket": "x" * 300}),
        Ev("ticket.opened", MONDAY, "3", "acme", None, {}),
        Ev("ticket.opened", MONDAY, "4", "acme", None, {"ticket": 7}),
    ]
    assert stage.write(told).rejected == []
    left_out = stage.writer.read(stage.batch(told)).left_out
    assert {(it.index, it.measure) for it in left_out} == {(0, "tickets"), (1, "tickets")}
    assert stage.rows("select entity, step from engine.step") == [("7", "opened")]
