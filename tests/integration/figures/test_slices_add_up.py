"""Slices add up to the whole, what belongs to no account among them; what only the company tells is unknown by trait, not 0."""

import json
import random
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.figures.companies import DAY, EUR, NOW, companies
from tests.integration.figures.conftest import Stages
from tests.integration.kpi_engine.figures_stage import Ev, Stage, split

from common.catalogue import Catalogue
from common.catalogue.segments import Segment
from common.errors import Rejected
from common.figures import Figure, Query, query
from common.figures.model import GroupValue

MOVES = ("mrr_new", "mrr_expansion", "mrr_contraction", "mrr_churned", "net_new_mrr", "new_accounts")
COMPANYS = {
    "acquisition_spend": "spend", "acquisition_spend_prior": "spend", "service_spend": "spend", "partner_spend": "spend",
    "programme_spend": "spend", "fte": "headcount", "market_share": "market_share", "employee_nps": "employee_nps",
}  # fmt: skip
MIXED = {
    "cac": "spend", "cac_payback_months": "spend", "cost_to_serve": "spend", "ltv_to_cac": "spend", "partner_roi": "spend",
    "programme_roi": "spend", "results_per_fte": "headcount",
}  # fmt: skip


@pytest.fixture
def stage(stages: Stages, base_pack: Catalogue) -> Stage:
    return stages(base_pack, NOW)


def ask(stage: Stage, *metrics: str, **parts: Any) -> list[Figure]:
    made = Query(
        metrics,
        **{"start": date(2026, 1, 1), "end": date(2026, 7, 1), "grain": "total", "limit": 10_000, **parts},
    )
    return list(query(stage.conn, stage.tenant_id, stage.catalogue, made, NOW).figures)


def by_group(figures: list[Figure]) -> dict[Any, Any]:
    return {next(iter(figure.group.values())): figure.value for figure in figures}


@given(
    happened=companies(),
    seed=st.integers(0, 2**32),
    cuts=st.lists(st.integers(0, 100), max_size=2),
    by=st.sampled_from(
        [("segment",), ("account",), ("top_parent",), ("owner", "segment"), ("segment:customers",)]
    ),
    grain=st.sampled_from(["month", "week", "total"]),
    slice_at=st.sampled_from(["start", "end"]),
)
@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_slices_of_everything_that_is_summed_add_up_to_the_whole(
    stage: Stage, happened: list[Ev], seed: int, cuts: list[int], by: tuple[str, ...], grain: str, slice_at: str
) -> None:  # fmt: skip
    random.Random(seed).shuffle(happened)
    stage.reset()
    for batch in split(happened, cuts):
        if batch:
            assert not stage.write(batch).rejected
    summed = [name for name, metric in stage.catalogue.metrics.items() if metric.rollup in ("sum", "last")]
    parts: dict[str, Any] = {"start": date(2026, 4, 1), "grain": grain, "slice_at": slice_at}
    slices: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    for figure in ask(stage, *summed, *MOVES, group_by=by, **parts):
        slices[figure.metric, figure.bucket] += Fraction(figure.value or 0)
        no_account = all(value is None for value in figure.group.values())
        if figure.metric in COMPANYS and not no_account:
            assert (figure.value, figure.reason) == (None, not_told(COMPANYS[figure.metric], *by))
        if figure.metric == "events" and by == ("account",) and no_account:
            assert (figure.value, figure.accounts) == (of_nobody(happened, figure), 0)
    for whole in ask(stage, *summed, *MOVES, **parts):
        assert float(slices[whole.metric, whole.bucket]) == pytest.approx(float(whole.value or 0)), whole


ODD = [True, False, 1, 0, "1", "0", "true", "", None, 1.5]


