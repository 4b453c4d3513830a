"""Which version of the definitions answers, and what is said while the next one is being counted for the past."""

from collections.abc import Mapping
from contextlib import _GeneratorContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg_pool import ConnectionPool
from tests.integration.api_gateway.world import ROOT, Served, Tenant, World

from api_gateway.adapters.figures import PostgresFigures
from common import catalogue
from common.clock import FixedClock
from common.db.pool import Connection
from common.errors import Rejected
from common.figures.model import Query
from common.testing import wait_until

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
ASKED = {"metrics": ["portal_logins"], "from": "2026-03-10", "to": "2026-03-11"}


def changed(world: World, tenant: Tenant) -> None:
    """Portal logins count otherwise, and a metric comes that nobody had."""
    base = catalogue.load(ROOT / "catalogue")
    logins = base.measures["portal_logins"]
    only_pro = logins.model_copy(update={"where": 'event.data.app == "pro"'})
    new = logins.model_copy(update={"name": "signatures", "event_types": ("document.signed",)})
    metric = base.metrics["portal_logins"]
    signed = metric.model_copy(
        update={"name": "signatures", "formula": metric.formula.model_copy(update={"measure": "signatures"})}
    )
    overlaid = base.model_copy(
        update={
            "measures": {**base.measures, "portal_logins": only_pro, "signatures": new},
            "metrics": {**base.metrics, "signatures": signed},
        }
    )
    with world.connect() as connection:
        catalogue.apply(connection, tenant.slug, overlaid)


def count(world: World, tenant: Tenant, values: Mapping[int, int]) -> None:
    """One figure of the day by the version that each origin stands for."""
    account = world.account(tenant, "acme")
    with world.connect() as connection:
        for origin, value in values.items():
            connection.execute(
                """with m as (insert into engine.measure (tenant_id, name, origin) values (%s, 'portal_logins', %s) returning id),
                     d as (insert into engine.measure_day (tenant_id, measure_id, account_id, day, value)
                           select %s, id, %s, %s, %s from m)
                   insert into engine.total_day (tenant_id, measure_id, partition, day, value) select %s, id, 0, %s, %s from m""",
                (tenant.id, origin, tenant.id, account, NOW.date(), value, tenant.id, NOW.date(), value),
            )


def value(gateway: Served, tenant: Tenant, **more: Any) -> tuple[int, int]:
    answer = gateway.post("/v1/query", tenant, {**ASKED, **more}).json()
    return answer["data"][0]["value"], answer["definitions"]


def test_the_version_before_answers_until_the_past_is_counted_and_stays_queryable(
    world: World, ours: Tenant, gateway: Served
) -> None:
    count(world, ours, {0: 10, 2: 7})
    changed(world, ours)
    assert value(gateway, ours) == (10, 1)
    counting = gateway.get("/v1/metrics", ours).json()["counting"]
    assert (counting["version"], counting["share"]) == (2, 0)
    assert {"portal_logins", "signatures"} <= set(counting["metrics"])
    assert "mrr" not in counting["metrics"]
    refused = [
        gateway.post("/v1/query", ours, {**ASKED, "metrics": ["signatures"]}).json() for _ in range(30)
    ]
    assert {one["code"] for one in refused} == {"metric-being-counted"}, "of a page of many tiles at once too"
    early = gateway.post("/v1/query", ours, {**ASKED, "definitions": 2}).json()
    assert early["code"] == "definitions-unknown"

    with world.connect() as connection:
        connection.execute(
            "insert into engine.definition_counted (tenant_id, version) values (%s, 2)", (ours.id,)
        )
    wait_until(lambda: value(gateway, ours) == (7, 2), timeout_seconds=60)
    assert value(gateway, ours, definitions=1) == (10, 1)
    assert gateway.get("/v1/metrics", ours).json()["counting"] is None
    figure = gateway.post("/v1/query", ours, {**ASKED, "definitions": 1}).json()["data"][0]
    assert gateway.get(figure["behind"], ours).json()["data"][0]["value"] == 10


def test_what_an_earlier_version_counted_stands_as_of_when_it_was_replaced(
    world: World, ours: Tenant, gateway: Served
) -> None:
    """Replaced at noon of the day after; logins settle after 24 hours, so the day is not complete by it."""
    count(world, ours, {0: 5, 2: 6})
    changed(world, ours)
    replaced = datetime(2026, 3, 11, 12, tzinfo=UTC)
    with world.connect() as connection:
        connection.execute(
            "update control.definition set applied_at = %s where tenant_id = %s", (NOW, ours.id)
        )
        connection.execute(
            "insert into engine.definition_counted (tenant_id, version, counted_at) values (%s, 2, %s)",
            (ours.id, replaced),
        )
    wait_until(lambda: value(gateway, ours) == (6, 2), timeout_seconds=60)
    world.change(ours, [world.account(ours, "bolt")])
    both = {**ASKED, "metrics": ["portal_logins", "events"]}
    now, _ = gateway.post("/v1/query", ours, both).json()["data"]
    old, alike = gateway.post("/v1/query", ours, {**both, "definitions": 1}).json()["data"]
    assert (old["value"], datetime.fromisoformat(old["as_of"]), old["complete"]) == (5, replaced, False)
    assert (now["value"], now["complete"]) == (6, True)
    assert alike["complete"], "what both versions count alike is counted on"
    assert alike["as_of"] == now["as_of"] > old["as_of"]
    for _ in ("made", "given again"):
        answer = gateway.post("/v1/query", ours, {**ASKED, "definitions": 1})
        assert datetime.fromisoformat(answer.headers["Bellwether-As-Of"]) == replaced


