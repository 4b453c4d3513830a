"""What customers are worth, cost and get, through the engine, equal plain code over the raw events."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.figures.stories import as_events
from tests.integration.figures.test_revenue_histories import year_before
from tests.integration.kpi_engine.figures_stage import Ev, Stage, split
from tests.reference.calendar import Calendar
from tests.reference.economics import Economics, over

from common.catalogue import load
from common.clock import FixedClock
from common.figures import Figure, Query, query

DAY, INSTANT = timedelta(days=1), timedelta(microseconds=1)
NOW = datetime(2026, 6, 15, 10, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
MARGIN = Fraction(8, 10)


@pytest.fixture
def stage(postgres_url: str) -> Iterator[Stage]:
    base = load(Path(__file__).parents[3] / "catalogue")
    pack = base.model_copy(
        update={"settings": base.settings.model_copy(update={"timezone": "Europe/Berlin"})}
    )
    made = Stage(postgres_url, pack, FixedClock(NOW))
    yield made
    made.close()


def ask(stage: Stage, *metrics: str, **parts: Any) -> list[Figure]:
    made = Query(
        metrics,
        **{"start": date(2026, 1, 1), "end": date(2026, 7, 1), "grain": "total", "limit": 10_000, **parts},
    )
    return list(query(stage.conn, stage.tenant_id, stage.catalogue, made, NOW).figures)


class Telling:
    def __init__(self, stage: Stage) -> None:
        self.stage, self.told = stage, 0

    def __call__(
        self, kind: str, at: datetime, account: str = "acme", /, user: str | None = None, **data: Any
    ) -> None:
        self.told += 1
        assert not self.stage.write([Ev(kind, at, f"e{self.told}", account, user, data)]).rejected


@pytest.fixture
def tell(stage: Stage) -> Telling:
    return Telling(stage)


EUR = {"currency": "EUR"}


def test_a_segment_that_fell_by_28_percent_leaves_minus_two_points_of_minus_30(
    stage: Stage, tell: Telling
) -> None:
    """100 user-days before and 70 since at acme; 72 of 100 in the whole segment, so 218 of 300 with acme in it."""
    for account in ("acme", "bolt", "core"):
        tell("account.created", NOW - 300 * DAY, account, traits={"segment": "smb"})
    since = {"acme": 70, "bolt": 73, "core": 73}
    told = []
    for account, now in since.items():
        for count, back in ((now, 0), (100, 28)):
            told += [
                Ev(
                    "user.logged_in",
                    NOW - (back + n % 25) * DAY,
                    f"{account}-{back}-{n}",
                    account,
                    f"u{n // 25}",
                    {},
                )
                for n in range(count)
            ]
    stage.write(told)
    acme, *_ = ask(stage, "login_trend_vs_segment", group_by=("account",))
    trend, *_ = ask(stage, "login_trend", group_by=("account",))
    assert trend.value == pytest.approx(-0.3)
    assert acme.value == pytest.approx(-0.02)
    [whole] = ask(stage, "login_trend_vs_segment")
    assert whole.value == 0


def test_lifetime_is_margin_over_a_life_that_ends_at_sixty_months(stage: Stage, tell: Telling) -> None:
    for n in range(4):
        tell("account.created", NOW - 500 * DAY, f"smb-{n}", traits={"segment": "smb"})
        tell("subscription.started", NOW - 500 * DAY, f"smb-{n}", subscription=f"s{n}", mrr="100", **EUR)
    tell("account.created", NOW - 500 * DAY, "big", traits={"segment": "ent"})
    tell("subscription.started", NOW - 500 * DAY, "big", subscription="b", mrr="1000", **EUR)
    tell("subscription.cancelled", NOW - 100 * DAY, "smb-0", subscription="s0")
    by_segment = {f.group["segment"]: f.value for f in ask(stage, "ltv", group_by=("segment",))}
    assert by_segment == {"smb": 100 * 48 * Decimal("0.8"), "ent": 1000 * 60 * Decimal("0.8")}
    [whole] = ask(stage, "ltv")
    assert (whole.value, whole.n) == ((3 * 3840 + 48_000) / Decimal(4), 4)


def test_a_customer_costs_what_was_spent_a_cycle_before(stage: Stage, tell: Telling) -> None:
    tell("spend.recorded", NOW - 10 * DAY, "", amount="3000", purpose="acquisition", period="2026-Q1", **EUR)
    for account in ("acme", "bolt"):
        tell(
            "subscription.started",
            datetime(2026, 5, 3, tzinfo=UTC),
            account,
            subscription="s",
            mrr="50",
            **EUR,
        )
    may: dict[str, Any] = {"start": date(2026, 5, 1), "end": date(2026, 6, 1)}
    spend, prior, cac, payback = ask(
        stage, "acquisition_spend", "acquisition_spend_prior", "cac", "cac_payback_months", **may
    )
    # 90 days before May are 31 January to 2 March: 31 of the 90 days of the quarter.
    assert (spend.value, prior.value) == (0, Decimal(3000) * 31 / 90)
    assert cac.value == Decimal(1550) / 3
    assert float(payback.value or 0) == pytest.approx(float(prior.value or 0) / 100 / 0.8)


def test_the_risk_of_a_renewal_is_never_invented(stage: Stage, tell: Telling) -> None:
    for account in ("acme", "bolt"):
        tell(
            "subscription.started",
            NOW - 100 * DAY,
            account,
            subscription="s",
            mrr="100",
            term_end="2026-09-30",
            notice_deadline="2026-07-31",
            **EUR,
        )
    third: dict[str, Any] = {"start": date(2026, 7, 1), "end": date(2026, 10, 1)}
    [unknown] = ask(stage, "renewal_mrr_at_risk", **third)
    assert (unknown.value, unknown.low, unknown.high, unknown.censored) == (None, 0, 200, 2)
    assert unknown.reason is not None
    for account, risk in (("acme", 0.25), ("bolt", 0.5)):
        figures = json.dumps({"renewal_risk": risk})
        stage.conn.execute(
            "insert into engine.account_state (account_id, tenant_id, traits, figures, mrr, computed_at, as_of, due_at)"
            " select id, tenant_id, '{}', %s::jsonb, 100, now(), now(), now() from engine.account where name = %s",
            (figures, account),
        )
    [known] = ask(stage, "renewal_mrr_at_risk", **third)
    assert (known.value, known.n, known.accounts, known.reason) == (75, 2, 2, None)
    assert ask(stage, "renewal_mrr_at_risk", start=date(2026, 8, 1), end=date(2026, 10, 1))[0].value == 0


def test_risk_is_resolved_by_a_renewal_at_90_percent_or_30_healthy_days(stage: Stage, tell: Telling) -> None:
    entered = NOW - 90 * DAY
    for account in ("kept", "cheap", "healed", "late", "young"):
        tell(
            "subscription.started",
            NOW - 300 * DAY,
            account,
            subscription="s",
            mrr="100",
            term_end=(NOW - 40 * DAY).isoformat(),
            **EUR,
        )
        at = entered + DAY if account == "young" else entered
        tell("account.updated", at, account, traits={"health": "at_risk"})
    for account, mrr in (
        ("kept", "90"),
        ("cheap", "89.99"),
        ("healed", "50"),
        ("late", "50"),
        ("young", "100"),
    ):
        tell(
            "subscription.renewed",
            NOW - 41 * DAY,
            account,
            subscription="s",
            mrr=mrr,
            term_end="2027-06-30",
            **EUR,
        )
    tell("account.updated", NOW - 30 * DAY, "healed", traits={"health": "healthy"})
    tell("account.updated", NOW - 30 * DAY + INSTANT, "late", traits={"health": "healthy"})
    [found] = ask(stage, "risk_resolution_rate")
    assert (found.value, found.numerator, found.denominator, found.censored) == (0.5, 200, 400, 1)


def test_what_was_confirmed_is_measured_against_fees_and_effort(stage: Stage, tell: Telling) -> None:
    for account in ("acme", "bolt"):
        tell("subscription.started", NOW - 100 * DAY, account, subscription="s", mrr="100", **EUR)
    tell("benefit.confirmed", NOW - 10 * DAY, yearly_benefit="4800", customer_effort="400", **EUR)
    [roi, share] = ask(stage, "customer_roi", "customer_roi_share")
    assert (roi.value, roi.accounts, roi.censored, share.value) == (3, 1, 1, 0.5)


def test_a_goal_is_reached_by_the_end_of_its_day_upwards_or_downwards(stage: Stage, tell: Telling) -> None:
    for goal, baseline, target in (("up", 1, 10), ("down", 10, 2), ("late", 1, 10), ("open", 1, 10)):
        tell(
            "success_plan.set", NOW - 90 * DAY, goal=goal, baseline=baseline, target=target, due="2026-05-31"
        )
    tell("success_plan.progressed", datetime(2026, 5, 31, 21, 59, tzinfo=UTC), goal="up", value=10)
    tell("success_plan.progressed", NOW - 30 * DAY, goal="down", value=1.5)
    tell("success_plan.progressed", datetime(2026, 5, 31, 22, tzinfo=UTC), goal="late", value=10)
    [found] = ask(stage, "success_plan_attainment", start=date(2026, 5, 31), end=date(2026, 6, 1))
    assert (found.value, found.n, found.accounts) == (0.5, 4, 1)


def test_a_programme_returns_margin_on_the_deals_that_name_it(stage: Stage, tell: Telling) -> None:
    tell("spend.recorded", NOW - 20 * DAY, "", amount="100", purpose="partner", programme="fair", **EUR)
    tell("deal.won", NOW - 10 * DAY, deal="d", amount="1000", campaign="fair", partner="p", **EUR)
    tell("deal.won", NOW - 10 * DAY, deal="e", amount="500", campaign="mail", **EUR)
    rows = {f.group["campaign"]: f.value for f in ask(stage, "programme_roi", group_by=("campaign",))}
    assert (rows["fair"], rows["mail"], ask(stage, "partner_roi")[0].value) == (8, None, 8)


def test_words_are_counted_by_theme(stage: Stage, tell: Telling) -> None:
    for n, theme in enumerate(("price", "price", "speed")):
        tell("feedback.received", NOW - (n + 1) * DAY, user="ann", theme=theme, text="said")
    tell("feedback.received", NOW - DAY, user="ann", text="said")
    rows = {f.group["theme"]: f.value for f in ask(stage, "feedback", group_by=("theme",))}
    assert rows == {"price": 2, "speed": 1, None: 1}


accounts = st.sampled_from(["acme", "bolt", "core"])
KINDS = (
    "account.updated", "account.updated", "health", "user.logged_in", "user.logged_in", "feature.used", "ticket.opened",
    "ticket.first_responded", "ticket.resolved", "subscription.started", "subscription.renewed", "subscription.cancelled",
    "spend.recorded", "headcount.recorded", "metric.reported", "benefit.confirmed", "success_plan.set",
    "success_plan.progressed", "survey.responded", "activity.logged",
)  # fmt: skip


@st.composite
def happenings(draw: st.DrawFn) -> Ev:
    kind = draw(st.sampled_from(KINDS))
    back = draw(st.sampled_from([0, 1, 5, 14, 27, 28, 29, 30, 56, 60, 89, 90, 91, 120, 200, 364, 366, 400]))
    at = (
        NOW
        - back * DAY
        - draw(st.sampled_from([INSTANT, timedelta(0), timedelta(hours=9), timedelta(hours=13)]))
    )
    tenant = kind in ("spend.recorded", "headcount.recorded", "metric.reported")
    needs = kind in ("user.logged_in", "survey.responded")
    user = (
        draw(st.sampled_from(["ann", "bob"]))
        if needs or (kind == "feature.used" and draw(st.booleans()))
        else None
    )
    name = "account.updated" if kind == "health" else kind
    return Ev(name, at, "", "" if tenant else draw(accounts), user, draw(_data(kind)))


def _data(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    money = st.sampled_from(["10", "99.99", "250", "0"])
    if kind == "account.updated":
        return st.fixed_dictionaries({}, optional={
            "segment": st.sampled_from(["smb", "ent", None]), "seats": st.sampled_from([1, 2, 5, None]),
            "plan_features": st.sampled_from([1, 3, None]), "owner": st.sampled_from(["kim", None]),
            "engagement_model": st.sampled_from(["high", "mid", None]), "kind": st.sampled_from(["partner", None]),
        }).map(lambda traits: {"traits": traits})  # fmt: skip
    if kind == "health":
        return st.sampled_from(
            [{"traits": {"health": h}} for h in ("at_risk", "healthy", "at_risk", "watch")]
        )
    if kind == "feature.used":
        return st.sampled_from([{"feature": f} for f in "xyz"])
    if kind.startswith("ticket."):
        return st.sampled_from([{"ticket": t} for t in ("t1", "t2")])
    if kind.startswith("subscription."):
        ends = st.sampled_from(
            [None, (NOW - 20 * DAY).isoformat(), (NOW + 30 * DAY).isoformat(), (NOW - 95 * DAY).isoformat()]
        )
        made = st.fixed_dictionaries(
            {"subscription": st.sampled_from(["s", "t"]), "mrr": money, "term_end": ends}
        )
        return made.map(
            lambda data: (
                {**data, "currency": "EUR"}
                if kind != "subscription.cancelled"
                else {"subscription": data["subscription"]}
            )
        )
    if kind == "spend.recorded":
        periods = st.sampled_from([None, "2026-03", "2026-Q1", "2026", "2026-05-20/2026-06-10", "soon"])
        return st.fixed_dictionaries({
            "amount": money, "purpose": st.sampled_from(["acquisition", "service", "partner"]), "period": periods,
            "programme": st.sampled_from(["fair", None]), "currency": st.just("EUR"),
        })  # fmt: skip
    if kind == "headcount.recorded":
        return st.fixed_dictionaries(
            {"team": st.sampled_from(["cs", "ops"]), "fte": st.sampled_from([0, 1.5, 3])}
        )
    if kind == "metric.reported":
        return st.fixed_dictionaries(
            {
                "metric": st.sampled_from(["market_share", "employee_nps"]),
                "value": st.sampled_from([0.1, 0.25, 7]),
            }
        )
    if kind == "benefit.confirmed":
        return st.fixed_dictionaries(
            {"yearly_benefit": money, "currency": st.just("EUR")}, optional={"customer_effort": money}
        )
    if kind == "success_plan.set":
        numbers = st.sampled_from([None, 0, 5, 7.5, 10])
        return st.fixed_dictionaries({
            "goal": st.sampled_from("gh"), "baseline": numbers, "target": numbers, "value": numbers,
            "due": st.sampled_from([None, "2026-05-31", "2026-06-14", "2026-06-15", "2026-03-29"]),
        })  # fmt: skip
    if kind == "success_plan.progressed":
        return st.fixed_dictionaries(
            {"goal": st.sampled_from("gh"), "value": st.sampled_from([1, 5, 7.5, 12])}
        )
    if kind == "survey.responded":
        return st.fixed_dictionaries(
            {"survey": st.just("s"), "kind": st.just("nps"), "score": st.integers(0, 10)}
        )
    if kind == "activity.logged":
        return st.fixed_dictionaries(
            {"owner": st.just("kim"), "kind": st.just("call"), "two_way": st.booleans()}
        )
    return st.just({})


TENANT = (
    "acquisition_spend", "acquisition_spend_prior", "service_spend", "partner_spend", "programme_spend", "fte",
    "market_share", "employee_nps", "cac", "cac_payback_months", "cost_to_serve", "ltv_to_cac",
)  # fmt: skip
SLICED = (
    "ltv", "new_accounts", "customer_roi", "customer_roi_share", "success_plan_attainment", "self_serve_share", "seats_used",
    "feature_breadth", "login_trend_vs_segment", "renewal_mrr_at_risk", "risk_resolution_rate", "engagement", "nps_change",
    "partner_logins",
)  # fmt: skip


@given(
    drawn=st.lists(happenings(), min_size=30, max_size=80),
    seed=st.integers(0, 2**32),
    cuts=st.lists(st.integers(0, 100), max_size=3),
    by=st.sampled_from([None, "segment", "account"]),
    grain=st.sampled_from(["month", "total"]),
)
@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_figure_of_economics_equals_the_reference(
    stage: Stage, drawn: list[Ev], seed: int, cuts: list[int], by: str | None, grain: str
) -> None:
    happened = [
        Ev(e.type, e.at, f"e{n:03d}", e.account, e.user, e.data, e.source) for n, e in enumerate(drawn)
    ]
    arriving = list(happened)
    random.Random(seed).shuffle(arriving)
    stage.reset()
    for batch in split(arriving, cuts):
        if batch:
            assert not stage.write(batch).rejected
    calendar = Calendar(BERLIN)
    plain = Economics(as_events(happened), calendar, NOW)
    metrics = SLICED if by else (*SLICED, *TENANT)
    span: dict[str, Any] = {"start": date(2026, 1, 1), "end": date(2026, 9, 1), "grain": grain}
    for figure in ask(stage, *metrics, group_by=(by,) if by else (), **span):
        start, end = (datetime.fromisoformat(at).astimezone(UTC) for at in (figure.start, figure.end))
        if start <= NOW or figure.metric == "renewal_mrr_at_risk":
            expected = Expected(plain, by, figure.group.get(by) if by else None, start, end)
            expected.compare(figure)


class Expected:
    """What the reference says of one bucket and group."""

    def __init__(self, plain: Economics, by: str | None, group: Any, start: datetime, end: datetime) -> None:
        self.plain, self.by, self.group = plain, by, group
        self.start, self.end, self.now = start, end, min(end, NOW)
        self.first, self.until = (plain.calendar.day_of(at) for at in (start, end))
        self.day = min(self.until - DAY, plain.calendar.day_of(NOW))

    def held(self, account: str, at: datetime, *, or_first: bool = False) -> bool:
        if self.by == "account":
            return bool(account == self.group)
        return self.by is None or bool(
            self.plain.traits.trait(account, self.by, at, or_first=or_first) == self.group
        )

    def at_start(self, account: str, at: datetime) -> bool:
        return self.held(account, at, or_first=True)

    def compare(self, figure: Figure) -> None:
        wanted = getattr(self, figure.metric)()
        value, *rest = wanted if isinstance(wanted, tuple) else (wanted,)
        if isinstance(figure.value, Decimal) and isinstance(value, Fraction):
            value = Decimal(value.numerator) / Decimal(value.denominator)
        elif isinstance(value, Fraction):
            value = float(value)
        assert figure.value == value, (figure, value)
        assert not rest or figure.n == rest[0], (figure, rest)

    def spent(self, purpose: str, back: int = 0, programme: Any = ...) -> Fraction:
        first, until = self.first - back * DAY, self.until - back * DAY
        return self.plain.spent(first, until, purpose, programme)

    def acquisition_spend(self) -> Fraction:
        return self.spent("acquisition")

    def acquisition_spend_prior(self) -> Fraction:
        return self.spent("acquisition", 90)

    def service_spend(self) -> Fraction:
        return self.spent("service")

    def partner_spend(self) -> Fraction:
        return self.spent("partner")

    def programme_spend(self) -> Fraction:
        return self.spent("partner", programme="fair")

    def fte(self) -> Any:
        return self.plain.fte(self.now)

    def market_share(self) -> Any:
        return self.plain.reported("market_share", self.day)

    def employee_nps(self) -> Any:
        return self.plain.reported("employee_nps", self.day)

    def new_accounts(self) -> int:
        return len(self.plain.new(self.start, self.now, self.held))

    def cac(self) -> Any:
        return over(self.spent("acquisition", 90), self.new_accounts())

    def cac_payback_months(self) -> Any:
        fees = sum(
            (self.plain.mrr(a, self.now) for a in self.plain.new(self.start, self.now, self.held)), Decimal(0)
        )
        return over(self.spent("acquisition", 90), Fraction(fees) * MARGIN)

    def cost_to_serve(self) -> Any:
        return over(self.spent("service"), len(self.plain.paying(self.now, self.held)))

    def ltv(self) -> Any:
        return self.plain.lifetime(year_before(self.now), self.now, MARGIN, self.held)

    def ltv_to_cac(self) -> Any:
        ltv, cac = self.ltv(), self.cac()
        return None if ltv is None or not cac else ltv / cac

    def customer_roi(self) -> Any:
        value, measured, _ = self.plain.roi(self.now, self.held)
        return value, measured

    def customer_roi_share(self) -> Any:
        _, measured, paying = self.plain.roi(self.now, self.held)
        return over(measured, paying), paying

    def success_plan_attainment(self) -> Any:
        return self.plain.attained(self.start, self.end, self.held)

    def self_serve_share(self) -> Any:
        return self.plain.self_served(self.start, self.end, self.held)

    def seats_used(self) -> int:
        return self.plain.seats_used(self.day, self.held)

    def feature_breadth(self) -> Any:
        return self.plain.breadth(self.day, self.held)

    def login_trend_vs_segment(self) -> Any:
        return self.plain.relative_trend(self.day, self.held)

    def renewal_mrr_at_risk(self) -> Any:
        value, _, _ = self.plain.at_risk(self.start, self.end, {}, self.held)
        return value

    def risk_resolution_rate(self) -> Any:
        return self.plain.resolved(self.start, self.end, self.at_start)

    def engagement(self) -> Any:
        return self.plain.engagement(self.now, self.held)

    def nps_change(self) -> Any:
        return self.plain.nps_change(self.first - DAY, self.day, self.held)

    def partner_logins(self) -> int:
        trait, day_start = self.plain.traits.trait, self.plain.traits.day_start
        return sum(
            self.start <= e.at < self.end
            and self.held(e.account, day_start(e.at))
            and trait(e.account, "kind", day_start(e.at)) == "partner"
            for e in self.plain.today
            if e.type == "user.logged_in"
        )
