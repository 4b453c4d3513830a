"""The address behind a figure answers for every metric of the pack: accounts that add up to it, and their events that count."""

import csv
import io
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from tests.integration.api_gateway.world import ROOT, Served, Tenant, World
from tests.integration.kpi_engine.figures_stage import Ev, Stage

from common import catalogue
from common.catalogue.economics import NpsWave
from common.catalogue.lifecycles import Answers, Duration, Entered, Open, Share
from common.catalogue.models import Catalogue, Metric, Nps, Simple
from common.clock import FixedClock

NOW = datetime(2026, 6, 15, 11, 30, tzinfo=UTC)
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
ACCOUNTS = ("acme", "bolt/co", "core", "dune")
HUGE = 10**400  # accepted as it is written, and larger than any double
PEOPLE = ("ann", "bob", "eve")


def history(rng: random.Random) -> Iterator[tuple[str, str, str | None, dict[str, Any]]]:
    """Something of every kind that the pack reads: type, account, person, data."""
    account, person = rng.choice(ACCOUNTS), rng.choice(PEOPLE)
    name = f"x{rng.randrange(4)}"
    money = {"currency": "EUR"}
    yield from (
        ("user.logged_in", account, person, {}),
        ("feature.used", account, rng.choice([person, None]), {"feature": name}),
        ("complaint.filed", account, None, {"complaint": name}),
        ("complaint.resolved", account, None, {"complaint": name}),
        ("ticket.opened", account, None, {"ticket": name}),
        ("ticket.first_responded", account, None, {"ticket": name}),
        ("ticket.resolved", account, None, {"ticket": name}),
        ("onboarding.milestone_reached", account, None, {"milestone": rng.choice(["kickoff", "configured", "first_value", "live"])}),
        ("survey.sent", account, person, {"survey": name, "kind": "nps"}),
        ("survey.responded", account, person, {"survey": name, "kind": rng.choice(["nps", "csat", "ces"]), "score": rng.randrange(1, 8), "wave": rng.choice(["one", "two"]), "transactional": rng.random() < 0.3}),
        ("survey.responded", account, person, {"survey": rng.choice(["onboarding", name]), "kind": "csat", "score": rng.randrange(1, 6)}),
        ("subscription.started", account, None, {"subscription": account, "mrr": str(rng.randrange(50, 90)), "seats": 4, **money}),
        ("subscription.changed", account, None, {"subscription": account, "mrr": str(rng.randrange(10, 99)), **money}),
        ("deal.created", account, None, {"deal": name, "amount": "100", **money}),
        ("deal.qualified", account, None, {"deal": name}),
        ("deal.won", account, None, {"deal": name, "amount": "120", **({"partner": "p"} if rng.random() < 0.3 else {}), **money}),
        ("deal.lost", account, None, {"deal": name}),
        ("activity.logged", account, None, {"owner": "o", "kind": "call", "two_way": True}),
        ("invoice.failed", account, None, {"invoice": name, "amount": "5", **money}),
        ("account.updated", account, None, {"traits": {"segment": rng.choice(["smb", "big"]), "seats": 3, "owner": "o"}}),
        ("account.closed", account, None, {"reason": "moved"}),
        ("account.created", account, None, {"traits": {}}),
        ("feedback.received", account, person, {"theme": name, "text": "well"}),
        ("success_plan.set", account, None, {"goal": name, "measure": "hours", "baseline": 10, "target": 5, "due": "2026-05-01"}),
        ("success_plan.progressed", account, None, {"goal": name, "value": rng.randrange(10)}),
        ("benefit.confirmed", account, None, {"yearly_benefit": "900", "customer_effort": "10", **money}),
        ("user.updated", account, "eve", {"traits": {"is_internal": True}}),
    )  # fmt: skip


