"""What customers are worth, cost and get, through the engine, equal plain code over the raw events."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.figures.conftest import Stages
from tests.integration.figures.stories import as_events
from tests.integration.figures.test_revenue_histories import year_before
from tests.integration.kpi_engine.figures_stage import Ev, Stage, split
from tests.reference.calendar import Calendar
from tests.reference.economics import Economics, over

from common.catalogue import Catalogue
from common.figures import Figure, Query, query

DAY, INSTANT = timedelta(days=1), timedelta(microseconds=1)
NOW = datetime(2026, 6, 15, 10, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
MARGIN = Fraction(8, 10)


@pytest.fixture
def stage(stages: Stages, base_pack: Catalogue) -> Stage:
    pack = base_pack.model_copy(
        update={"settings": base_pack.settings.model_copy(update={"timezone": "Europe/Berlin"})}
    )
    return stages(pack, NOW)


def ask(stage: Stage, *metrics: str, **parts: Any) -> list[Figure]:
    made = Query(
        metrics,
        **{"start": date(2026, 1, 1), "end": date(2026, 7, 1), "grain": "total", "limit": 10_000, **parts},
    )
    return list(query(stage.conn, stage.tenant_id, stage.catalogue, made, NOW).figures)


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
        return st.sampled_from([{"traits": {"health": h}} for h in ("poor", "good", "poor", "fair")])
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
    bands = healths(stage, happened, calendar)
    plain = Economics(as_events(happened), calendar, NOW)
    metrics = SLICED if by else (*SLICED, *TENANT)
    span: dict[str, Any] = {"start": date(2026, 1, 1), "end": date(2026, 9, 1), "grain": grain}
    for figure in ask(stage, *metrics, group_by=(by,) if by else (), **span):
        start, end = (datetime.fromisoformat(at).astimezone(UTC) for at in (figure.start, figure.end))
        if start <= NOW or figure.metric == "renewal_mrr_at_risk":
            expected = Expected(plain, bands, by, figure.group.get(by) if by else None, start, end)
            expected.compare(figure)


Bands = dict[str, list[tuple[datetime, str]]]


def healths(stage: Stage, happened: list[Ev], calendar: Calendar) -> Bands:
    """Keeps what the trait says as what the engine judged: the last band of each local day."""
    last: dict[tuple[str, date], tuple[datetime, str]] = {}
    for event in sorted(happened, key=lambda event: event.order):
        band = event.data.get("traits", {}).get("health")
        if band:
            last[event.account, calendar.day_of(event.at)] = (event.at, band)
    found: Bands = {}
    for (account, day), (at, band) in sorted(last.items()):
        found.setdefault(account, []).append((at, band))
        stage.conn.execute(
            """insert into engine.health_day (tenant_id, account_id, day, score, band, profile, definitions, computed_at)
               values (%s, %s, %s, 50, %s, 'standard', 1, %s)""",
            (stage.tenant_id, stage.account(account), day, band, at),
        )
    return found


class Expected:
    """What the reference says of one bucket and group."""

    def __init__(
        self, plain: Economics, bands: Bands, by: str | None, group: Any, start: datetime, end: datetime
    ) -> None:
        self.bands = bands
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
        return self.plain.resolved(self.bands, self.start, self.end, self.at_start)

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
