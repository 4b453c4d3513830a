"""Why a metric that a company derives from others changed: by those, exactly; who moved it, and which events are behind it."""

import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.conftest import PostgresServer
from tests.integration.analysis.stage import Told, telling
from tests.integration.analysis.test_explaining import (
    AUTUMN,
    SETTLED,
    complaints,
    definitions,
    growing_up,
    parts,
    revenue,
    use,
)

from common.catalogue import Catalogue
from common.catalogue.models import Metric

NET = "mrr_new + mrr_expansion - mrr_contraction - mrr_churned"
OWN = {
    "own_net": (NET, "money", "cohort_recompute"),
    "own_rate": ("(mrr_expansion - mrr_contraction - mrr_churned) / (mrr - own_net)", "ratio", "ratio"),
    "own_three": ("own_net / paying_accounts - 2 * complaints * mrr / portal_logins", "money", "ratio"),
    "own_pair": ("nrr / grr", "ratio", "ratio"),
    "own_share": ("mrr_churned / mrr", "ratio", "ratio"),
}
INPUTS = ("mrr_new", "mrr_expansion", "mrr_contraction", "mrr_churned")
MONTHS = ("2026-08-01", "2026-09-01", "2026-10-01")


def ours() -> Catalogue:
    base = definitions()
    body = base.metrics["cost_to_serve"].model_dump(mode="json")
    own = {
        name: Metric.model_validate({
            **body, "name": name, "unit": unit, "rollup": rollup, "kind": "derived",
            "formula": {"type": "derived", "cel": cel},
        })
        for name, (cel, unit, rollup) in OWN.items()
    }  # fmt: skip
    edge = next(iter(base.drivers.values()))
    edges = {
        name: edge.model_copy(update={"name": name, "driver": driver, "moves": "own_net"})
        for name, driver in (("by_churn", "mrr_churned"), ("by_use", "portal_logins"))
    }
    assert base.scorecard is not None
    card = base.scorecard.model_copy(update={"kpis": ("own_net", "own_rate")})
    return base.model_copy(update={"metrics": {**base.metrics, **own}, "drivers": edges, "scorecard": card})


@pytest.fixture(scope="module")
def told(postgres_server: PostgresServer, migrated_template: str) -> Iterator[Told]:
    name = f"derived_{uuid.uuid4().hex}"
    postgres_server.execute("create database {} template {} strategy file_copy", name, migrated_template)
    with telling(postgres_server.database_url(name), ours()) as made:
        made.history.tell([*revenue(), growing_up(), *use(), *complaints()])
        made.history.applied(SETTLED)
        yield made
    postgres_server.drop(name)


def figures(told: Told, *metrics: str, **more: Any) -> list[dict[str, Decimal]]:
    """Of August and of September."""
    asked = {"metrics": metrics, "from": MONTHS[0], "to": MONTHS[2], "grain": "month", **more}
    months: dict[str, dict[str, Decimal]] = {}
    for row in told.post("/v1/query", asked)["data"]:
        months.setdefault(row["bucket"], {})[row["metric"]] = Decimal(str(row["value"]))
    return [months[bucket] for bucket in sorted(months)]


@pytest.mark.parametrize("part", [{}, {"filter": {"segment": ["large"]}}, {"accounts": ["bolt", "fern"]}])
def test_each_term_of_a_sum_is_told_by_what_it_changed(told: Told, part: dict[str, Any]) -> None:
    answer = told.post("/v1/explain-change", {**AUTUMN, "metric": "own_net", **part})
    inputs = parts(answer)["inputs"]["inputs"]
    before, after = figures(told, *INPUTS, "own_net", **part)
    signs = {"mrr_new": 1, "mrr_expansion": 1, "mrr_contraction": -1, "mrr_churned": -1}
    changed = {name: sign * (after[name] - before[name]) for name, sign in signs.items()}
    assert {one["input"]: Decimal(one["amount"]) for one in inputs} == changed
    assert Decimal(answer["change"]) == after["own_net"] - before["own_net"] == sum(changed.values())
    moved = [*answer["accounts"]["data"], answer["accounts"]["rest"]]
    assert sum(Decimal(one["amount"]) for one in moved) == Decimal(answer["change"])


