"""Figures of lifecycles through the engine and SQL equal plain code over the raw events, in any order and any batches."""

import random
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.figures.conftest import Known, Stages
from tests.integration.figures.stories import FIRST, NOW, Drawn, as_events, lives, told
from tests.integration.figures.test_figures_match_the_oracle import ZONES
from tests.integration.kpi_engine.figures_stage import Ev, Stage, split
from tests.reference.calendar import Calendar
from tests.reference.lifecycles import Cohort, Lifecycles

from common.catalogue import Catalogue, load
from common.figures import Figure, Query, query

HOURS = {day: (time(9), time(17)) for day in range(5)}
DAY_US, HOUR_US = 86_400_000_000, 3_600_000_000
BERLIN = ZoneInfo("Europe/Berlin")
SPANS = ((date(2026, 2, 25), date(2026, 7, 1), "month"), (date(2026, 3, 23), date(2026, 4, 6), "week"))


@pytest.fixture(scope="module")
def pack() -> Catalogue:
    base = load(Path(__file__).parents[3] / "catalogue")
    return base.model_copy(
        update={"settings": base.settings.model_copy(update={"timezone": "Europe/Berlin"})}
    )


@pytest.fixture
def stage(stages: Stages, pack: Catalogue) -> Stage:
    return stages(pack, NOW)


def asked(stage: Stage, *metrics: str, **parts: Any) -> list[Figure]:
    made = Query(metrics, **{"start": FIRST, "end": NOW + timedelta(days=1), "grain": "total", **parts})
    return list(query(stage.conn, stage.tenant_id, stage.catalogue, made, NOW).figures)


class Expected:
    """What the reference says of one bucket [start, end) and one group."""

    def __init__(self, plain: Lifecycles, by: str | None, group: Any, start: datetime, end: datetime) -> None:
        self.plain, self.by, self.group, self.start, self.end = plain, by, group, start, end

    def place(self, account: str, at: datetime, *, or_first: bool = False) -> Any:
        if self.by == "account":
            return account
        return None if self.by is None else self.plain.trait(account, self.by, at, or_first=or_first)

    def cohort(self, cases: Cohort) -> Cohort:
        """Those that started in the bucket, by the traits they had then."""
        return [
            case
            for case in cases
            if self.start <= case[1] < min(self.end, self.plain.now)
            and self.place(case[0], case[1], or_first=True) == self.group
        ]

    def here(self, account: str, at: datetime) -> bool:
        day = self.plain.day_start(at)
        return self.start <= at < self.end and self.place(account, day) == self.group

    def median(self, cases: Cohort, unit: int, share: str = "1/2", *, business: bool = False) -> Any:
        found = self.plain.quantile(self.cohort(cases), Fraction(share), business=business)
        value = None if found.value is None else float(found.value / unit)
        return value, found.reached, found.cases, found.waiting

    def share(self, cases: Cohort, days: int) -> Any:
        cohort = self.cohort(cases)
        part, whole = self.plain.converted(cohort, days)
        return (part / whole if whole else None), part, whole, len(cohort) - whole

    def content(self, kind: str, lowest: int, highest: int, survey: str | None = None) -> list[Fraction]:
        found = self.plain.scores(kind, lowest, highest, survey)
        return [score for account, at, score in found if self.here(account, at)]

    def csat(self, survey: str | None = None) -> Any:
        scores = self.content("csat", 1, 5, survey)
        good = sum(score >= 4 for score in scores)
        return (good / len(scores) if scores else None), good, len(scores), 0

    def backlog(self) -> Any:
        at = min(self.end, self.plain.now)
        return sum(self.place(account, at) == self.group for account in self.plain.backlog(at))

    def tickets(self) -> Cohort:
        return self.plain.cases("ticket", "ticket.opened", "ticket.resolved")

    def responses(self) -> Cohort:
        return self.plain.cases("ticket", "ticket.opened", "ticket.first_responded", "ticket.resolved")

    def complaints(self) -> Cohort:
        return self.plain.cases("complaint", "complaint.filed", "complaint.resolved")

    def activation(self) -> Cohort:
        return self.plain.onboarding("configured", key_action=True)


def _mean(scores: list[Fraction]) -> Any:
    mean = float(sum(scores) / len(scores)) if scores else None
    return mean, sum(scores), len(scores), 0


