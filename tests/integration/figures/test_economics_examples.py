"""Worked examples of what customers are worth, cost and get, through the engine."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.integration.figures.conftest import Stages
from tests.integration.kpi_engine.figures_stage import Ev, Stage

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
    """100 user-days before and 70 since at acme; 72 of 100 in the whole segment, so 216 of 300 with acme in it."""
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


def test_a_new_account_moves_no_segment(stage: Stage, tell: Telling) -> None:
    """Two accounts that do exactly what they did, and one that nobody used before."""
    told = []
    for account, starts in (("acme", (0, 28)), ("bolt", (0, 28)), ("newcomer", (0,))):
        tell("account.created", NOW - 300 * DAY, account, traits={"segment": "smb"})
        told += [
            Ev("user.logged_in", NOW - (back + n) * DAY, f"{account}-{back}-{n}", account, "ann", {})
            for back in starts
            for n in range(1, 21)
        ]
    stage.write(told)
    figures = ask(stage, "login_trend_vs_segment", group_by=("account",))
    assert {str(found.group["account"]): found.value for found in figures} == {
        "acme": 0,
        "bolt": 0,
        "newcomer": None,
    }


def test_who_is_in_no_segment_is_held_against_none(stage: Stage, tell: Telling) -> None:
    """Unknown as on the account's page, and no part of the whole."""
    told = []
    for account, segment, since in (("acme", "smb", 20), ("bolt", None, 5), ("core", None, 20)):
        tell("account.created", NOW - 300 * DAY, account, traits={"segment": segment})
        told += [
            Ev("user.logged_in", NOW - (back + n) * DAY, f"{account}-{back}-{n}", account, "ann", {})
            for count, back in ((since, 0), (20, 28))
            for n in range(1, count + 1)
        ]
    stage.write(told)
    figures = ask(stage, "login_trend_vs_segment", group_by=("account",))
    assert {str(f.group["account"]): f.value for f in figures} == {"acme": 0, "bolt": None, "core": None}
    [whole] = ask(stage, "login_trend_vs_segment")
    assert (whole.value, whole.denominator, whole.accounts) == (0, 20, 1)


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
        stage.conn.execute(
            "insert into engine.account_state (account_id, tenant_id, traits, figures, mrr, computed_at, as_of, due_at, renewal_risk)"
            " select id, tenant_id, '{}', '{}', 100, now(), now(), now(), %s from engine.account where name = %s",
            (risk, account),
        )
    stage.conn.execute(
        "insert into engine.renewal (tenant_id, account_id, subscription, due_at, notice_deadline, mrr, source)"
        " select tenant_id, account_id, subscription, term_end, notice_deadline, mrr, 'term' from published.subscription_change"
    )
    [known] = ask(stage, "renewal_mrr_at_risk", **third)
    assert (known.value, known.n, known.accounts, known.reason) == (75, 2, 2, None)
    assert ask(stage, "renewal_mrr_at_risk", start=date(2026, 8, 1), end=date(2026, 10, 1))[0].value == 0
    stage.conn.execute(
        "insert into engine.further_risk select tenant_id, account_id, subscription, due_at, 0.1, '{}', now()"
        " from engine.renewal where account_id = %s",
        (stage.account("bolt"),),
    )
    [of_each] = ask(stage, "renewal_mrr_at_risk", **third)
    assert of_each.value == 35, "each renewal counts with its own risk"


