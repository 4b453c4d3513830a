"""Deals through the engine: worked examples, and every figure against plain code over the raw events."""

import random
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.figures.conftest import Known, Stages
from tests.integration.figures.foreign import Abroad
from tests.integration.figures.stories import as_events
from tests.integration.figures.test_figures_match_the_oracle import ZONES
from tests.integration.kpi_engine.figures_stage import Ev, Stage, split
from tests.reference.calendar import Calendar
from tests.reference.deals import Deal, deals_of, velocity
from tests.reference.events import Event
from tests.reference.lifecycles import Lifecycles

from common.catalogue import Catalogue
from common.figures import Figure, Query, query

DAY = timedelta(days=1)
HOURS = {day: (time(9), time(17)) for day in range(5)}
NOW = datetime(2026, 7, 1, tzinfo=UTC)
KINDS = ("created", "created", "qualified", "registered", "responded", "stage_changed", "won", "won", "lost")
SEEN = ("created", "qualified", "registered", "responded", "stage_changed")


@pytest.fixture
def stage(stages: Stages, base_pack: Catalogue) -> Stage:
    return stages(base_pack, NOW)


def ask(stage: Stage, *metrics: str, now: datetime = NOW, **parts: Any) -> dict[str, Figure]:
    made = Query(metrics, **{"start": date(2026, 1, 1), "end": date(2026, 7, 1), "grain": "total", **parts})
    return {
        figure.metric: figure
        for figure in query(stage.conn, stage.tenant_id, stage.catalogue, made, now).figures
    }


def deal(kind: str, at: datetime, name: str, **data: Any) -> Ev:
    return Ev(f"deal.{kind}", at, f"{name}-{kind}-{at:%m%d%H}", "acme", None, {"deal": name, **data})


def test_forty_deals_of_twenty_five_thousand_at_a_quarter_in_sixty_days_are_4167_a_day(stage: Stage) -> None:
    told = [deal("qualified", NOW - 10 * DAY, f"open-{n}") for n in range(40)]
    told += [deal("created", NOW - 120 * DAY, f"old-{n}", amount="25000", currency="EUR") for n in range(4)]
    told.append(deal("won", NOW - 60 * DAY, "old-0"))
    stage.write(told)
    names = (
        "qualified_deals_open",
        "won_deal_size_90d",
        "win_rate_matured_90d",
        "won_cycle_90d",
        "deal_velocity",
    )
    found = ask(stage, *names)
    assert [found[name].value for name in names[:4]] == [40, Decimal(25_000), 0.25, 60]
    assert round(found["deal_velocity"].value or 0) == 4167
    assert found["deal_velocity"].currency == "EUR"
    assert found["deal_velocity"].value == Decimal(250_000) / Decimal(60)


def test_a_deal_is_worth_what_was_last_said_before(stage: Stage) -> None:
    stage.write([deal("created", NOW - 30 * DAY, "d", amount="100.10", currency="EUR", partner="p")])
    stage.write([deal("stage_changed", NOW - 20 * DAY, "d", amount="80")])
    stage.write([deal("stage_changed", NOW - 25 * DAY, "d", amount="500")])
    assert ask(stage, "pipeline", end=NOW - 25 * DAY)["pipeline"].value == Decimal("100.10")
    assert ask(stage, "pipeline")["pipeline"].value == 80
    stage.write([deal("won", NOW - 10 * DAY, "d"), deal("stage_changed", NOW - 5 * DAY, "d", amount="999")])
    found = ask(
        stage, "pipeline", "won_amount", "deal_size", "partner_sourced_revenue", "partner_share", "win_rate"
    )
    assert [figure.value for figure in found.values()] == [0, 80, 80, 80, 1, 1]


