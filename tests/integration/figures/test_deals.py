"""Deals through the engine: worked examples, and every figure against plain code over the raw events."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.figures.stories import as_events
from tests.integration.kpi_engine.figures_stage import Ev, Stage, split
from tests.reference.deals import Deal, deals_of, velocity
from tests.reference.events import Event

from common.catalogue import load
from common.clock import FixedClock
from common.figures import Figure, Query, query

DAY = timedelta(days=1)
NOW = datetime(2026, 7, 1, tzinfo=UTC)
KINDS = ("created", "created", "qualified", "registered", "responded", "stage_changed", "won", "won", "lost")
SEEN = ("created", "qualified", "registered", "responded", "stage_changed")


@pytest.fixture
def stage(postgres_url: str) -> Iterator[Stage]:
    made = Stage(postgres_url, load(Path(__file__).parents[3] / "catalogue"), FixedClock(NOW))
    yield made
    made.close()


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


def test_what_is_no_currency_is_refused(stage: Stage) -> None:
    result = stage.write(
        [deal("won", NOW - DAY, "d", amount="5", currency="euro"), deal("won", NOW - DAY, "e", currency="x")]
    )
    assert [(index, code) for index, code, _ in result.rejected] == [(0, "currency-unknown")]


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


METRICS = (
    "pipeline", "pipeline_qualified", "qualified_deals_open", "deals_created", "deals_won", "deals_registered",
    "won_amount", "deal_size", "win_rate", "win_rate_cohort", "lead_to_customer_rate", "deal_velocity",
    "partner_sourced_revenue", "partner_share",
)  # fmt: skip


@given(
    drawn=st.lists(drawn_deals(), min_size=10, max_size=40),
    seed=st.integers(0, 2**32),
    cuts=st.lists(st.integers(0, 100), max_size=4),
    span=st.sampled_from([(date(2026, 1, 1), date(2026, 7, 1)), (date(2026, 4, 2), date(2026, 6, 2))]),
)
@settings(
    max_examples=50,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_figure_of_deals_equals_the_reference(
    stage: Stage, drawn: list[Any], seed: int, cuts: list[int], span: tuple[date, date]
) -> None:
    happened = [
        Ev(kind, at, f"e{n:03d}", who, None, data, source)
        for n, (kind, at, who, source, data) in enumerate(drawn)
    ]
    arriving = list(happened)
    random.Random(seed).shuffle(arriving)
    stage.reset()
    for batch in split(arriving, cuts):
        if batch:
            stage.write(batch)
    start, end = (datetime.combine(day, datetime.min.time(), tzinfo=UTC) for day in span)
    found = _asked_anew(stage, span)
    events: list[Event] = as_events(happened)
    expected = _expected(deals_of(events, NOW), start, end)
    assert {name: figure.value for name, figure in found.items()} == expected


def _asked_anew(stage: Stage, span: tuple[date, date]) -> dict[str, Figure]:
    made = Query(METRICS, span[0], span[1], "total")
    return {f.metric: f for f in query(stage.conn, stage.tenant_id, stage.catalogue, made, NOW).figures}


def _expected(deals: list[Deal], start: datetime, end: datetime) -> dict[str, Any]:
    def entered(kind: str) -> list[Deal]:
        return [d for d in deals if (at := d.first(kind)) is not None and start <= at < end]

    def within(days: int) -> float | None:
        old = [d for d in entered("created") if d.first("created") + days * DAY <= NOW]  # type: ignore[operator]
        won = sum((w := d.first("won")) is not None and w < d.first("created") + days * DAY for d in old)  # type: ignore[operator]
        return won / len(old) if old else None

    wins = [won for d in deals if (won := d.won()) and start <= won[0] < end]
    sizes = [amount for _, amount, _ in wins if amount is not None]
    total = sum(sizes, Decimal(0))
    partners = sum((amount for _, amount, partner in wins if partner and amount is not None), Decimal(0))
    closed = [d for d in deals if d.closed_at and start <= d.closed_at < end]
    speed = velocity(deals, end)
    return {
        "pipeline": sum((d.worth(end) for d in deals if d.is_open(end, *SEEN)), Decimal(0)),
        "pipeline_qualified": sum((d.worth(end) for d in deals if d.is_open(end, "qualified")), Decimal(0)),
        "qualified_deals_open": sum(d.is_open(end, "qualified") for d in deals),
        "deals_created": len(entered("created")),
        "deals_won": len(entered("won")),
        "deals_registered": len(entered("registered")),
        "won_amount": total,
        "deal_size": money(Fraction(total) / len(sizes)) if sizes else None,
        "win_rate": sum(d.first("won") == d.closed_at for d in closed) / len(closed) if closed else None,
        "win_rate_cohort": within(90),
        "lead_to_customer_rate": within(180),
        "deal_velocity": None if speed is None else money(speed),
        "partner_sourced_revenue": partners,
        "partner_share": float(Fraction(partners) / Fraction(total)) if total else None,
    }


def money(exact: Fraction) -> Decimal:
    return Decimal(exact.numerator) / Decimal(exact.denominator)