def test_a_version_must_be_a_number_that_was_in_force(ours: Tenant, gateway: Served) -> None:
    for wrong in (0, -1, True, "1", 2**40, 9):
        answer = gateway.post("/v1/query", ours, {**ASKED, "definitions": wrong})
        assert answer.status_code == 400, wrong
    assert gateway.get(
        "/v1/query?metrics=events&from=2026-03-10&to=2026-03-11&definitions=1", ours
    ).is_success


def more_names(world: World, tenant: Tenant) -> None:
    """A metric, a segment and a dimension that need nothing of the past; they are in force at once."""
    base = catalogue.load(ROOT / "catalogue")
    late = base.metrics["portal_logins"].model_copy(update={"name": "late1"})
    segment = base.segments["partners"].model_copy(update={"name": "late_ones"})
    dimensions = (*base.settings.dimensions, "late_dimension")
    overlaid = base.model_copy(
        update={
            "metrics": {**base.metrics, "late1": late},
            "segments": {**base.segments, "late_ones": segment},
            "settings": base.settings.model_copy(update={"dimensions": dimensions}),
        }
    )
    with world.connect() as connection:
        catalogue.apply(connection, tenant.slug, overlaid)


LATE = {**ASKED, "metrics": ["late1"]}


@pytest.mark.parametrize(
    ("method", "address", "body"),
    [
        ("POST", "/v1/query", LATE),
        ("POST", "/v1/query", {**ASKED, "group_by": ["late_dimension"]}),
        ("POST", "/v1/query", {**ASKED, "segments": ["late_ones"]}),
        ("GET", "/v1/metrics/late1", None),
        ("GET", "/v1/metrics/late1/events?from=2026-03-10&to=2026-03-11", None),
        ("GET", "/v1/revisions?metric=late1", None),
        ("POST", "/v1/explain-change", {"metric": "late1", "from": "2026-03-02", "to": "2026-03-09", "compare": "previous_period"}),
        ("POST", "/v1/movers", {"metric": "late1", "from": "2026-03-02", "to": "2026-03-09", "compare": "previous_period", "by": "account"}),
        ("POST", "/v1/drivers/churn-by-decile", {"driver": "late1", "from": "2026-02-01", "to": "2026-03-01"}),
    ],
)  # fmt: skip
def test_a_name_of_definitions_that_came_into_force_is_known_at_once(
    world: World, ours: Tenant, gateway: Served, method: str, address: str, body: Any
) -> None:
    world.account(ours, "acme")
    assert gateway.post("/v1/query", ours, ASKED).json()["definitions"] == 1
    more_names(world, ours)
    answer = gateway.get(address, ours) if method == "GET" else gateway.post(address, ours, body)
    assert answer.is_success, answer.text


class Counted(ConnectionPool[Connection]):
    """Counts how often a connection was lent."""

    lent = 0

    def connection(self, timeout: float | None = None) -> _GeneratorContextManager[Connection, None, None]:
        self.lent += 1
        return super().connection(timeout)


def test_a_clock_that_is_set_back_keeps_no_version_in_force(world: World, ours: Tenant) -> None:
    clock = FixedClock(NOW)
    with Counted(world.url, open=True) as pool:
        figures = PostgresFigures(pool, clock)
        figures.catalogue(ours.id)
        looked = pool.lent
        figures.catalogue(ours.id)
        assert pool.lent == looked
        clock.advance(timedelta(hours=-1))
        figures.catalogue(ours.id)
        assert pool.lent > looked


def test_unknown_names_are_looked_up_ten_times_a_second_at_most(world: World, ours: Tenant) -> None:
    """Beside the question itself each could ask for the version in force, and for the one that is being counted."""
    clock, questions = FixedClock(NOW), 200
    with Counted(world.url, open=True) as pool:
        figures = PostgresFigures(pool, clock)
        for step in range(questions):
            with pytest.raises(Rejected, match="no metric 'nothing"):
                figures.query(ours.id, Query((f"nothing{step}",), NOW - timedelta(days=1), NOW))
            clock.advance(timedelta(milliseconds=10))
        assert questions < pool.lent <= questions + 2 * (1 + 3 * 10), (
            "200 in 2 s, which touch 3 seconds at most"
        )