def test_what_is_no_currency_is_left_out(stage: Stage) -> None:
    told = [
        deal("won", NOW - DAY, "d", amount="5", currency="euro"),
        deal("won", NOW - DAY, "e", currency="x"),
    ]
    assert stage.write(told).rejected == []
    assert {(it.index, it.measure) for it in stage.writer.read(stage.batch(told)).left_out} == {(0, "deals")}
    assert stage.rows("select entity from engine.step") == [("e",)]


@st.composite
def drawn_deals(draw: st.DrawFn) -> tuple[str, datetime, str, str, dict[str, Any]]:
    kind = draw(st.sampled_from(KINDS))
    at = (
        NOW
        - draw(st.sampled_from([0, 1, 10, 30, 60, 90, 91, 120, 150, 180])) * DAY
        - timedelta(hours=draw(st.integers(0, 2)))
    )
    data: dict[str, Any] = {"deal": draw(st.sampled_from(["d1", "d2", "d3"]))}
    if draw(st.booleans()):
        data |= {"amount": draw(st.sampled_from(["10", "25.50", "0", "1000000.01"])), "currency": "EUR"}
    if draw(st.integers(0, 3)) == 0:
        data["partner"] = draw(st.sampled_from(["p", "q"]))
    return (
        f"deal.{kind}",
        at,
        draw(st.sampled_from(["acme", "bolt"])),
        draw(st.sampled_from(["s", "t"])),
        data,
    )


@st.composite
def pipelines(draw: st.DrawFn) -> list[tuple[str, datetime, str, str, dict[str, Any]]]:
    """Any deals, and among them two that were won in their time, one that is open and one that was answered."""

    def one(kind: str, back: int, name: str, **data: Any) -> tuple[str, datetime, str, str, dict[str, Any]]:
        at = NOW - back * DAY - timedelta(hours=draw(st.integers(0, 23)))
        return f"deal.{kind}", at, "bolt", "s", {"deal": name, **data}

    registered = draw(st.sampled_from([80, 40]))
    partners = st.sampled_from([{"partner": "p"}, {"partner": "q"}, {}])
    return [
        one("created", 140, "d4", amount="40.01", currency="EUR"),
        one("won", draw(st.sampled_from([31, 60, 89])), "d4", **draw(partners)),
        one("created", 180, "d7"),
        one("won", draw(st.sampled_from([120, 100, 60, 1])), "d7", amount="7", currency="EUR"),
        one("qualified", draw(st.sampled_from([31, 60, 1])), "d5", amount="12.50", currency="EUR"),
        one("registered", registered, "d6", partner="p"),
        one("responded", registered - 3, "d6"),
        *draw(st.lists(drawn_deals(), min_size=8, max_size=30)),
    ]


METRICS = (
    "time_to_close", "deal_response_time", "repeat_customer_ratio", "pipeline", "pipeline_qualified", "qualified_deals_open", "deals_created", "deals_won", "deals_registered",
    "won_amount", "deal_size", "win_rate", "win_rate_cohort", "lead_to_customer_rate", "deal_velocity",
    "partner_sourced_revenue", "partner_share", "won_deal_size_90d", "win_rate_matured_90d", "won_cycle_90d",
)  # fmt: skip