@given(levels=st.lists(st.tuples(st.sampled_from(ODD), st.sampled_from(ODD)), min_size=1, max_size=12))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_true_and_what_is_1_are_groups_of_their_own(
    stage: Stage, levels: list[tuple[GroupValue, GroupValue]]
) -> None:
    stage.reset()
    told = [
        Ev("account.updated", at, f"{at:%m}{n}", f"a{n}", data={"traits": {"level": level}})
        for n, pair in enumerate(levels)
        for at, level in zip((NOW - 90 * DAY, NOW - 20 * DAY), pair, strict=True)
    ]
    used = [Ev("user.logged_in", NOW - 2 * DAY, f"u{n}", f"a{n}", "ada") for n in range(len(levels))]
    assert not stage.write([*told, *used]).rejected
    since: dict[str, Any] = {"start": NOW.date() - 9 * DAY, "end": NOW.date() + DAY}
    for metric in ("portal_logins", "active_users_28d"):
        groups = {
            repr(f.group["level"]): f.value
            for f in ask(stage, metric, group_by=("level",), **since)
            if f.value
        }
        assert groups == Counter(repr(now) for _, now in levels)
        for _, now in levels:
            narrowed = ask(stage, metric, filter={"level": (now,)}, **since)
            assert [f.value for f in narrowed] == [groups[repr(now)]]


LISTS: list[Any] = [["a", "b"], ["b"], [], ["a"], {"a": 1}, "a", None, 5]


@given(tags=st.lists(st.sampled_from(LISTS), min_size=1, max_size=8))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_segments_look_into_lists_and_groups_are_named_by_their_text(
    stages: Stages, base_pack: Catalogue, tags: list[Any]
) -> None:
    tagged = Segment(name="tagged", label="Tagged", where="'a' in traits.tags")
    exact = Segment(name="exact", label="Exact", filter={"tags": ('["a", "b"]', 5)})
    stage = stages(base_pack.model_copy(update={"segments": {"tagged": tagged, "exact": exact}}), NOW)
    stage.reset()
    told = [
        Ev("account.updated", NOW - 20 * DAY, f"t{n}", f"a{n}", data={"traits": {"tags": value}})
        for n, value in enumerate(tags)
    ]
    used = [Ev("user.logged_in", NOW - 2 * DAY, f"u{n}", f"a{n}", "ada") for n in range(len(tags))]
    assert not stage.write([*told, *used]).rejected
    since: dict[str, Any] = {"start": NOW.date() - 9 * DAY, "end": NOW.date() + DAY}

    def count(**parts: Any) -> dict[Any, Any]:
        return {group: n for group, n in by_group(ask(stage, "portal_logins", **since, **parts)).items() if n}

    inside = Counter(isinstance(value, list | dict) and "a" in value for value in tags)
    assert count(group_by=("segment:tagged",)) == inside
    assert count(group_by=("segment:exact",)) == Counter(value in (["a", "b"], 5) for value in tags)
    named = Counter(json.dumps(value) if isinstance(value, list | dict) else value for value in tags)
    assert count(group_by=("tags",)) == named
    assert count(group_by=("tags", "segment:tagged")) == named


def of_nobody(happened: list[Ev], figure: Figure) -> int:
    start, end = (datetime.fromisoformat(at).astimezone(UTC) for at in (figure.start, figure.end))
    return sum(not event.account and start <= event.at < end for event in happened)


def not_told(measure: str, *by: str) -> str:
    return f"{measure} is told of the company as a whole, not by {' and '.join(by)}"


@pytest.fixture
def company(stage: Stage) -> Stage:
    """3,000 to win customers, 120 to serve them, 5.5 people; two new accounts and one without a segment."""
    told = [
        Ev("spend.recorded", NOW - 100 * DAY, "s1", data={"amount": "3000", "purpose": "acquisition", **EUR}),
        Ev("spend.recorded", NOW - 9 * DAY, "s2", data={"amount": "120", "purpose": "service", **EUR}),
        Ev("headcount.recorded", NOW - 9 * DAY, "h", data={"team": "cs", "fte": 5.5}),
        *(
            Ev("account.created", NOW - 20 * DAY, f"c-{who}", who, data={"traits": {"segment": segment}})
            for who, segment in (("acme", "ent"), ("bolt", "smb"), ("core", None))
        ),
        *(
            Ev("subscription.started", NOW - 10 * DAY, f"p-{who}", who, data={"subscription": who, "mrr": "80", **EUR})
            for who in ("acme", "bolt", "core")
        ),
    ]  # fmt: skip
    assert not stage.write(told).rejected
    return stage


