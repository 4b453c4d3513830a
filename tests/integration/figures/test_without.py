"""A figure without some events is the one of a history in which they never came."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.figures import stories
from tests.integration.figures.companies import NOW, companies
from tests.integration.figures.conftest import Stages
from tests.integration.figures.test_deals import pipelines
from tests.integration.figures.test_revenue_histories import ev, lives
from tests.integration.kpi_engine.figures_stage import Ev, Stage, split

from common.analysis.reading import forgets
from common.catalogue import Catalogue
from common.figures import Figure, Query, query
from common.figures.without import InseparableError, Without, without

# Sums of cells, and what is made of them or of what nobody tells in events.
INSEPARABLE = {
    "active_accounts_1d", "active_accounts_28d", "active_accounts_7d", "active_users_1d", "active_users_28d",
    "active_users_7d", "activity_churn", "adopted_accounts", "adoption_rate", "complaints",
    "complaints_per_100_accounts", "employee_nps", "events", "failed_invoices", "feature_breadth", "login_trend",
    "login_trend_vs_segment", "market_share", "nps", "nps_accounts", "partner_logins", "portal_logins",
    "portal_logins_per_day", "renewal_mrr_at_risk", "results_per_fte", "reviews_held", "risk_resolution_rate",
    "seats_used", "stickiness", "value_active_accounts",
}  # fmt: skip
MOSTLY = 50
# Whether some answers belong to no account, which would be a group, is asked of cells.
BY_GROUP = {"nps_change", "nps_wave"}


@pytest.fixture
def stage(stages: Stages, base_pack: Catalogue) -> Stage:
    return stages(base_pack, NOW)


@pytest.fixture
def told() -> Iterator[Counter[str]]:
    """How often each metric was another figure without the events; fails where most never were."""
    found = Counter[str]()
    yield found
    assert sum(times > 0 for times in found.values()) >= MOSTLY


def ask(stage: Stage, metric: str, left_out: Without | None = None, **parts: Any) -> Sequence[Figure]:
    asked = Query((metric,), start=date(2026, 1, 1), end=date(2026, 7, 1), limit=10_000, **parts)
    return query(stage.conn, stage.tenant_id, stage.catalogue, asked, NOW, left_out).figures


@st.composite
def deals(draw: st.DrawFn) -> list[Ev]:
    return [
        Ev(kind, at, f"d{n}", account, None, data, source)
        for n, (kind, at, account, source, data) in enumerate(draw(pipelines()))
    ]


def paid(seed: int) -> list[Ev]:
    return [ev(body) for body in lives(seed)]


@given(
    happened=companies() | stories.lives().map(stories.told) | deals() | st.integers(0, 2**32).map(paid),
    seed=st.integers(0, 2**32),
    share=st.sampled_from([0.1, 0.5]),
    cuts=st.lists(st.integers(0, 100), max_size=2),
    parts=st.sampled_from([{"grain": "total"}, {"grain": "month", "group_by": ("segment",)}]),
)
@settings(
    max_examples=24,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_metric_made_of_facts(
    stage: Stage, told: Counter[str], happened: list[Ev], seed: int, share: float, cuts: list[int], parts: dict[str, Any]
) -> None:  # fmt: skip
    rng = random.Random(seed)
    rng.shuffle(happened)
    late = [event for event in happened if rng.random() < share]
    in_time = [event for event in happened if event not in late]
    stage.reset()
    for batch in filter(None, split(in_time, cuts)):
        stage.write(batch)
    known = {name: ask(stage, name, **parts) for name in stage.catalogue.metrics}
    for batch in filter(None, split(late, cuts)):
        stage.write(batch)
    said = [(stage.account(event.account), event.source, event.id) for event in late]
    first = dict.fromkeys(begun(stage, late)) | begun(stage, in_time)
    left_out = without(stage.conn, stage.tenant_id, said, NOW, begun=first)
    types = {event.type for event in late}
    refused, wrong = set(), {}
    for name, metric in stage.catalogue.metrics.items():
        try:
            found = by_place(ask(stage, name, left_out, **parts))
        except InseparableError:
            refused.add(name)
            continue
        if forgets(metric, stage.catalogue, types):
            continue
        if found != by_place(known[name]):
            wrong[name] = found, by_place(known[name])
        told[name] += found != by_place(ask(stage, name, **parts))
    assert wrong == {}
    assert refused <= INSEPARABLE | BY_GROUP


def begun(stage: Stage, events: Sequence[Ev]) -> dict[int, datetime | None]:
    """When each account is first heard of by these events."""
    found: dict[int, datetime | None] = {}
    for event in sorted(
        filter(lambda event: event.account, events), key=lambda event: event.at, reverse=True
    ):
        found[stage.account(event.account)] = event.at
    return found


def by_place(figures: Sequence[Figure]) -> dict[Any, Any]:
    """By group and bucket, of figures that say anything: groups that only late events brought are empty."""
    return {
        (tuple(its.group.values()), its.bucket): (
            its.value,
            its.numerator,
            its.denominator,
            its.n,
            its.reason,
        )
        for its in figures
        if its.n or its.numerator or (its.value and its.denominator is None)
    }
