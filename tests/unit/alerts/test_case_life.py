"""The life of a case under any order of alerts, people and time."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from alerts.domain import actions
from alerts.domain.ageing import Aged, age, closes_at, timed
from alerts.domain.cases import AlertFact, Case, Origin, Resolution, Status, news_of, open_case, settle
from alerts.domain.episodes import State
from alerts.domain.phases import phase_of, phase_of_case
from alerts.domain.priority import COUNTS_FROM, Paging, Renewal, Situation, stakes_of
from alerts.domain.severity import SEVERITIES, Severity, worst
from alerts.domain.terms import PageLimit, Terms
from alerts.domain.workdays import Calendar

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
BERLIN = Calendar(ZoneInfo("Europe/Berlin"), frozenset(range(5)), frozenset({date(2026, 3, 5)}))
TERMS = Terms(calendar=BERLIN, acknowledged_for=timedelta(days=7), closes_after_healthy_days=5)
ASSUMED: dict[Severity, Decimal] = {
    "critical": Decimal("0.5"),
    "warning": Decimal("0.25"),
    "info": Decimal("0.1"),
}
LIMIT = Terms(page=PageLimit(Decimal(1000), timedelta(days=60)), assumed=ASSUMED)


class CaseLife(RuleBasedStateMachine):
    """Alerts fire and recover, people act, days pass; what a case promises holds all along."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.firing: set[str] = {"usage_fell"}
        self.touched_at = START
        self.case = self._settled(open_case("case_1", 1, 1, Origin.LIVE, START))

    def _settled(self, case: Case) -> Case:
        facts = [
            AlertFact(name, State.FIRING if name in self.firing else State.RESOLVED, "warning")
            for name in ("usage_fell", "complaints_rose")
        ]
        return timed(settle(case, facts, self.now, lambda at: closes_at(at, TERMS)), TERMS)

    @property
    def is_open(self) -> bool:
        return self.case.status is not Status.RESOLVED

    @precondition(lambda self: self.is_open)
    @rule(name=st.sampled_from(["usage_fell", "complaints_rose"]))
    def turn(self, name: str) -> None:
        self.firing ^= {name}
        self.case = self._settled(self.case)

    @precondition(lambda self: self.is_open)
    @rule()
    def acknowledge(self) -> None:
        acknowledged = actions.acknowledge(self.case, "dana", self.now)
        self.touched_at = self.now
        self.case = timed(_touched(acknowledged, self.now), TERMS)

    @precondition(lambda self: self.is_open)
    @rule()
    def assign(self) -> None:
        self.touched_at = self.now
        self.case = timed(_touched(actions.assign(self.case, "kim", self.now), self.now), TERMS)

    @precondition(lambda self: self.is_open)
    @rule(days=st.integers(1, 20))
    def snooze(self, days: int) -> None:
        self.touched_at = self.now
        snoozed = actions.snooze(self.case, self.now + timedelta(days=days), self.now)
        self.case = timed(_touched(snoozed, self.now), TERMS)

    @precondition(lambda self: self.is_open)
    @rule(hours=st.sampled_from([1, 12, 24, 72, 24 * 8]))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        before = self.case
        step = age(before, TERMS, self.now)
        self.case = step.case
        if step.what is Aged.LAPSED:
            assert before.status is Status.ACKNOWLEDGED
            assert self.now >= self.touched_at + timedelta(days=7)
            assert self.now >= (before.snoozed_until or self.now)
            assert self.case.lapsed_at == self.now
        if step.what is Aged.CLOSED:
            assert not self.firing
            assert before.status is Status.OPEN
            assert before.recovered_at is not None
            working = _working_days(before.recovered_at, self.now)
            assert working >= 5

    @precondition(lambda self: not self.is_open)
    @rule()
    def cross_again(self) -> None:
        self.firing = {"usage_fell"}
        self.case = self._settled(open_case("case_2", 1, 1, Origin.LIVE, self.now))

    @invariant()
    def an_acknowledged_case_waits_for_its_outcome(self) -> None:
        if self.case.status is Status.ACKNOWLEDGED:
            assert self.case.resolution is None
            waits_until = self.touched_at + timedelta(days=7)
            assert self.case.due_at == max(waits_until, self.case.snoozed_until or waits_until)

    @invariant()
    def what_fires_is_never_closed_by_time(self) -> None:
        if self.firing:
            assert self.is_open
            assert self.case.recovered_at is None

    @invariant()
    def a_case_that_recovered_says_when_it_closes(self) -> None:
        if self.case.status is Status.OPEN and not self.firing:
            assert self.case.due_at is not None

    @invariant()
    def a_closed_case_wants_nothing_more(self) -> None:
        if not self.is_open:
            assert (self.case.due_at, self.case.untold) == (None, False)
            assert self.case.resolution is Resolution.RECOVERED
            assert news_of(self.case, [AlertFact("usage_fell", State.FIRING, "critical")]) is None


TestCaseLife = CaseLife.TestCase
TestCaseLife.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


def _touched(case: Case, now: datetime) -> Case:
    return replace(case, touched_at=now)


