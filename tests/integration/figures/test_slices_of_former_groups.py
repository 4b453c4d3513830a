"""Rows for groups that nobody is in any more, or is in only later: cohorts of a year ago, what was told late, what is compared with."""

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.figures.companies import DAY, EUR, NOW, companies
from tests.integration.figures.conftest import Stages
from tests.integration.kpi_engine.figures_stage import Ev, Stage

from common.catalogue import Catalogue
from common.figures import Figure, Query, query

# Moves between slices count in the slices only, and a mean by day divides by the same days in each.
NO_SUM = ("mrr_transfer_in", "mrr_transfer_out", "net_new_mrr", "portal_logins_per_day")
AT = datetime(2026, 6, 10, 10, tzinfo=UTC)
_JUDGED = """
insert into engine.account_state (account_id, tenant_id, traits, figures, mrr, first_event_at, computed_at, as_of, due_at)
select id, tenant_id, '{}', '{}', 80, %(at)s, %(at)s, %(at)s, %(at)s from engine.account where tenant_id = %(tenant)s"""


@pytest.fixture
def stage(stages: Stages, base_pack: Catalogue) -> Stage:
    return stages(base_pack, NOW)


def ask(stage: Stage, *metrics: str, **parts: Any) -> list[Figure]:
    made = Query(metrics, **{"grain": "total", "limit": 10_000, **parts})
    return list(query(stage.conn, stage.tenant_id, stage.catalogue, made, NOW).figures)


@given(
    happened=companies(),
    seed=st.integers(0, 2**32),
    by=st.sampled_from([("segment",), ("owner",), ("account",), ("segment:customers",)]),
    start=st.sampled_from([date(2025, 6, 3), date(2026, 2, 1), date(2026, 6, 14)]),
    days=st.sampled_from([1, 30]),
    compare=st.sampled_from([None, "previous_period", "previous_year"]),
)
@settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_case_is_in_no_row(
    stage: Stage, happened: list[Ev], seed: int, by: tuple[str, ...], start: date, days: int, compare: str | None
) -> None:  # fmt: skip
    random.Random(seed).shuffle(happened)
    stage.reset()
    assert not stage.write(happened).rejected
    metrics = [
        name
        for name, metric in stage.catalogue.metrics.items()
        if metric.formula.type != "derived" and name not in NO_SUM
    ]
    parts = {"start": start, "end": start + timedelta(days=days), "compare": compare}
    cases: dict[str, int] = defaultdict(int)
    then: dict[str, Fraction] = defaultdict(Fraction)
    for figure in ask(stage, *metrics, group_by=by, **parts):
        cases[figure.metric] += figure.n or 0
        then[figure.metric] += Fraction(figure.compare_value or 0)
    for whole in ask(stage, *metrics, **parts):
        assert cases[whole.metric] == (whole.n or 0), whole
        if stage.catalogue.metrics[whole.metric].rollup == "sum":
            assert float(then[whole.metric]) == pytest.approx(float(whole.compare_value or 0)), whole


def told(stage: Stage, *events: Ev) -> None:
    assert not stage.write(list(events)).rejected


def started(at: datetime, mrr: str, **more: str) -> Ev:
    return Ev(
        "subscription.started", at, "paid", "acme", data={"subscription": "s", "mrr": mrr, **EUR, **more}
    )


def owned(at: datetime, owner: str) -> Ev:
    return Ev("account.updated", at, f"by-{owner}", "acme", data={"traits": {"owner": owner}})


def test_a_cohort_stays_with_whoever_had_it_a_year_ago(stage: Stage) -> None:
    told(stage, owned(NOW - 500 * DAY, "kim"), started(NOW - 500 * DAY, "80"), owned(NOW - 100 * DAY, "lee"))
    found = ask(stage, "grr_12m", group_by=("owner",), start=date(2026, 6, 1), end=date(2026, 6, 10))
    assert [(f.group["owner"], f.denominator) for f in found] == [("kim", 80), ("lee", 0)]


def test_what_was_paid_before_an_account_was_heard_of_is_in_the_list_behind_it(stage: Stage) -> None:
    told(stage, owned(AT, "kim"), started(AT, "80", effective_at="2026-05-01T00:00:00Z"))
    stage.conn.execute(_JUDGED, {"tenant": stage.tenant_id, "at": AT})
    parts: dict[str, Any] = {"start": date(2026, 5, 5), "end": date(2026, 5, 20), "contributing": True}
    assert [(f.group, f.value) for f in ask(stage, "mrr", group_by=("account",), **parts)] == [
        ({"account": "acme"}, 80)
    ]
    assert [(f.group, f.value) for f in ask(stage, "mrr", group_by=("owner",), **parts)] == [
        ({"owner": None}, 80)
    ]


def test_a_state_within_a_day_has_the_groups_of_that_instant(stage: Stage) -> None:
    told(stage, owned(AT, "kim"), started(AT, "80"))
    parts: dict[str, Any] = {"start": AT + timedelta(hours=1), "end": AT + timedelta(hours=8)}
    found = ask(stage, "mrr", group_by=("owner",), **parts)
    assert [(f.group["owner"], f.value) for f in found] == [("kim", 80), (None, 0)]


def test_a_group_that_is_left_shows_what_it_is_compared_with(stage: Stage) -> None:
    login = Ev("user.logged_in", NOW - 60 * DAY, "login", "acme", "ann")
    told(stage, owned(NOW - 90 * DAY, "kim"), login, owned(NOW - 50 * DAY, "lee"))
    parts: dict[str, Any] = {"start": date(2026, 5, 1), "end": date(2026, 6, 1), "compare": "previous_period"}
    found = ask(stage, "events", group_by=("owner",), **parts)
    assert [(f.group["owner"], f.value, f.compare_value) for f in found] == [("kim", 0, 2), ("lee", 0, 0)]
