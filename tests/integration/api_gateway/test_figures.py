import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.integration.api_gateway.world import Served, Tenant, World

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def asked(**more: Any) -> dict[str, Any]:
    return {"metrics": ["events"], "from": "2026-03-09", "to": "2026-03-12", "grain": "day", **more}


def test_the_catalogue_lists_every_metric_and_shows_each(ours: Tenant, gateway: Served) -> None:
    listed = gateway.get("/v1/metrics", ours).json()["data"]
    assert {"events", "mrr", "nrr", "nps"} <= {metric["name"] for metric in listed}
    shown = next(m for m in listed if m["name"] == "events")
    never = {"complete_days": 0, "revised_days": 0, "share": None}
    one = gateway.get("/v1/metrics/events", ours).json()
    assert one == {**shown, "targets": [], "industry": [], "revised": never}
    assert gateway.get("/v1/metrics/nothing", ours).json()["code"] == "metric-unknown"


def test_a_tenant_without_definitions_is_told_so(world: World, gateway: Served) -> None:
    bare = world.tenant("bare", with_catalogue=False)
    answer = gateway.get("/v1/metrics", bare)
    assert (answer.status_code, answer.json()["code"]) == (404, "catalogue-missing")


def test_figures_are_the_same_by_body_and_by_address(world: World, ours: Tenant, gateway: Served) -> None:
    row = world.account(ours, "acme")
    world.count(ours, row, "events", NOW, 7)
    by_body = gateway.post("/v1/query", ours, asked()).json()
    assert [one["value"] for one in by_body["data"]] == [0, 7, 0]
    assert by_body["data"][1]["bucket"].startswith("2026-03-10T00:00:00")
    address = "/v1/query?metrics=events&from=2026-03-09&to=2026-03-12&grain=day"
    assert gateway.get(address, ours).json()["data"] == by_body["data"]


def test_an_answer_is_unchanged_until_a_figure_may_be_another(
    world: World, ours: Tenant, gateway: Served
) -> None:
    address = "/v1/query?metrics=events&from=2026-03-09&to=2026-03-12&grain=day"
    row = world.account(ours, "acme")
    world.change(ours, [row])
    first = gateway.get(address, ours)
    world.change(ours, [row])  # a batch that leaves these figures as they are
    again = gateway.get(address, ours, **{"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    as_table = gateway.get(address, ours, **{"If-None-Match": first.headers["etag"], "Accept": "text/csv"})
    assert as_table.status_code == 200
    world.count(ours, row, "events", NOW, 7)
    now = gateway.get(address, ours, **{"If-None-Match": first.headers["etag"]})
    assert now.status_code == 200
    assert [one["value"] for one in now.json()["data"]] == [0, 7, 0]


def test_the_address_behind_a_figure_answers(world: World, ours: Tenant, gateway: Served) -> None:
    row = world.account(ours, "a,b")
    world.count(ours, row, "events", NOW, 7)
    figure = gateway.post("/v1/query", ours, asked(accounts=["a,b"])).json()["data"][1]
    behind = gateway.get(figure["behind"], ours).json()["data"]
    assert [(one["group"], one["value"]) for one in behind] == [({"account": "a,b"}, 7)]


def test_pages_follow_each_other(world: World, ours: Tenant, gateway: Served) -> None:
    whole = gateway.post("/v1/query", ours, asked(to="2026-04-09")).json()
    paged: list[Any] = []
    cursor = None
    while True:
        page = gateway.post("/v1/query", ours, asked(to="2026-04-09", limit=10, cursor=cursor)).json()
        paged += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    strip = [{**one, "as_of": None} for one in whole["data"]]
    assert [{**one, "as_of": None} for one in paged] == strip


def test_a_table_never_holds_a_formula(world: World, ours: Tenant, gateway: Served) -> None:
    row = world.account(ours, "=cmd|' /C calc'!A0")
    world.count(ours, row, "events", NOW, 7)
    answer = gateway.post("/v1/query", ours, asked(group_by=["account"]), Accept="text/csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    table = list(csv.DictReader(io.StringIO(answer.text)))
    assert {one["account"] for one in table} == {"'=cmd|' /C calc'!A0"}
    assert [one["value"] for one in table] == ["0", "7", "0"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"metrics": ["events"], "from": "2026-03-09"}',
        b'{"metrics": "events", "from": "2026-03-09", "to": "2026-03-12"}',
        b'{"metrics": ["nothing"], "from": "2026-03-09", "to": "2026-03-12"}',
        b'{"metrics": ["events"], "from": "yesterday", "to": "2026-03-12"}',
        b'{"metrics": ["events"], "from": "0001-01-01", "to": "9999-12-31"}',
        b'{"metrics": ["events"], "from": "2026-03-12", "to": "2026-03-09"}',
        b'{"metrics": ["events"], "from": "2026-03-09", "to": "2026-03-12", "grain": "minute"}',
        b'{"metrics": ["events"], "from": "2026-03-09T00:00:00", "to": "2026-03-12"}',
        b'{"metrics": ["events"], "from": "2026-03-09", "to": "2026-03-12", "limit": 1e400}',
        b'{"metrics": ["events"], "from": "2026-03-09", "to": "2026-03-12", "limit": NaN}',
        b'{"metrics": ["events"], "from": "2026-03-09", "to": "2026-03-12", "limit": 18446744073709551616}',
        b'{"metrics": ["events"], "from": "2026-03-09", "to": "2026-03-12", "group_by": ["a\\u0000"]}',
        b'{"metrics": ["events"], "from": "2026-03-09", "to": "2026-03-12", "filter": {"plan": ["\\ud800"]}}',
        b'{"metrics": ["events"], "from": "2026-03-09", "to": "2026-03-12", "cursor": "garbage"}',
        b'{"metrics": ["events"], "from": "2026-03-09", "to": "2026-03-12", "odd": 1}',
    ],
)
def test_a_question_that_can_not_be_answered_is_400_with_a_code(
    ours: Tenant, gateway: Served, body: bytes
) -> None:
    answer = gateway.client.post("/v1/query", content=body, headers=ours.headers())
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"]
    assert answer.json()["message"]


def test_an_oversized_question_is_413(ours: Tenant, gateway: Served) -> None:
    answer = gateway.client.post("/v1/query", content=b" " * 1_100_000, headers=ours.headers())
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