Say = Callable[[Expected], Any]
WITH_PARTS: dict[str, Say] = {
    "time_to_value": lambda e: e.median(e.plain.onboarding("first_value"), DAY_US),
    "time_to_go_live": lambda e: e.median(e.plain.onboarding("live"), DAY_US),
    "time_to_kickoff": lambda e: e.median(e.plain.onboarding("kickoff"), DAY_US),
    "time_to_configured": lambda e: e.median(e.plain.onboarding("configured"), DAY_US),
    "time_to_activation": lambda e: e.median(e.activation(), DAY_US),
    "activation_rate": lambda e: e.share(e.activation(), 14),
    "time_to_value_30d": lambda e: e.share(e.plain.onboarding("first_value"), 30),
    "time_to_value_60d": lambda e: e.share(e.plain.onboarding("first_value"), 60),
    "time_to_value_90d": lambda e: e.share(e.plain.onboarding("first_value"), 90),
    "survey_response_rate": lambda e: e.share(e.plain.surveys(), 14),
    "first_response_time": lambda e: e.median(e.responses(), HOUR_US, business=True),
    "first_response_time_p90": lambda e: e.median(e.responses(), HOUR_US, "9/10", business=True),
    "first_response_time_calendar": lambda e: e.median(e.responses(), HOUR_US),
    "first_response_time_calendar_p90": lambda e: e.median(e.responses(), HOUR_US, "9/10"),
    "resolution_time": lambda e: e.median(e.tickets(), HOUR_US, business=True),
    "resolution_time_p90": lambda e: e.median(e.tickets(), HOUR_US, "9/10", business=True),
    "resolution_time_calendar": lambda e: e.median(e.tickets(), HOUR_US),
    "resolution_time_calendar_p90": lambda e: e.median(e.tickets(), HOUR_US, "9/10"),
    "complaint_resolution_time": lambda e: e.median(e.complaints(), HOUR_US, business=True),
    "complaint_resolution_time_p90": lambda e: e.median(e.complaints(), HOUR_US, "9/10", business=True),
    "complaint_resolution_time_calendar": lambda e: e.median(e.complaints(), HOUR_US),
    "complaint_resolution_time_calendar_p90": lambda e: e.median(e.complaints(), HOUR_US, "9/10"),
    "csat": lambda e: e.csat(),
    "onboarding_csat": lambda e: e.csat("onboarding"),
    "ces": lambda e: _mean(e.content("ces", 1, 7)),
}
COUNTS: dict[str, Say] = {
    "accounts_onboarded": lambda e: sum(e.here(*entry) for entry in e.plain.reached("first_value")),
    "tickets_opened": lambda e: sum(e.here(*entry) for entry in e.plain.opened()),
    "ticket_backlog": lambda e: e.backlog(),
}
METRICS = (*WITH_PARTS, *COUNTS)


@given(
    drawn=lives(),
    seed=st.integers(0, 2**32),
    cuts=st.lists(st.integers(0, 100), max_size=5),
    by=st.sampled_from([None, "segment", "account"]),
    span=st.sampled_from(SPANS),
    zone=st.sampled_from(ZONES),
)
@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_figure_of_a_lifecycle_equals_the_reference(
    stage: Stage,
    known: Known,
    drawn: list[Drawn],
    seed: int,
    cuts: list[int],
    by: str | None,
    span: Any,
    zone: str,
) -> None:
    happened = told(drawn)
    local = stage.catalogue.settings.model_copy(update={"timezone": zone})
    stage.reset(stage.catalogue.model_copy(update={"settings": local}))
    _arrive(stage, happened, seed, cuts)
    plain = Lifecycles(as_events(happened), Calendar(ZoneInfo(zone)), NOW, HOURS)
    start, end, grain = span
    figures = asked(
        stage, *METRICS, start=start, end=end, grain=grain, group_by=(by,) if by else (), limit=10_000
    )
    assert {figure.metric for figure in figures} == set(METRICS)
    for figure in figures:
        first, last = (datetime.fromisoformat(at) for at in (figure.start, figure.end))
        expected = Expected(plain, by, figure.group.get(by) if by else None, first, last)
        compare(figure, expected, begun=first <= NOW)
        known(figure)


def compare(figure: Figure, expected: Expected, *, begun: bool) -> None:
    if figure.metric in COUNTS:
        assert figure.value == (
            COUNTS[figure.metric](expected) if begun or figure.metric != "ticket_backlog" else None
        ), figure
        return
    if not begun:
        assert figure.value is None
        return
    parts = (figure.value, figure.numerator, figure.denominator, figure.censored)
    assert parts == WITH_PARTS[figure.metric](expected), figure


def _arrive(stage: Stage, happened: list[Ev], seed: int, cuts: list[int]) -> None:
    """In any order, in any batches."""
    arriving = list(happened)
    random.Random(seed).shuffle(arriving)
    for batch in split(arriving, cuts):
        if batch:
            stage.write(batch)
