"""Hours over years, comparisons that must not lead, slices as of the end, and hierarchies of accounts, through the engine."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.integration.figures.conftest import Stages
from tests.integration.kpi_engine.figures_stage import Ev, Stage
from tests.reference.calendar import Calendar

from common.catalogue import Catalogue, load
from common.catalogue.scorecard import MetricBenchmark
from common.figures import Answer, Figure, Query, query

DAY = timedelta(days=1)
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
MARCH = Query(("mrr",), date(2026, 3, 1), date(2026, 4, 1), "total")


@pytest.fixture(scope="module")
def pack() -> Catalogue:
    found = load(Path(__file__).parents[3] / "catalogue")
    return found.model_copy(
        update={"settings": found.settings.model_copy(update={"timezone": "Asia/Kathmandu"})}
    )


@pytest.fixture
def stage(stages: Stages, pack: Catalogue) -> Stage:
    return stages(pack, NOW)


def ask(stage: Stage, asked: Query) -> Answer:
    return query(stage.conn, stage.tenant_id, stage.catalogue, asked, NOW)


def by_group(figures: tuple[Figure, ...]) -> dict[object, object]:
    return {next(iter(figure.group.values())): figure.value for figure in figures}


def pays(account: str, at: datetime, mrr: str) -> Ev:
    data = {"subscription": account, "mrr": mrr, "currency": "EUR"}
    return Ev("subscription.started", at, f"pays-{account}-{at:%Y%m%d}", account, data=data)


def says(account: str, at: datetime, **traits: object) -> Ev:
    return Ev("account.updated", at, f"says-{account}-{at:%Y%m%d}", account, data={"traits": traits})


def test_hours_over_more_than_a_year_go_on_by_cursor_until_the_last(stage: Stage) -> None:
    first, days = date(2024, 12, 20), 420
    start = datetime(2024, 12, 20, tzinfo=UTC)
    stage.write(
        [Ev("x.happened", start + n * timedelta(hours=117, minutes=23), f"e{n}", "acme") for n in range(85)]
    )
    asked = Query(("events",), first, first + days * DAY, "hour", limit=9_000, compare="previous_period")
    figures: list[Figure] = []
    cursor, pages = None, 0
    while True:
        answer = ask(stage, replace(asked, cursor=cursor))
        figures += answer.figures
        cursor, pages = answer.next_cursor, pages + 1
        if cursor is None:
            break
    hours = Calendar(ZoneInfo("Asia/Kathmandu")).hours(first, first + days * DAY)
    assert [datetime.fromisoformat(figure.start) for figure in figures] == hours
    assert pages == 3, "a page ends with its stretch"
    whole = ask(stage, replace(asked, grain="total")).figures[0]
    assert sum(int(figure.value or 0) for figure in figures) == whole.value
    assert sum(int(figure.compare_value or 0) for figure in figures) == whole.compare_value


def test_a_comparison_says_that_it_must_not_lead_and_what_leads_instead(stage: Stage) -> None:
    year_ago = datetime(2025, 1, 1, tzinfo=UTC)
    stage.write([pays(f"old-{n}", year_ago, "100") for n in range(5)])
    compared = replace(MARCH, metrics=("mrr", "events"), compare="previous_year")
    steady = ask(stage, compared).leading
    assert steady is not None
    assert (steady.leads, steady.reason, steady.paying, steady.paying_compared) == (True, None, 5, 5)
    stage.write([pays(f"new-{n}", datetime(2026, 3, 10, tzinfo=UTC), "100") for n in range(2)])
    answer = ask(stage, compared)
    assert answer.leading is not None
    assert answer.leading.reason is not None
    assert (answer.leading.leads, answer.leading.paying, answer.leading.paying_compared) == (False, 7, 5)
    assert "from 5 to 7 (+40%)" in answer.leading.reason
    assert answer.leading.instead == {"mrr": "per_account", "events": "per_account"}
    mrr, events = answer.figures
    assert (mrr.value, mrr.per_account, mrr.compare_value, mrr.compare_per_account) == (700, 100, 500, 100)
    assert (events.value, events.per_account, events.compare_value, events.compare_per_account) == (
        2,
        2 / 7,
        0,
        0.0,
    )
    assert ask(stage, MARCH).leading is None


@pytest.fixture
def grown(stage: Stage) -> Stage:
    """2 paying accounts a year ago, 6 now; 3 of them are big. Targets of the definitions and imported ones."""
    stage.conn.execute("delete from control.target; delete from control.import")
    year_ago = datetime(2025, 1, 1, tzinfo=UTC)
    stage.write([pays(f"old-{n}", year_ago, "100") for n in range(2)])
    stage.write([pays(f"new-{n}", datetime(2026, 3, 10, tzinfo=UTC), "100") for n in range(4)])
    stage.write([says(f"new-{n}", datetime(2026, 1, 1, tzinfo=UTC), segment="big") for n in range(3)])
    aim = {"kind": "target", "value": 0.9, "set_by": "us", "why": "plan"}
    stated = {
        name: MetricBenchmark(name=name, metric=metric, **{**aim, **more})
        for name, metric, more in (
            ("a", "grr_12m", {"by": date(2026, 12, 31)}),
            ("b", "portal_logins", {}),
            ("c", "nps", {"by": date(2026, 2, 28)}),
            ("d", "complaints", {"segment": "big"}),
            ("e", "nrr_12m", {"kind": "industry", "source": "study"}),
        )
    }
    stage.catalogue = stage.catalogue.model_copy(update={"benchmarks": stated})
    return stage


def imported(
    stage: Stage, metric: str, *, value: float | None = 9, due: date | None = None, of: str = ""
) -> None:
    """One row of an import of targets; without a value it withdraws one."""
    stage.conn.execute(
        """with made as (insert into control.import (id, tenant_id, kind, file, imported_by, dry_run, started_at, counts)
             values (gen_random_uuid(), %(tenant)s, 'targets', 'f', 'us', false, now(), '{}') returning id)
           insert into control.target (tenant_id, metric, slice, due, value, set_by, why, set_at, import_id)
           select %(tenant)s, %(metric)s, %(of)s, %(due)s, %(value)s, 'us', 'plan', now(), id from made""",
        {"tenant": stage.tenant_id, "metric": metric, "of": of, "due": due, "value": value},
    )


COMPARED = (
    "mrr",
    "grr_12m",
    "portal_logins",
    "nps",
    "complaints",
    "nrr_12m",
    "csat",
    "paying_accounts",
    "committed_mrr",
)


def test_a_target_leads_where_there_is_one_and_ratios_are_never_told_per_account(grown: Stage) -> None:
    imported(grown, "csat")
    imported(grown, "committed_mrr", due=date(2026, 3, 31))
    imported(grown, "mrr", of="big")
    compared = replace(MARCH, metrics=COMPARED, compare="previous_year")
    answer = ask(grown, compared)
    assert answer.leading is not None
    targeted = {"grr_12m", "portal_logins", "csat", "committed_mrr"}
    nothing = {"nps", "nrr_12m", "paying_accounts"}
    assert answer.leading.instead == {
        name: "target" if name in targeted else None if name in nothing else "per_account"
        for name in COMPARED
    }
    assert "Nothing leads for nps, nrr_12m, paying_accounts: " in (answer.leading.reason or "")
    told = {figure.metric for figure in answer.figures if figure.per_account is not None}
    assert told == {"mrr", "portal_logins", "complaints", "committed_mrr"}
    imported(grown, "committed_mrr", due=date(2026, 3, 31), value=None)
    again = ask(grown, compared).leading
    assert again is not None
    assert again.instead["committed_mrr"] == "per_account", "its target was withdrawn"


def test_a_target_leads_for_the_accounts_that_it_is_of(grown: Stage) -> None:
    imported(grown, "mrr", of="big")
    imported(grown, "complaints", of="partners")
    grown.write(
        [says(f"new-{n}", datetime(2026, 1, 1, tzinfo=UTC), segment="big", kind="partner") for n in range(3)]
    )
    compared = replace(MARCH, metrics=("mrr", "complaints", "portal_logins"), compare="previous_year")
    for wanted, aimed in (
        ({"segment": ("big",)}, {"mrr", "complaints"}),
        ({"segment:partners": (True,)}, {"complaints"}),
        ({"segment": ("big", None)}, set()),
        ({"segment": ("big",), "plan": ("pro", None)}, set()),
    ):
        leading = ask(grown, replace(compared, filter=wanted)).leading
        assert leading is not None
        assert {name for name, what in leading.instead.items() if what == "target"} == aimed, wanted
    named = ask(grown, replace(compared, accounts=("new-0", "new-1"))).leading
    assert named is not None
    assert set(named.instead.values()) == {"per_account"}


def test_a_slice_is_as_of_the_start_unless_the_end_is_asked_for(stage: Stage) -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)
    stage.write([says("acme", start, segment="smb"), pays("acme", start + DAY, "100")])
    stage.write([says("acme", datetime(2026, 3, 20, tzinfo=UTC), segment="big")])
    cancelled = {"subscription": "acme"}
    stage.write(
        [Ev("subscription.cancelled", datetime(2026, 3, 25, tzinfo=UTC), "gone", "acme", data=cancelled)]
    )
    asked = replace(MARCH, metrics=("logo_churn",), group_by=("segment",))
    assert by_group(ask(stage, asked).figures) == {"smb": 1.0, "big": None}
    assert by_group(ask(stage, replace(asked, slice_at="end")).figures) == {"big": 1.0}


def test_accounts_roll_up_to_the_top_of_their_hierarchy_as_it_was(stage: Stage) -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)
    stage.write(
        [
            *(pays(account, start, "10") for account in ("leaf", "mid", "top", "other")),
            says("leaf", start, parent="mid"),
            says("mid", start, parent="top"),
            says("leaf", datetime(2026, 3, 20, tzinfo=UTC), parent="other"),
        ]
    )
    asked = replace(MARCH, group_by=("top_parent",))
    february = ask(stage, replace(asked, start=date(2026, 2, 1), end=date(2026, 3, 1)))
    assert by_group(february.figures) == {"top": 30, "other": 10}
    assert by_group(ask(stage, asked).figures) == {"top": 20, "other": 20}
    only = ask(stage, replace(MARCH, filter={"top_parent": ("other",)}))
    assert only.figures[0].value == 20
