"""What an answer carries besides its values: freshness, comparison, pages, where it comes from; and what is refused."""

import json
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from psycopg.types.json import Jsonb
from tests.conftest import PostgresServer
from tests.integration.figures.worlds import Connection

from common.catalogue import Catalogue, apply, current, load
from common.errors import NotFound, Rejected
from common.figures import Figure, Query, parse, query

TENANT, OTHER = 1, 2
JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def base() -> Catalogue:
    return load(Path(__file__).parents[3] / "catalogue")


@pytest.fixture(scope="module")
def filled(postgres_server: PostgresServer, migrated_template: str) -> Iterator[Connection]:
    """Two accounts of the tenant and one of another: `acme` had 3 logins on 1 January and 1 a year before, `bolt` 2."""
    name = f"answers_{uuid.uuid4().hex}"
    postgres_server.execute("create database {} template {} strategy file_copy", name, migrated_template)
    with psycopg.connect(postgres_server.database_url(name)) as connection:
        for tenant in (TENANT, OTHER):
            connection.execute(
                "insert into control.tenant (slug, name) values (%s, 'x')", (f"tenant-{tenant}",)
            )
        measure = _id(
            connection,
            "insert into engine.measure (tenant_id, name) values (%s, %s) returning id",
            TENANT,
            "portal_logins",
        )
        foreign = _id(
            connection,
            "insert into engine.measure (tenant_id, name) values (%s, %s) returning id",
            OTHER,
            "portal_logins",
        )
        logins = [
            (TENANT, measure, _account(connection, TENANT, "acme"), datetime(2026, 1, 1, 9, tzinfo=UTC), 3),
            (TENANT, measure, _account(connection, TENANT, "bolt"), datetime(2026, 1, 2, 9, tzinfo=UTC), 2),
            (TENANT, measure, 1, datetime(2025, 1, 1, 9, tzinfo=UTC), 1),
            (OTHER, foreign, _account(connection, OTHER, "acme"), datetime(2026, 1, 1, 9, tzinfo=UTC), 500),
        ]
        for row in logins:
            connection.execute("insert into engine.measure_hour values (%s, %s, %s, %s, %s)", row)
            connection.execute("insert into engine.total_hour values (%s, %s, %s, %s, %s)", row)
            tenant, its, account, at, logged_in = row
            of_day = (tenant, its, account, at.date(), logged_in)
            connection.execute("insert into engine.measure_day values (%s, %s, %s, %s, %s)", of_day)
            connection.execute("insert into engine.total_day values (%s, %s, %s, %s, %s)", of_day)
        for tenant, account, plan in ((TENANT, 1, "pro"), (OTHER, 3, "secret")):
            connection.execute(
                "insert into engine.trait values (%s, %s, 0, 'plan', '2024-01-01', 's', 'e', %s)",
                (tenant, account, Jsonb(plan)),
            )
        connection.commit()
        yield connection
    postgres_server.drop(name)


@pytest.fixture
def conn(filled: Connection) -> Iterator[Connection]:
    """What a test adds is undone after it."""
    with filled.transaction(force_rollback=True):
        yield filled


def _account(conn: Connection, tenant: int, name: str) -> int:
    statement = "insert into engine.account (tenant_id, name, partition) values (%s, %s, 0) returning id"
    return _id(conn, statement, tenant, name)


def _id(conn: Connection, statement: str, *values: Any) -> int:
    row = conn.execute(statement, values).fetchone()
    assert row is not None
    return int(row[0])


def asked(conn: Connection, base: Catalogue, tenant: int = TENANT, **parts: Any) -> list[Figure]:
    made = Query(
        **{"metrics": ("portal_logins",), "start": JANUARY, "end": FEBRUARY, "grain": "total", **parts}
    )
    return list(query(conn, tenant, base, made, NOW).figures)