@pytest.fixture(scope="module")
def told(world: World) -> Iterator[tuple[Tenant, Catalogue]]:
    rng = random.Random(11)
    ours = world.tenant("behind", with_catalogue=False)
    pack = catalogue.load(ROOT / "catalogue")
    with world.connect() as connection:
        catalogue.apply(connection, ours.slug, pack)
    stage = Stage(world.url, pack, FixedClock(NOW))
    stage.tenant_id = ours.id
    drawn = [one for _ in range(25) for one in history(rng)]
    events = [
        Ev(kind, FIRST + timedelta(minutes=rng.randrange(105 * 24 * 60)), f"e{n}", account, person, data)
        for n, (kind, account, person, data) in enumerate(drawn)
    ]
    stage.write(events)
    spend = {"amount": "90", "currency": "EUR", "purpose": "acquisition"}
    stage.write(
        [
            Ev("spend.recorded", NOW - timedelta(days=1), "s1", data={**spend, "period": "2026-04"}),
            Ev("spend.recorded", FIRST, "s2", data=spend),
        ]
    )
    stage.write(
        [
            *seated("elm"),
            *seated("fir"),
            Ev("account.updated", FIRST, "fir-4", "fir", None, {"traits": {"seats": 5}}),
        ]
    )
    stage.write([Ev("feature.used", NOW, "huge", "gum", "ann", {"feature": "f", "value": HUGE})])
    yield ours, pack
    stage.close()


