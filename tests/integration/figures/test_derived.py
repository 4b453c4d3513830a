"""Metrics that a company derives from others in CEL: at every grain and in every slice what plain fractions make of the figures of those."""

import random
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.figures.companies import DAY, EUR, NOW, companies
from tests.integration.figures.conftest import Known, Stages
from tests.integration.kpi_engine.figures_stage import Ev, Stage, split
from tests.unit.catalogue.broken import derived, metric

from common.catalogue import Catalogue, load
from common.catalogue.loading import examine
from common.figures import Figure, Query, query

BASE = Path(__file__).parents[3] / "catalogue"
Values = dict[str, Fraction]
NET, LOST, TWICE, LEFT = "own_net", "own_lost", "own_twice", "own_left"
OWN = {
    NET: derived(
        "mrr_new + mrr_reactivation + mrr_expansion - mrr_contraction - mrr_churned",
        "money", name=NET, rollup="cohort_recompute",
    ),
    LOST: derived("(mrr_contraction + mrr_churned) / (mrr + mrr_churned)", name=LOST),
    TWICE: derived("2 * own_net * settings.gross_margin / paying_accounts - 0.5 * cost_to_serve", "money", name=TWICE),
    LEFT: derived("events - portal_logins", "events", name=LEFT, rollup="sum"),
}  # fmt: skip
MARGIN = Fraction(4, 5)
PARTS = (
    "mrr_new", "mrr_reactivation", "mrr_expansion", "mrr_contraction", "mrr_churned", "mrr", "paying_accounts", "service_spend", "cost_to_serve",
    "events", "portal_logins",
)  # fmt: skip


def net(its: Values) -> Fraction:
    gained = its["mrr_new"] + its["mrr_reactivation"] + its["mrr_expansion"]
    return gained - its["mrr_contraction"] - its["mrr_churned"]


def twice(its: Values) -> Fraction:
    """Spend that is spread over days is shown rounded at its 28th digit. Unknown in slices of accounts, since spend is the company's."""
    cost = its["service_spend"] / its["paying_accounts"]
    assert abs(its["cost_to_serve"] - cost) < Fraction(1, 10**20)
    return 2 * net(its) * MARGIN / its["paying_accounts"] - cost / 2


PLAIN: dict[str, Callable[[Values], Fraction]] = {
    NET: net,
    LOST: lambda its: (its["mrr_contraction"] + its["mrr_churned"]) / (its["mrr"] + its["mrr_churned"]),
    TWICE: twice,
    LEFT: lambda its: its["events"] - its["portal_logins"],
}