def progress(conn: Connection, *applied_at: datetime | None) -> None:
    conn.execute("delete from engine.progress")
    for partition, at in enumerate(applied_at):
        conn.execute(
            "insert into engine.progress (topic, partition, partitions, applied_at) values ('t', %s, %s, %s)",
            (partition, len(applied_at), at),
        )


def test_a_tenant_sees_its_own_accounts_only(conn: Connection, base: Catalogue) -> None:
    assert [f.value for f in asked(conn, base)] == [5]
    assert [f.value for f in asked(conn, base, OTHER)] == [500]
    assert {f.group["account"]: f.value for f in asked(conn, base, group_by=("account",))} == {
        "acme": 3,
        "bolt": 2,
    }
    assert {f.group["plan"] for f in asked(conn, base, group_by=("plan",))} == {"pro", None}
    assert [f.value for f in asked(conn, base, OTHER, accounts=("bolt",))] == [0]


def test_filters_and_accounts_narrow_and_values_keep_their_type(conn: Connection, base: Catalogue) -> None:
    conn.execute("insert into engine.trait values (1, 2, 0, 'seats', '2024-01-01', 's', 'e', '5')")
    assert [f.value for f in asked(conn, base, filter={"plan": ("pro",)})] == [3]
    assert [f.value for f in asked(conn, base, filter={"plan": (None,)})] == [2]
    assert [f.value for f in asked(conn, base, filter={"plan": ("pro", None)})] == [5]
    assert [f.value for f in asked(conn, base, filter={"seats": (5.0,)})] == [2]
    assert [f.value for f in asked(conn, base, filter={"seats": ("5",)})] == [0]
    assert [f.value for f in asked(conn, base, accounts=("acme", "nobody"))] == [3]
    both = asked(conn, base, accounts=("acme", "bolt"), filter={"plan": ("pro",)}, group_by=("plan",))
    assert [(f.group, f.value) for f in both] == [({"plan": "pro"}, 3)]


def test_as_of_is_the_least_over_partitions_and_unknown_while_one_applied_nothing(
    conn: Connection, base: Catalogue
) -> None:
    assert asked(conn, base)[0].as_of is None
    progress(conn, NOW, NOW - timedelta(hours=3))
    assert asked(conn, base)[0].as_of == NOW - timedelta(hours=3)
    progress(conn, NOW, None)
    assert (asked(conn, base)[0].as_of, asked(conn, base)[0].complete) == (None, False)


def test_a_bucket_is_complete_once_it_has_settled(conn: Connection, base: Catalogue) -> None:
    settled = datetime(2026, 2, 2, tzinfo=UTC)  # logins settle for 24 hours
    progress(conn, settled)
    assert asked(conn, base)[0].complete
    progress(conn, settled - timedelta(microseconds=1))
    assert not asked(conn, base)[0].complete


def test_a_figure_is_compared_with_the_same_dates_a_year_before(conn: Connection, base: Catalogue) -> None:
    figures = asked(conn, base, grain="day", end=date(2026, 1, 3), compare="previous_year")
    assert [(f.value, f.compare_value) for f in figures] == [(3, 1), (2, 0)]
    figures = asked(
        conn, base, grain="day", start=date(2026, 1, 2), end=date(2026, 1, 3), compare="previous_period"
    )
    assert [(f.value, f.compare_value) for f in figures] == [(2, 3)]
    assert asked(conn, base)[0].compare_value is None


def test_pages_together_are_the_whole_answer(conn: Connection, base: Catalogue) -> None:
    parts: dict[str, Any] = {
        "metrics": ("portal_logins", "mrr", "complaints"),
        "grain": "day",
        "group_by": ("account",),
    }
    whole = asked(conn, base, **parts)
    assert len(whole) == 3 * 31 * 2
    for limit in (1, 31, 62, 70, 185, 186):
        paged: list[Figure] = []
        cursor: str | None = None
        while limit > 1 or len(paged) < 3:
            made = Query(start=JANUARY, end=FEBRUARY, limit=limit, cursor=cursor, **parts)
            answer = query(conn, TENANT, base, made, NOW)
            paged += answer.figures
            cursor = answer.next_cursor
            if cursor is None:
                break
        assert paged == whole[: len(paged)]
        assert len(paged) == (3 if limit == 1 else len(whole))