@given(
    drawn=pipelines(),
    seed=st.integers(0, 2**32),
    cuts=st.lists(st.integers(0, 100), max_size=4),
    span=st.sampled_from([(date(2026, 1, 1), date(2026, 7, 1)), (date(2026, 4, 2), date(2026, 6, 2))]),
    by=st.sampled_from([None, None, "partner", "account"]),
    zone=st.sampled_from(ZONES),
    foreign=st.booleans(),
)
@settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_figure_of_deals_equals_the_reference(
    stage: Stage, known: Known, drawn: list[Any], seed: int, cuts: list[int], span: tuple[date, date], by: str | None, zone: str,
    abroad: Abroad, foreign: bool,
) -> None:  # fmt: skip
    happened = [
        Ev(kind, at, f"e{n:03d}", who, None, data, source)
        for n, (kind, at, who, source, data) in enumerate(drawn)
    ]
    calendar = Calendar(ZoneInfo(zone))
    arriving = abroad(happened, calendar, seed) if foreign else list(happened)
    random.Random(seed).shuffle(arriving)
    local = stage.catalogue.settings.model_copy(update={"timezone": zone})
    stage.reset(stage.catalogue.model_copy(update={"settings": local}))
    for batch in split(arriving, cuts):
        if batch:
            stage.write(batch)
    start, end = (min(calendar.start_of(day), NOW) for day in span)
    events: list[Event] = as_events(happened)
    clock = Lifecycles(events, calendar, NOW, HOURS)
    made = Query(METRICS, span[0], span[1], "total", group_by=(by,) if by else (), limit=10_000)
    found: dict[Any, dict[str, Figure]] = {}
    for figure in query(stage.conn, stage.tenant_id, stage.catalogue, made, NOW).figures:
        found.setdefault(figure.group.get(by) if by else None, {})[figure.metric] = figure
    deals = deals_of(events, NOW)
    groups = {None} if by is None else {d.account for d in deals} if by == "account" else {"p", "q", None}
    for group in groups & found.keys():
        expected = Expected(deals, clock, start, end, by, group)
        for name, wanted in expected.values().items():
            figure = found[group][name]
            assert figure.value == wanted, (name, group, figure)
            known(figure)
            if name in expected.behind:
                assert (figure.n, figure.accounts) == expected.behind[name], (name, group, figure)
    for group in (groups if by == "partner" else set()) - found.keys():
        assert not any(Expected(deals, clock, start, end, by, group).values().values()), group