def test_risk_is_resolved_by_a_renewal_at_90_percent_or_30_healthy_days(stage: Stage, tell: Telling) -> None:
    def judge(at: datetime, account: str, band: str) -> None:
        stage.conn.execute(
            """insert into engine.health_day (tenant_id, account_id, day, score, band, profile, definitions, computed_at)
               values (%s, %s, %s, 50, %s, 'standard', 1, %s)""",
            (stage.tenant_id, stage.account(account), at.date(), band, at),
        )

    entered = NOW - 90 * DAY
    for account in ("kept", "cheap", "healed", "late", "young", "guarded"):
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
        judge(at, account, "poor")
    for account, mrr in (
        ("kept", "90"),
        ("cheap", "89.99"),
        ("healed", "50"),
        ("late", "50"),
        ("guarded", "50"),
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
    judge(NOW - 30 * DAY, "healed", "good")
    judge(NOW - 30 * DAY + INSTANT, "late", "good")
    judge(NOW - 40 * DAY, "guarded", "good")
    for account, ended in (("healed", 30), ("guarded", 29)):
        stage.conn.execute(
            """insert into alerts."case" (id, tenant_id, account_id, status, origin, severity, opened_at, updated_at, resolved_at)
               values (%s, %s, %s, 'resolved', 'live', 'critical', %s, %s, %s)""",
            (account, stage.tenant_id, stage.account(account), entered, NOW, NOW - ended * DAY),
        )
    [found] = ask(stage, "risk_resolution_rate")
    assert (found.value, found.numerator, found.denominator, found.censored) == (0.4, 200, 500, 1)


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


def test_a_goal_whose_target_is_no_plain_number_is_as_if_it_had_none(stage: Stage, tell: Telling) -> None:
    for goal, target in (("told", 10), ("huge", "1e4000000"), ("half", "1/2"), ("endless", "inf")):
        tell("success_plan.set", NOW - 90 * DAY, goal=goal, baseline="1e400", target=target, due="2026-05-31")
        tell("success_plan.progressed", NOW - 60 * DAY, goal=goal, value="1e4000000")
        tell("success_plan.progressed", NOW - 50 * DAY, goal=goal, value="10.0")
    [found] = ask(stage, "success_plan_attainment", start=date(2026, 5, 31), end=date(2026, 6, 1))
    assert (found.value, found.n) == (1, 1)


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


def test_a_wave_has_everybodys_latest_answer_to_it_however_old_others_are(
    stage: Stage, tell: Telling
) -> None:
    """Spring: ann 9 after a first 3, bob 10, cleo 5: 33. Autumn, a year ago: ann 0. A transactional 0 is no relationship."""

    def answered(user: str, back: int, score: int, **more: Any) -> None:
        tell("survey.responded", NOW - back * DAY, user=user, survey="s", kind="nps", score=score, **more)

    for user, back, score in (("ann", 40, 3), ("ann", 20, 9), ("bob", 39, 10), ("cleo", 38, 5)):
        answered(user, back, score, wave="2026 spring")
    answered("ann", 300, 0, wave="2025 autumn")
    answered("bob", 10, 0, transactional=True, wave="2026 spring")
    span = {"start": date(2025, 7, 1), "end": date(2026, 7, 1)}
    autumn, spring = ask(stage, "nps_wave", group_by=("wave",), **span)
    assert (autumn.group, autumn.value, autumn.n) == ({"wave": "2025 autumn"}, -100, 1)
    assert (spring.group, spring.n, spring.accounts, spring.low_n) == ({"wave": "2026 spring"}, 3, 1, True)
    # Three answers of +1, +1 and -1: a variance of 8/9, so the interval is wider than the scale above.
    assert [round(float(shown or 0), 1) for shown in (spring.value, spring.low, spring.high)] == [
        33.3,
        -73.4,
        100,
    ]
    [only] = ask(stage, "nps_wave", filter={"wave": ("2026 spring",)}, **span)
    assert (only.numerator, only.denominator) == (1, 3)
    [days] = ask(stage, "nps", **span)
    assert (days.value, days.n) == (spring.value, 3), (
        "of 180 days: those who were asked in autumn answered again"
    )
    [change] = ask(stage, "nps_change", start=NOW.date() - 30 * DAY, end=date(2026, 6, 16))
    assert change.n == 3, "ann went from 3 to 9"
    assert [round(float(shown or 0), 1) for shown in (change.value, change.low, change.high)] == [
        66.7,
        -40.0,
        173.4,
    ]