@pytest.mark.parametrize("metric", ["own_rate", "own_three", "own_pair", "own_share"])
@pytest.mark.parametrize("part", [{}, {"filter": {"segment": ["small"]}}])
def test_products_and_quotients_are_told_by_all_that_they_are_made_of(
    told: Told, metric: str, part: dict[str, Any]
) -> None:
    answer = told.post("/v1/explain-change", {**AUTUMN, "metric": metric, **part})
    found = parts(answer)
    before, after = figures(told, metric, **part)
    assert abs(after[metric] - before[metric] - Decimal(answer["change"])) < Decimal("1e-12")
    if metric in ("own_rate", "own_share"):  # accounts make both of its sides
        moved = [*answer["accounts"]["data"], answer["accounts"]["rest"]]
        assert sum(Decimal(one["amount"]) for one in moved) == Decimal(answer["change"])
    else:
        assert answer["accounts"] is None
    named = {one["input"] for one in found["inputs"]["inputs"]}
    assert named <= {"numerator", "denominator", "nrr", "grr", "own_net", "paying_accounts", "complaints", "mrr", "portal_logins", *INPUTS}  # fmt: skip
    assert "value" not in named


def test_the_whole_is_explained_although_slices_of_it_are_none(told: Told) -> None:
    answer = told.post("/v1/explain-change", {**AUTUMN, "metric": "own_net", "by": ["segment"]})
    mix = parts(answer)["mix"]
    assert (mix["amount"], mix["slices"]) == ("0", [])
    assert "told by the metrics that it is derived from" in mix["note"]


def test_movers_of_a_sum_are_those_of_its_metrics(told: Told) -> None:
    answer = told.post("/v1/movers", {**AUTUMN, "metric": "own_net"})
    amounts = {one["account"]: Decimal(one["amount"]) for one in answer["movers"]["data"]}
    # In August dune grew by 60 and fern came with 1,000; in September acme lost 100, edge 20 and bolt all of its 800.
    assert amounts == {"fern": -1000, "bolt": -800, "acme": -100, "dune": -60, "edge": -20}


def test_movers_of_what_does_not_add_up_are_refused_with_a_reason(told: Told) -> None:
    answer = told.send("POST", "/v1/movers", {**AUTUMN, "metric": "own_three"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == "metric-not-additive"
    assert "ask for the movers of what it is made of: own_net, " in answer.json()["detail"]


def test_the_events_behind_it_are_those_of_its_inputs(told: Told) -> None:
    address = f"/v1/metrics/own_net/events?account=bolt&from={MONTHS[1]}&to={MONTHS[2]}"
    rows = told.get(address)["data"]
    assert {row["type"] for row in rows} >= {"subscription.cancelled"}
    accounts = {
        row["group"]["account"]
        for row in told.get(
            f"/v1/query?metrics=own_net&from={MONTHS[1]}&to={MONTHS[2]}&grain=total&group_by=account&contributing=true"
        )["data"]
    }
    assert accounts >= {"acme", "bolt", "edge"}


def test_it_stands_wherever_a_metric_may(told: Told) -> None:
    """On its own page, in the list, in the revisions, among the drivers; a figure that accounts don't have is refused with its reason."""
    span = f"from={MONTHS[0]}&to={MONTHS[2]}"
    assert told.get("/v1/metrics/own_net")["formula"] == {"type": "derived", "cel": NET}
    assert "own_rate" in {one["name"] for one in told.get("/v1/metrics")["data"]}
    assert "data" in told.get(f"/v1/revisions?metric=own_net&{span}")
    for metric in OWN:
        asked = {"driver": metric, "from": MONTHS[0], "to": MONTHS[1]}
        answer = told.send("POST", "/v1/drivers/churn-by-decile", asked)
        assert answer.status_code == 200, answer.text
    card = told.get("/v1/scorecard")
    assert [one["name"] for one in card["kpis"]] == ["own_net", "own_rate"]


def test_what_its_inputs_count_is_not_tested_as_its_driver(told: Told) -> None:
    edges = told.get("/v1/drivers?moves=own_net&by=")["data"]
    states = {one["name"]: one["state"] for one in edges}
    assert states == {"by_churn": "shared_events", "by_use": "too_little_data"}