class Expected:
    """One group's figures: a deal counts with its own partner, told by then or, in a cohort, at its start."""

    def __init__(
        self, deals: list[Deal], clock: Lifecycles, start: datetime, end: datetime, by: str | None, group: Any
    ) -> None:
        self.deals, self.clock, self.start, self.end, self.by, self.group = (
            deals,
            clock,
            start,
            end,
            by,
            group,
        )
        self.behind: dict[str, tuple[int, int]] = {}

    def mine(self, deal: Deal, partner: str | None) -> bool:
        return self.by is None or self.group == (deal.account if self.by == "account" else partner)

    def entered(self, kind: str) -> list[Deal]:
        return [
            d
            for d in self.deals
            if (at := d.first(kind)) is not None
            and self.start <= at < self.end
            and self.mine(d, d.label_when(kind, "partner"))
        ]

    def open(self, *since: str) -> list[Deal]:
        end = self.end
        return [
            d
            for d in self.deals
            if d.is_open(end, *since) and self.mine(d, d.label("partner", end, itself=False))
        ]

    def started(self, kind: str) -> list[tuple[Deal, datetime]]:
        found = [
            (d, at) for d in self.deals if (at := d.first(kind)) is not None and self.start <= at < self.end
        ]
        return [(d, at) for d, at in found if self.mine(d, d.label("partner", at, or_first=True))]

    def within(self, days: int) -> float | None:
        old = [(d, at) for d, at in self.started("created") if at + days * DAY <= NOW]
        won = sum((w := d.first("won")) is not None and w < at + days * DAY for d, at in old)
        return won / len(old) if old else None

    def median(self, start: str, end: str, *left: str, business: bool = False) -> Fraction | None:
        cohort = [(d.account, at, d.first(end), d.first(*left)) for d, at in self.started(start)]
        return self.clock.quantile(cohort, Fraction(1, 2), business=business).value

    def again(self) -> float | None:
        """Accounts of which a deal was won here and another one before it."""
        order = sorted(
            (at, d.account, d.events[0].data["deal"], d) for d in self.deals if (at := d.first("won"))
        )
        seen: set[str] = set()
        here: dict[str, bool] = {}
        for at, account, _, deal in order:
            if self.start <= at < self.end and self.mine(deal, deal.label("partner", at)):
                here[account] = here.get(account, False) or account in seen
            seen.add(account)
        return sum(here.values()) / len(here) if here else None

    def values(self) -> dict[str, Any]:
        wins = [(won, d) for d in self.entered("won") if (won := d.won())]
        sizes = [amount for (_, amount, _), _ in wins if amount is not None]
        total = sum(sizes, Decimal(0))
        partners = sum((a for (_, a, partner), _ in wins if partner and a is not None), Decimal(0))
        closed = [
            d
            for d in self.deals
            if (at := d.closed_at) and self.start <= at < self.end and self.mine(d, d.label("partner", at))
        ]
        close, response = (
            self.median("created", "won", "lost"),
            self.median("registered", "responded", "won", "lost", business=True),
        )
        for name, kind in (("deals_created", "created"), ("deals_won", "won")):
            self.behind[name] = len(self.entered(kind)), len({d.account for d in self.entered(kind)})
        self.behind["time_to_close"] = (
            len(self.started("created")),
            len({d.account for d, _ in self.started("created")}),
        )
        self.behind["pipeline"] = len(self.open(*SEEN)), len({d.account for d in self.open(*SEEN)})
        found = {
            "time_to_close": None if close is None else float(close / 86_400_000_000),
            "deal_response_time": None if response is None else float(response / 3_600_000_000),
            "repeat_customer_ratio": self.again(),
            "pipeline": sum((d.worth(self.end) for d in self.open(*SEEN)), Decimal(0)),
            "pipeline_qualified": sum((d.worth(self.end) for d in self.open("qualified")), Decimal(0)),
            "qualified_deals_open": len(self.open("qualified")),
            "deals_created": len(self.entered("created")),
            "deals_won": len(wins),
            "deals_registered": len(self.entered("registered")),
            "won_amount": total,
            "deal_size": money(Fraction(total) / len(sizes)) if sizes else None,
            "win_rate": sum(d.first("won") == d.closed_at for d in closed) / len(closed) if closed else None,
            "win_rate_cohort": self.within(90),
            "lead_to_customer_rate": self.within(180),
            "partner_sourced_revenue": partners,
            "partner_share": float(Fraction(partners) / Fraction(total)) if total else None,
        }
        if self.by is None:
            speed = velocity(self.deals, self.end, self.clock.calendar.zone)
            found["deal_velocity"] = None if speed.value is None else money(speed.value)
            found["won_deal_size_90d"] = None if speed.size is None else money(speed.size)
            found["win_rate_matured_90d"] = None if speed.rate is None else float(speed.rate)
            found["won_cycle_90d"] = None if speed.cycle is None else float(speed.cycle)
        return found


def money(exact: Fraction) -> Decimal:
    return Decimal(exact.numerator) / Decimal(exact.denominator)


def test_a_deal_counts_with_its_own_partner_whoever_the_accounts_partner_is(stage: Stage) -> None:
    stage.write(
        [
            Ev("account.created", NOW - 90 * DAY, "a", "acme", None, {"traits": {"partner": "house"}}),
            deal("won", NOW - 10 * DAY, "d1", amount="100", currency="EUR", partner="p1", campaign="spring"),
            deal("won", NOW - 9 * DAY, "d2", amount="50", currency="EUR", campaign="spring"),
        ]
    )
    by_partner = Query(("won_amount",), date(2026, 1, 1), date(2026, 7, 1), "total", group_by=("partner",))
    rows = query(stage.conn, stage.tenant_id, stage.catalogue, by_partner, NOW).figures
    assert {row.group["partner"]: row.value for row in rows} == {"p1": 100, None: 50}
    only = Query(("deals_won",), date(2026, 1, 1), date(2026, 7, 1), "total", filter={"partner": ("p1",)})
    (found,) = query(stage.conn, stage.tenant_id, stage.catalogue, only, NOW).figures
    assert (found.value, found.accounts) == (1, 1)