def test_the_address_behind_a_figure_lists_the_accounts_that_make_it_up(
    conn: Connection, base: Catalogue
) -> None:
    (figure,) = asked(conn, base, filter={"plan": ("pro", None)})
    address = urlsplit(figure.behind)
    assert address.path == "/v1/query"
    body: dict[str, Any] = {name: values[0] for name, values in parse_qs(address.query).items()}
    body |= {
        "metrics": [body["metrics"]],
        "group_by": [body["group_by"]],
        "filter": json.loads(body["filter"]),
        "contributing": json.loads(body["contributing"]),
    }
    behind = query(conn, TENANT, base, parse(body), NOW).figures
    assert {f.group["account"]: f.value for f in behind} == {"acme": 3, "bolt": 2}
    assert sum(int(f.value or 0) for f in behind) == figure.value


def test_an_answer_is_json_with_integers_money_as_text_and_null(conn: Connection, base: Catalogue) -> None:
    conn.execute("insert into engine.mrr_change values (1, 1, '2025-06-01', 99.5, 'EUR')")
    shown = [f.as_json() for f in asked(conn, base, metrics=("portal_logins", "mrr", "nrr", "nps"))]
    assert [f["value"] for f in json.loads(json.dumps(shown))] == [5, "99.50", 1.0, None]
    assert (shown[2]["numerator"], shown[2]["denominator"], shown[2]["n"]) == ("99.50", "99.50", 1)
    assert (shown[0]["bucket"], shown[0]["start"], shown[0]["end"]) == (
        "2026-01-01T00:00:00+00:00",
        "2026-01-01T00:00:00+00:00",
        "2026-02-01T00:00:00+00:00",
    )
    assert (shown[1]["currency"], shown[0]["currency"], shown[3]["low_n"]) == ("EUR", None, True)


def test_a_figure_that_stands_for_another_says_for_which(conn: Connection, base: Catalogue) -> None:
    logins = base.metrics["portal_logins"].model_copy(update={"feasibility": "proxy_of nps"})
    proxied = base.model_copy(update={"metrics": {**base.metrics, "portal_logins": logins}})
    stand_in, measured = (
        f.as_json() for f in asked(conn, proxied, metrics=("portal_logins", "events"), group_by=())
    )
    assert (stand_in["metric"], stand_in["value"], stand_in["proxy_of"]) == ("portal_logins", 5, "nps")
    assert (measured["metric"], measured["proxy_of"]) == ("events", None)


def test_the_future_is_zero_for_counts_and_unknown_for_everything_else(
    conn: Connection, base: Catalogue
) -> None:
    conn.execute("insert into engine.mrr_change values (1, 1, '2025-06-01', 99.5, 'EUR')")
    figures = asked(
        conn, base, start=date(2026, 6, 1), end=date(2026, 6, 3), grain="day",
        metrics=("complaints", "mrr", "active_users_28d", "nrr"),
    )  # fmt: skip
    assert [f.value for f in figures] == [0, 0, Decimal("99.5"), None, 0, None, 1.0, None]


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"metrics": ("no_such",)}, "metric-unknown"),
        ({"grain": "hour", "metrics": ("active_users_1d",)}, "grain-not-available"),
        ({"group_by": ("no_such",)}, "dimension-unknown"),
        ({"filter": {"no_such": ("x",)}}, "dimension-unknown"),
        ({"filter": {"account": ("acme",)}}, "dimension-unknown"),
        ({"end": JANUARY}, "range-empty"),
        ({"start": date(1971, 1, 1), "end": date(2199, 1, 1), "grain": "week"}, "buckets-too-many"),
        ({"start": datetime(2026, 1, 1), "grain": "day"}, "instant-naive"),  # noqa: DTZ001
        ({"cursor": "garbage"}, "cursor-invalid"),
    ],
)
def test_what_cannot_be_answered_is_refused_by_name(
    conn: Connection, base: Catalogue, parts: dict[str, Any], code: str
) -> None:
    with pytest.raises(Rejected) as refused:
        asked(conn, base, **parts)
    assert refused.value.code == code