def pages(gateway: Served, tenant: Tenant, address: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = gateway.get(f"{address}{cursor}", tenant)
        assert answer.status_code == 200, f"{address}: {answer.text}"
        found += answer.json()["data"]
        if answer.json()["next_cursor"] is None:
            return found
        cursor = f"&cursor={answer.json()['next_cursor']}"


def number(value: Any) -> Fraction:
    return Fraction(Decimal(str(value))) if value is not None else Fraction(0)


def cohort_of(metric: Metric, row: dict[str, Any]) -> tuple[tuple[str, ...], int] | None:
    """As what each case of an account's figure counts once, and how many there are; None where a case has several events."""
    formula = metric.formula
    if isinstance(formula, Entered | Answers | NpsWave) or (
        isinstance(formula, Nps) and formula.by == "respondent"
    ):
        return ("value",), row["n"]
    if isinstance(formula, Open):
        return ("value",), row["n"]
    if isinstance(formula, Share):
        return ("numerator", "denominator"), row["denominator"]
    if isinstance(formula, Duration) and formula.cohort == "start" and len(formula.start) == 1:
        return ("start",), row["denominator"]
    return None


def test_every_figure_leads_to_its_accounts_and_they_to_their_events(
    told: tuple[Tenant, Catalogue], gateway: Served
) -> None:
    ours, pack = told
    asked = [name for name, metric in pack.metrics.items() if metric.feasibility != "planned"]
    missing = []
    for first in range(0, len(asked), 25):
        body = {
            "metrics": asked[first : first + 25],
            "from": "2026-03-01",
            "to": "2026-06-01",
            "grain": "total",
            "limit": 100,
        }
        for figure in gateway.post("/v1/query", ours, body).json()["data"]:
            metric = pack.metrics[figure["metric"]]
            accounts = pages(gateway, ours, figure["behind"])
            if figure["behind"].startswith("/v1/metrics/"):
                assert bool(accounts) == bool(number(figure["value"])), metric.name
                continue
            assert {row["metric"] for row in accounts} <= {metric.name}
            if metric.rollup == "sum" and figure["denominator"] is None:
                its = sum((number(row["value"]) for row in accounts), Fraction())
                assert its == number(figure["value"]), metric.name
            for row in accounts[:2]:
                events = pages(gateway, ours, f"{row['behind']}&limit=100")
                assert all(event["counts_as"] for event in events)
                if (
                    isinstance(metric.formula, Simple)
                    and pack.measures[metric.formula.measure].agg == "count"
                ):
                    assert len(events) == row["value"], metric.name
                cohort = cohort_of(metric, row)
                if cohort is not None:
                    part, size = cohort
                    counted = [one for one in events if any(as_["part"] in part for as_ in one["counts_as"])]
                    assert len(counted) == size, (metric.name, row["group"])
                if not events:
                    missing.append((metric.name, row["group"]["account"]))
    assert not missing, sorted({name for name, _ in missing})


def test_what_was_done_again_is_behind_no_later_figure(
    told: tuple[Tenant, Catalogue], gateway: Served
) -> None:
    ours, pack = told
    asked = [name for name, metric in pack.metrics.items() if cohort_of(metric, {"n": 0, "denominator": 0})]
    ends = {"from": "2026-05-01", "to": "2026-06-01", "grain": "total"}
    found = gateway.post("/v1/query", ours, {"metrics": asked, **ends, "group_by": ["account"]}).json()
    for row in found["data"]:
        part, size = cohort_of(pack.metrics[row["metric"]], row) or ((), None)
        events = pages(gateway, ours, row["behind"]) if row["behind"] else []
        counted = [one for one in events if any(as_["part"] in part for as_ in one["counts_as"])]
        assert len(counted) == (size or 0), (row["metric"], row["group"])


def test_seats_lead_to_the_subscriptions_that_told_them_unless_the_trait_does(
    told: tuple[Tenant, Catalogue], gateway: Served
) -> None:
    ours, _ = told
    body = {"metrics": ["adoption_rate"], "from": "2026-05-31", "to": "2026-06-01", "grain": "day", "group_by": ["account"]}  # fmt: skip
    figures = gateway.post("/v1/query", ours, body).json()["data"]

    def counted(account: str) -> dict[str, Any]:
        (figure,) = (one for one in figures if one["group"]["account"] == account)
        events = pages(gateway, ours, f"{figure['behind']}&limit=100")
        return {
            "of": figure["denominator"],
            **{event["id"]: event["counts_as"][0]["part"] for event in events},
        }

    assert counted("elm") == {"of": 4, "elm-1": "denominator", "elm-3": "numerator"}
    assert counted("fir") == {"of": 5, "fir-4": "denominator", "fir-3": "numerator"}


def seated(account: str) -> list[Ev]:
    fee = {"mrr": "10", "currency": "EUR"}
    return [
        Ev("subscription.started", FIRST, f"{account}-1", account, None, {"subscription": "s", "seats": 4, **fee}),
        Ev("subscription.started", FIRST, f"{account}-2", account, None, {"subscription": "t", **fee}),
        Ev("user.logged_in", NOW - timedelta(days=20), f"{account}-3", account, "ann"),
    ]  # fmt: skip


def test_what_the_tenant_spent_leads_to_its_own_events(
    told: tuple[Tenant, Catalogue], gateway: Served
) -> None:
    ours, _ = told
    address = "/v1/metrics/acquisition_spend/events?from=2026-04-01&to=2026-05-01"
    assert [event["id"] for event in pages(gateway, ours, address)] == ["s1"], "told in June for April"
    assert [event["id"] for event in pages(gateway, ours, address.replace("04-01", "03-01"))] == ["s1", "s2"]


def test_pages_of_events_go_on_and_bad_questions_are_refused(
    told: tuple[Tenant, Catalogue], gateway: Served
) -> None:
    ours, _ = told
    address = "/v1/metrics/events/events?account=bolt%2Fco&from=2026-03-01&to=2026-06-01"
    found = pages(gateway, ours, f"{address}&limit=9")
    assert [event["time"] for event in found] == sorted((event["time"] for event in found), reverse=True)
    assert len({event["id"] for event in found}) == len(found) > 50
    for change, code in (
        ("account=nobody", "account-unknown"),
        ("from=soon", "from-invalid"),
        ("cursor=x", "cursor-invalid"),
    ):
        assert gateway.get(f"{address}&{change}", ours).json()["code"] in (code, "request-invalid"), change
    assert gateway.get(address.replace("/events/", "/nothing/"), ours).json()["code"] == "metric-unknown"


def test_an_event_with_a_number_beyond_all_doubles_is_shown(
    told: tuple[Tenant, Catalogue], gateway: Served
) -> None:
    ours, _ = told
    days = "from=2026-06-15&to=2026-06-16"
    for address in ("gum", "gum/events", "gum/timeline"):
        assert gateway.get(f"/v1/accounts/{address}", ours).status_code == 200, address
    (event,) = pages(gateway, ours, f"/v1/metrics/events/events?account=gum&{days}")
    assert event["data"]["value"] == str(HUGE)


def test_a_table_of_money_sums_to_the_figures(told: tuple[Tenant, Catalogue], gateway: Served) -> None:
    ours, _ = told
    body = {"metrics": ["net_new_mrr"], "from": "2026-03-01", "to": "2026-06-01", "grain": "week", "group_by": ["account"]}  # fmt: skip
    figures = gateway.post("/v1/query", ours, body).json()["data"]
    table = list(csv.DictReader(io.StringIO(gateway.post("/v1/query", ours, body, Accept="text/csv").text)))
    amounts = [Decimal(row["value"]) for row in table if row["value"]]
    assert sum(amounts) == sum(Decimal(one["value"]) for one in figures if one["value"] is not None)
    assert min(amounts) < 0 < max(amounts)
    assert {row["value"] for row in table} == {one["value"] or "" for one in figures}