@pytest.fixture(scope="module")
def company_of_ours(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    overlay = tmp_path_factory.mktemp("overlay")
    (overlay / "metrics").mkdir()
    for name, text in OWN.items():
        (overlay / "metrics" / f"{name}.yaml").write_text(text.replace(">>>", ""), encoding="utf-8")
    assert not examine(BASE, [overlay]).errors
    return load(BASE, [overlay])


@pytest.fixture
def stage(stages: Stages, company_of_ours: Catalogue) -> Stage:
    return stages(company_of_ours, NOW)


def ask(stage: Stage, *metrics: str, **parts: Any) -> list[Figure]:
    made = Query(metrics, **{"start": date(2026, 1, 1), "end": date(2026, 7, 1), "limit": 10_000, **parts})
    return list(query(stage.conn, stage.tenant_id, stage.catalogue, made, NOW).figures)


def cells(figures: list[Figure]) -> dict[tuple[Any, ...], dict[str, Figure]]:
    found: dict[tuple[Any, ...], dict[str, Figure]] = {}
    for figure in figures:
        found.setdefault((*figure.group.values(), figure.bucket), {})[figure.metric] = figure
    return found


@given(
    happened=companies(),
    seed=st.integers(0, 2**32),
    by=st.sampled_from([(), ("segment",), ("account",), ("owner", "segment"), ("segment:customers",)]),
    grain=st.sampled_from(["day", "week", "month", "quarter", "year", "total"]),
    slice_at=st.sampled_from(["start", "end"]),
)
@settings(max_examples=25, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
def test_every_grain_and_slice_is_what_plain_fractions_make_of_the_inputs(
    stage: Stage, known: Known, happened: list[Ev], seed: int, by: tuple[str, ...], grain: str, slice_at: str
) -> None:  # fmt: skip
    random.Random(seed).shuffle(happened)
    stage.reset()
    for batch in split(happened, []):
        assert not stage.write(batch).rejected
    parts: dict[str, Any] = {"grain": grain, "group_by": by, "slice_at": slice_at}
    if grain == "day":
        parts["start"] = date(2026, 5, 25)
    made, inputs = cells(ask(stage, *OWN, **parts)), cells(ask(stage, *PARTS, **parts))
    assert made.keys() == inputs.keys()
    for place, figures in made.items():
        its = {name: Fraction(figure.value) for name, figure in inputs[place].items() if figure.value is not None}  # fmt: skip
        for name, figure in figures.items():
            known(figure)
            check(figure, its, PLAIN[name])


def check(figure: Figure, its: Values, work: Callable[[Values], Fraction]) -> None:
    try:
        expected = work(its)
    except (KeyError, ZeroDivisionError):
        assert figure.value is None, figure
        return
    assert figure.value is not None, figure
    if figure.unit == "money":
        assert isinstance(figure.value, Decimal)
        assert figure.currency == "EUR"
        off = abs(Fraction(figure.value) - expected)
        assert off < Fraction(1, 10**20) if figure.metric == TWICE else not off
    else:
        assert figure.value == float(expected)
    if figure.metric == LOST:
        top, below = its["mrr_contraction"] + its["mrr_churned"], its["mrr"] + its["mrr_churned"]
        assert (figure.numerator, figure.denominator) == (float(top), float(below))
    else:
        assert (figure.numerator, figure.denominator) == (None, None)


@pytest.fixture
def told(stage: Stage) -> Stage:
    """Bolt came and left within June, acme stayed, and core only logged in."""
    june = NOW - 10 * DAY
    events = [
        Ev("subscription.started", june, "a", "acme", data={"subscription": "a", "mrr": "80", **EUR}),
        Ev("subscription.changed", june + 2 * DAY, "a2", "acme", data={"subscription": "a", "mrr": "60", **EUR}),
        Ev("user.logged_in", june, "c", "core", "ann"),
        Ev("user.logged_in", june + DAY, "d", "acme", "bob"),
        *(
            Ev("account.created", june - DAY, f"new-{who}", who, data={"traits": {"segment": "smb"}})
            for who in ("acme", "bolt", "core")
        ),
    ]  # fmt: skip
    assert not stage.write(events).rejected
    return stage


def test_a_year_is_made_of_the_years_inputs_and_not_of_its_months(told: Stage) -> None:
    """Acme comes with 80 in one week and falls to 60 in the next: in the month it came with 60."""
    weeks = {figure.bucket: figure.value for figure in ask(told, NET, grain="week", start=date(2026, 6, 1), end=date(2026, 6, 15))}  # fmt: skip
    assert sorted(value for value in weeks.values() if value is not None) == [Decimal(0), Decimal(60)]
    (year,) = ask(told, NET, grain="year")
    assert (year.value, year.n, year.accounts) == (Decimal(60), None, None)


def test_what_inputs_share_is_told_of_it(told: Stage, company_of_ours: Catalogue) -> None:
    (figure,) = ask(told, NET, grain="month", start=date(2026, 6, 1))
    assert figure.version == 1
    assert not figure.complete
    (share,) = ask(told, LOST, grain="month", start=date(2026, 6, 1))
    assert (share.numerator, share.denominator) == (0, 60)
    assert company_of_ours.metrics[NET].proxy_of is None


def test_it_is_complete_when_all_that_it_is_made_of_is(told: Stage) -> None:
    """Its own definition says 24 hours, and revenue settles after 45 days."""
    told.conn.execute(
        "insert into engine.progress (topic, partition, partitions, applied_at) values ('t', 0, 1, %s)",
        (NOW,),
    )
    figures = cells(ask(told, LOST, LEFT, "mrr", "events", grain="month"))
    complete = [
        tuple(its[name].complete for name in (LOST, "mrr", LEFT, "events")) for its in figures.values()
    ]
    assert complete == [(True,) * 4] * 4 + [(False, False, True, True)] + [(False,) * 4]


def test_all_accounts_of_its_inputs_are_behind_it(told: Stage) -> None:
    """Of core there are as many events as log-ins: what it comes to is 0, and yet it counts."""
    figures = ask(told, LEFT, grain="total", group_by=("account",), contributing=True, start=date(2026, 6, 5))
    assert {figure.group["account"]: figure.value for figure in figures} == {"acme": 2, "core": 0}


def test_what_is_counted_is_compared_by_paying_account(told: Stage) -> None:
    """Nobody paid before June, so the comparison doesn't lead; a sum of sums is divided by accounts, a share isn't."""
    made = Query((NET, LEFT, LOST), date(2026, 6, 1), date(2026, 7, 1), "month", compare="previous_period")
    answer = query(told.conn, told.tenant_id, told.catalogue, made, NOW)
    assert answer.leading is not None
    assert answer.leading.instead == {NET: "per_account", LEFT: "per_account", LOST: None}
    by_name = {figure.metric: figure for figure in answer.figures}
    assert by_name[NET].per_account == Decimal(60)


def test_only_narrows_all_that_it_is_made_of(stages: Stages, company_of_ours: Catalogue, tmp_path: Path) -> None:  # fmt: skip
    (tmp_path / "metrics").mkdir()
    text = derived("events - portal_logins", "events", name="own_smb", rollup="sum", only="{segment: [smb]}")
    (tmp_path / "metrics" / "own.yaml").write_text(text.replace(">>>", ""), encoding="utf-8")
    stage = stages(load(BASE, [tmp_path]), NOW)
    at = NOW - 2 * DAY
    stage.write([
        Ev("account.created", at - DAY, "n", "acme", data={"traits": {"segment": "smb"}}),
        Ev("user.logged_in", at, "l", "acme", "ann"),
        Ev("feature.used", at, "f", "acme", "ann", {"feature": "x"}),
        Ev("feature.used", at, "g", "bolt", "ann", {"feature": "x"}),
    ])  # fmt: skip
    (figure,) = ask(stage, "own_smb", grain="total", start=at.date())
    assert figure.value == 1


def test_without_a_margin_it_is_unknown_and_says_so(told: Stage) -> None:
    bare = told.catalogue.settings.model_copy(update={"gross_margin": None})
    catalogue = told.catalogue.model_copy(update={"settings": bare})
    made = Query((TWICE, "partner_roi"), date(2026, 6, 1), date(2026, 7, 1), "total")
    for figure in query(told.conn, told.tenant_id, catalogue, made, datetime(2026, 6, 30, tzinfo=UTC)).figures:  # fmt: skip
        assert (figure.value, figure.reason) == (None, "the settings name no gross_margin")


def test_a_metric_that_stands_in_for_another_says_so(stages: Stages, tmp_path: Path) -> None:
    (tmp_path / "metrics").mkdir()
    text = derived("events / paying_accounts", "events", name="own", feasibility="proxy_of stickiness")
    (tmp_path / "metrics" / "own.yaml").write_text(text.replace(">>>", ""), encoding="utf-8")
    plain = metric(name="plain")
    (tmp_path / "metrics" / "plain.yaml").write_text(plain, encoding="utf-8")
    stage = stages(load(BASE, [tmp_path]), NOW)
    (figure,) = ask(stage, "own", grain="total")
    assert (figure.value, figure.numerator, figure.denominator) == (None, 0, 0)
    assert figure.proxy_of == "stickiness"