def _working_days(start: datetime, end: datetime) -> int:
    """Whole ones that lie between, counted one by one."""
    day, count = BERLIN.day_of(start) + timedelta(days=1), 0
    while BERLIN.start_of(day + timedelta(days=1)) <= end:
        count += BERLIN.works_on(day)
        day += timedelta(days=1)
    return count


money = st.one_of(st.none(), st.integers(0, 10**6).map(Decimal))
shares = st.one_of(st.none(), st.integers(0, 100).map(lambda n: Decimal(n) / 100))
deadlines = st.one_of(st.none(), st.integers(-30, 400).map(lambda n: START + timedelta(days=n)))


def _renewal(mrr: int, share: Decimal | None, deadline: datetime | None) -> Renewal:
    at_risk = None if share is None else (mrr * share).quantize(Decimal("0.01"))
    return Renewal(Decimal(mrr), share, at_risk, deadline)


renewals = st.builds(_renewal, st.integers(1, 10**4), shares, deadlines)
situations = st.builds(Situation, money, st.lists(renewals, max_size=4))
firing = st.lists(st.tuples(st.sampled_from(SEVERITIES), st.booleans()), min_size=1, max_size=4)


@given(situations, firing)
@settings(max_examples=50, deadline=None)
def test_only_money_near_its_deadline_or_a_hard_event_pages(
    situation: Situation, rules: list[tuple[Severity, bool]]
) -> None:
    found = stakes_of(situation, "risk", rules, LIMIT, START)
    limit = LIMIT.page
    assert limit is not None
    judged = [one for one in situation.renewals if one.at_risk is not None]
    near = [one for one in judged if one.deadline and START <= one.deadline <= START + limit.within]
    if judged:
        pages = sum(12 * (one.at_risk or 0) for one in near) > limit.above
        assert found.money == sum(12 * (one.at_risk or 0) for one in judged)
        assert min(one.probability or 0 for one in judged) <= (found.probability or 0) + Decimal("0.0001")
    else:
        is_near = found.notice_deadline and START <= found.notice_deadline <= START + limit.within
        pages = bool(is_near and found.money is not None and found.money > limit.above)
        assert (found.money is None) == (situation.mrr is None)
    assert found.probability_from == ("renewal-risk" if judged else "severity")
    assert found.paging.pages == (pages or any(hard for _, hard in rules))
    if pages:
        assert found.notice_deadline
        assert START <= found.notice_deadline <= START + limit.within
    worth = found.money or Decimal(0)
    assert worth <= found.priority <= 2 * worth + Decimal("0.01")
    gravest = worst(severity for severity, _ in rules)
    grown = stakes_of(situation, "growth", rules, LIMIT, START)
    assert (grown.paging, grown.money, grown.severity) == (Paging.GROWTH, None, gravest)
    # Severity: critical by much money that is due soon, never by little money alone, else what the gravest rule says.
    is_little = found.paging is Paging.UNDER_LIMIT and (judged or (situation.mrr or 0) > 0)
    wanted = "critical" if pages else "warning" if is_little and gravest == "critical" else gravest
    assert found.severity == wanted
    assert stakes_of(situation, "risk", rules, replace(LIMIT, page=None), START).severity == gravest


@given(st.integers(1, 10**6).map(Decimal), st.integers(0, 400), st.integers(0, 400))
@settings(max_examples=50, deadline=None)
def test_a_nearer_deadline_is_never_less_pressing(mrr: Decimal, one: int, other: int) -> None:
    near, far = sorted((one, other))
    first, second = (
        stakes_of(
            Situation(mrr, [Renewal(mrr, Decimal("0.5"), mrr / 2, START + timedelta(days=days))]),
            "risk",
            [("info", False)],
            LIMIT,
            START,
        ).priority
        for days in (near, far)
    )
    assert first >= second
    if near < far <= COUNTS_FROM.days and mrr > 100:
        assert first > second


def test_much_money_far_away_is_not_paged_by_a_little_that_is_due_soon() -> None:
    little, much = (
        _renewal(mrr, Decimal("0.3"), START + timedelta(days=d)) for mrr, d in ((50, 14), (4000, 330))
    )
    found = stakes_of(Situation(Decimal(4050), [little, much]), "risk", [("warning", False)], LIMIT, START)
    assert (found.paging, found.notice_deadline) == (Paging.DEADLINE_FAR, much.deadline)
    assert (found.money, found.probability) == (12 * Decimal(1215), Decimal("0.3"))


@given(
    st.sampled_from(["pending", "firing", "standing", "resolved", "withdrawn"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_no_data_is_never_shown_as_recovering(state: str, flaps: bool, recovers: bool, lacks: bool) -> None:
    phase = phase_of(state, "flapping" if flaps else "crossed", is_recovering=recovers, lacks_data=lacks)
    assert (phase == state) == (state != "firing" or not (flaps or recovers or lacks))
    if state == "firing" and lacks and not flaps:
        assert phase == "no-data"
    assert phase_of_case("open", None, [phase, "firing"]) == "firing"
    assert phase_of_case("resolved", "withdrawn", [phase]) == "withdrawn"
