"""What customers are worth, cost and get, through the engine, equal plain code over the raw events."""

import random
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.figures.companies import DAY, NOW, companies
from tests.integration.figures.conftest import Known, Stages
from tests.integration.figures.foreign import Abroad
from tests.integration.figures.stories import as_events
from tests.integration.figures.test_figures_match_the_oracle import ZONES
from tests.integration.figures.test_revenue_histories import year_before
from tests.integration.kpi_engine.figures_stage import Ev, Stage, split
from tests.reference.adoption import Adoption
from tests.reference.calendar import Calendar
from tests.reference.deals import deals_of
from tests.reference.economics import Economics, over

from common.catalogue import Catalogue
from common.figures import Figure, Query, query

MARGIN = Fraction(8, 10)
Bands = dict[str, list[tuple[datetime, str]]]
Chances = dict[str, float | None]


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


TENANT = (
    "acquisition_spend", "acquisition_spend_prior", "service_spend", "partner_spend", "programme_spend", "fte",
    "market_share", "employee_nps", "cac", "cac_payback_months", "cost_to_serve", "ltv_to_cac", "partner_roi", "programme_roi",
    "results_per_fte",
)  # fmt: skip
SLICED = (
    "ltv", "new_accounts", "customer_roi", "customer_roi_share", "success_plan_attainment", "self_serve_share", "seats_used",
    "feature_breadth", "login_trend_vs_segment", "renewal_mrr_at_risk", "risk_resolution_rate", "engagement", "nps_wave", "nps_change",
    "partner_logins", "feedback", "stories", "complaints_per_100_accounts", "campaign_won_amount",
)  # fmt: skip
METRICS = (*SLICED, *TENANT)


@given(
    happened=companies(),
    chances=st.fixed_dictionaries(
        dict.fromkeys(("acme", "bolt", "core"), st.sampled_from([0.5, 0.25, 0.5, 0.25, 0, None]))
    ),
    seed=st.integers(0, 2**32),
    cuts=st.lists(st.integers(0, 100), max_size=3),
    by=st.sampled_from([None, "segment", "account"]),
    grain=st.sampled_from(["month", "total"]),
    zone=st.sampled_from(ZONES),
    foreign=st.booleans(),
)
@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_figure_of_economics_equals_the_reference(
    stage: Stage, known: Known, happened: list[Ev], chances: Chances, seed: int, cuts: list[int], by: str | None, grain: str, zone: str,
    abroad: Abroad, foreign: bool,
) -> None:  # fmt: skip
    calendar = Calendar(ZoneInfo(zone))
    arriving = abroad(happened, calendar, seed) if foreign else list(happened)
    random.Random(seed).shuffle(arriving)
    local = stage.catalogue.settings.model_copy(update={"timezone": zone})
    stage.reset(stage.catalogue.model_copy(update={"settings": local}))
    for batch in split(arriving, cuts):
        if batch:
            assert not stage.write(batch).rejected
    bands = healths(stage, happened, calendar)
    judge(stage, chances)
    plain = Economics(as_events(happened), calendar, NOW)
    span: dict[str, Any] = {"start": date(2026, 1, 1), "end": date(2026, 9, 1), "grain": grain}
    figures = ask(stage, *SLICED, group_by=(by,) if by else (), **span) + ask(stage, *TENANT, **span)
    figures += ask(stage, "nps_wave", group_by=("wave",), **span)
    # Of whole segments it is 0.
    figures += ask(stage, "login_trend_vs_segment", group_by=("account",), **span)
    for figure in figures:
        start, end = (datetime.fromisoformat(at).astimezone(UTC) for at in (figure.start, figure.end))
        if start <= NOW or figure.metric == "renewal_mrr_at_risk":
            [of, group] = next(iter(figure.group.items()), (None, None))
            Expected(plain, bands, of, group, start, end, chances).compare(figure)
            known(figure)


def judge(stage: Stage, chances: Chances) -> None:
    """Keeps, for all renewals of an account, how likely they are lost; None where it isn't known."""
    for account, risk in chances.items():
        stage.conn.execute(
            """insert into engine.account_state
               (account_id, tenant_id, traits, figures, mrr, computed_at, as_of, due_at, renewal_risk)
               values (%s, %s, '{}', '{}', 0, now(), now(), now(), %s)""",
            (stage.account(account), stage.tenant_id, risk),
        )
    stage.conn.execute(
        """insert into engine.renewal (tenant_id, account_id, subscription, due_at, mrr, source)
           select distinct tenant_id, account_id, subscription, term_end, 0, 'term'
           from published.subscription_change where term_end is not null"""
    )


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
        self, plain: Economics, bands: Bands, by: str | None, group: Any, start: datetime, end: datetime, chances: Chances
    ) -> None:  # fmt: skip
        self.bands, self.chances = bands, chances
        self.plain, self.by, self.group = plain, by, group
        self.start, self.end, self.now = start, end, min(end, plain.now)
        self.first, self.until = (plain.calendar.day_of(at) for at in (start, end))
        self.day = min(self.until - DAY, plain.calendar.day_of(plain.now))

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
        for shown, bound in zip((figure.low, figure.high), rest[1:], strict=False):
            assert (shown is None) == (bound is None)
            assert bound is None or abs(float(shown or 0) - bound) < 0.01, (figure, rest)

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
        return self.plain.lifetime(
            year_before(self.now, self.plain.calendar.zone), self.now, MARGIN, self.held
        )

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
        chances = {who: Fraction(risk) for who, risk in self.chances.items() if risk is not None}
        value, _, _ = self.plain.at_risk(self.start, self.end, chances, self.held)
        return value

    def risk_resolution_rate(self) -> Any:
        return self.plain.resolved(self.bands, self.start, self.end, self.at_start)

    def engagement(self) -> Any:
        return self.plain.engagement(self.now, self.held)

    def nps_wave(self) -> Any:
        if self.by == "wave":
            return self.plain.nps_wave(self.start, self.now, lambda _who, _at: True, self.group)
        return self.plain.nps_wave(self.start, self.now, self.held)

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

    def feedback(self) -> int:
        return self._told("feedback.received")

    def stories(self) -> int:
        return self._told("story.recorded")

    def complaints_per_100_accounts(self) -> Any:
        return over(100 * self._told("complaint.filed"), len(self.plain.paying(self.now, self.held)))

    def campaign_won_amount(self) -> Fraction:
        return self._won("campaign")

    def partner_roi(self) -> Any:
        return over(self._won("partner") * MARGIN, self.partner_spend())

    def programme_roi(self) -> Any:
        return over(self._won("campaign") * MARGIN, self.spent("partner", programme="fair"))

    def results_per_fte(self) -> Any:
        if not (fte := self.fte()):
            return None
        use = Adoption(self.plain.today, self.plain.calendar, self.plain.traits, self.plain.now)
        return over(sum(use.is_value_active(account, self.day) for account in use.accounts), fte)

    def _told(self, kind: str) -> int:
        here = [e for e in self.plain.of(kind) if self.start <= e.at < self.end]
        return sum(self.held(e.account, self.plain.traits.day_start(e.at)) for e in here)

    def _won(self, label: str) -> Fraction:
        """What deals that name one were won for."""
        total = Fraction(0)
        for deal in deals_of(self.plain.today, self.plain.now):
            at, amount, _ = deal.won() or (self.end, None, None)
            if amount is not None and self.start <= at < self.end and deal.label_when("won", label):
                total += Fraction(amount) if self.held(deal.account, self.plain.traits.day_start(at)) else 0
        return total