def test_a_ratio_of_what_only_the_company_tells_has_no_slice(company: Stage) -> None:
    june: dict[str, Any] = {"start": date(2026, 6, 1)}
    assert [(f.value, f.reason) for f in ask(company, "cost_to_serve", **june)] == [(Decimal(40), None)]
    for parts in (
        {"group_by": ("segment",)},
        {"filter": {"segment": ("ent",)}},
        {"filter": {"segment": (None,)}},
    ):
        for figure in ask(company, *MIXED, **june, **parts):
            assert (figure.value, figure.reason) == (None, not_told(MIXED[figure.metric], "segment")), figure
    for figure in ask(company, "cac", "service_spend", accounts=("acme",), **june):
        assert (figure.value, figure.reason) == (None, not_told("spend", "account"))


def test_the_accounts_behind_a_ratio_of_what_only_the_company_tells_are_listed(company: Stage) -> None:
    june: dict[str, Any] = {"start": date(2026, 6, 1), "contributing": True}
    [whole] = ask(company, "cost_to_serve", **june)
    assert (whole.value, "group_by=account&contributing=true" in whole.behind) == (40, True)
    behind = ask(company, "cost_to_serve", group_by=("account",), **june)
    assert [(f.group["account"], f.value, f.reason) for f in behind] == [
        (who, None, not_told("spend", "account")) for who in ("acme", "bolt", "core", None)
    ]
    assert "account=" not in behind[-1].behind, "the spend itself"
    company.write([Ev("account.created", NOW - 20 * DAY, "idle", "idle")])
    assert len(ask(company, "cost_to_serve", group_by=("account",), **june)) == 4, "it pays nothing"


def test_what_belongs_to_no_account_is_in_the_slice_without_a_value(company: Stage) -> None:
    spend = ask(company, "service_spend", group_by=("segment",))
    assert by_group(spend) == {"ent": None, "smb": None, None: Decimal(120)}
    assert [f.value for f in ask(company, "service_spend", filter={"segment": ("ent",)})] == [None]
    assert [f.value for f in ask(company, "fte", "service_spend", filter={"segment": (None,)})] == [5.5, 120]
    months = ask(company, "service_spend", group_by=("segment",), grain="month")
    assert [f.value for f in months if f.group["segment"] is None] == [0, 0, 0, 0, 0, 120]
    events = ask(company, "events", group_by=("account",))
    assert by_group(events) == {"acme": 2, "bolt": 2, "core": 2, None: 3}
    assert "account=" not in events[-1].behind
    customers = ask(company, "events", group_by=("segment:customers",))
    assert by_group(customers) == {True: 6, None: 3}
    assert [f.value for f in ask(company, "events", filter={"segment:customers": (None,)})] == [3]
    assert by_group(ask(company, "portal_logins", group_by=("account",))) == {"acme": 0, "bolt": 0, "core": 0}


def test_spend_that_names_its_account_is_told_by_account(company: Stage) -> None:
    own = {"amount": "60", "purpose": "service", **EUR}
    company.write([Ev("spend.recorded", NOW - 8 * DAY, "s3", "acme", data=own)])
    figures = ask(company, "service_spend", "cost_to_serve", group_by=("segment",))
    assert by_group(figures[:3]) == {"ent": 60, "smb": 0, None: 120}
    assert by_group(figures[3:]) == {"ent": 60, "smb": 0, None: 120}


def test_a_segment_is_true_false_or_nobodys(company: Stage) -> None:
    with pytest.raises(Rejected, match="true, false or null"):
        ask(company, "events", filter={"segment:customers": ("yes",)})