def test_who_filters_by_account_is_told_how_to_name_accounts(conn: Connection, base: Catalogue) -> None:
    with pytest.raises(Rejected, match="to ask for some accounts alone, name them in accounts"):
        asked(conn, base, filter={"account": ("acme",)})


@pytest.mark.parametrize("parts", [{"group_by": ("product",)}, {"filter": {"product": ("p1",)}}])
def test_a_dimension_that_only_some_metrics_have_is_refused_with_the_names_of_the_others(
    conn: Connection, base: Catalogue, parts: dict[str, Any]
) -> None:
    metrics = ("grr", "committed_mrr", "mrr_new", "renewal_rate", "cost_to_serve", "portal_logins")
    with pytest.raises(
        Rejected,
        match=r"^committed_mrr, renewal_rate, cost_to_serve, portal_logins can't be sliced by 'product'",
    ) as refused:
        asked(conn, base, metrics=metrics, **parts)
    assert refused.value.code == "dimension-unknown"
    asked(conn, base, metrics=("grr", "mrr_new"), **parts)
    conn.execute("insert into engine.trait values (1, 1, 0, 'product', '2024-01-01', 's', 'e', '\"p1\"')")
    asked(conn, base, metrics=metrics, **parts)


def test_a_refused_slice_names_the_metrics_whose_events_say_it(conn: Connection, base: Catalogue) -> None:
    def refusal(name: str) -> str:
        with pytest.raises(Rejected) as refused:
            asked(conn, base, metrics=("complaints",), group_by=(name,))
        return refused.value.message

    named = re.search(r"Events say it themselves for (.*)\.$", refusal("theme"))
    assert named
    metrics = named[1].split(", ")
    assert {"complaint_resolution_time", "feedback", "stories"} <= set(metrics)
    for metric in metrics:
        asked(conn, base, metrics=(metric,), grain="day", group_by=("theme",))
    assert "Events say it" not in refusal("no_such")


def test_an_answer_of_too_many_figures_is_refused_before_it_is_computed(
    conn: Connection, base: Catalogue
) -> None:
    with pytest.raises(Rejected) as refused:
        asked(
            conn,
            base,
            metrics=tuple(base.metrics),
            start=date(2010, 1, 1),
            grain="day",
            group_by=("account",),
        )
    assert refused.value.code == "cells-too-many"
    assert "ask for fewer metrics" in refused.value.message


def test_traits_that_accounts_have_are_dimensions_without_being_declared(
    conn: Connection, base: Catalogue
) -> None:
    conn.execute("insert into engine.trait values (1, 1, 0, 'mood', '2024-01-01', 's', 'e', '[\"a\"]')")
    assert {f.group["mood"] for f in asked(conn, base, group_by=("mood",))} == {'["a"]', None}


def test_applying_makes_a_version_only_when_something_changed(conn: Connection, base: Catalogue) -> None:
    assert current(conn, TENANT) is None
    assert apply(conn, "tenant-1", base) == 1
    assert apply(conn, "tenant-1", base) == 1
    changed = base.model_copy(update={"settings": base.settings.model_copy(update={"currency": "USD"})})
    assert apply(conn, "tenant-1", changed) == 2
    found = current(conn, TENANT)
    assert found is not None
    assert (found.settings, found.metrics, found.version) == (changed.settings, changed.metrics, 2)
    assert current(conn, OTHER) is None
    with pytest.raises(NotFound):
        apply(conn, "nobody", base)
