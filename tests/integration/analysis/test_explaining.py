"""A history of two months in which everything that changes is known, and what the gateway says of it."""

import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import PostgresServer
from tests.integration.analysis.correcting import leave
from tests.integration.analysis.stage import Told, telling
from tests.integration.kpi_engine.figures_stage import Ev

from api_gateway.http import analysis_schemas as schemas
from common.catalogue import Catalogue, load
from common.catalogue.models import Metric

AUGUST, SEPTEMBER, OCTOBER = (datetime(2026, month, 1, tzinfo=UTC) for month in (8, 9, 10))
DAY = timedelta(days=1)
LATE = datetime(2026, 10, 20, tzinfo=UTC)  # more than 45 days after August, when revenue is settled
SETTLED = datetime(2026, 11, 20, tzinfo=UTC)
# MRR before August, after it, and after September, by account and segment.
REVENUE = {
    ("acme", "large"): (1000, 1000, 900),
    ("bolt", "large"): (800, 800, 0),
    ("core", "large"): (1200, 1200, 1200),
    ("dune", "small"): (500, 560, 560),
    ("edge", "small"): (500, 500, 480),
    ("fern", "small"): (0, 1000, 1000),
    ("gale", "small"): (100, 100, 100),
}
SILENT = [date(2026, 9, day) for day in (8, 9, 10)]
AUTUMN = {"metric": "nrr", "from": "2026-09-01", "to": "2026-10-01", "compare": "previous_period"}


def definitions(**changes: Any) -> Catalogue:
    base = load(Path(__file__).parents[3] / "catalogue")
    body = base.metrics["complaints_per_100_accounts"].model_dump(mode="json")
    changed = Metric.model_validate({**body, **changes})
    return base.model_copy(update={"metrics": {**base.metrics, "complaints_per_100_accounts": changed}})


@pytest.fixture(scope="module")
def told(postgres_server: PostgresServer, migrated_template: str) -> Iterator[Told]:
    name = f"explained_{uuid.uuid4().hex}"
    postgres_server.execute("create database {} template {} strategy file_copy", name, migrated_template)
    first = definitions()
    formula = {"type": "derived", "cel": "1000 * complaints / paying_accounts"}
    second = definitions(formula=formula, version=2, effective_from=date(2026, 9, 1))
    with telling(postgres_server.database_url(name), first, second) as made:
        made.history.tell([*revenue(), growing_up(), *use(), *complaints()])
        made.history.tell([*late_complaints(), *late_invoices()], LATE)
        made.history.applied(SETTLED)
        yield made
    postgres_server.drop(name)


def revenue() -> Iterator[Ev]:
    for (account, segment), levels in REVENUE.items():
        traits = {"traits": {"segment": segment}}
        yield Ev("account.created", AUGUST - 60 * DAY, f"{account}-new", account, None, traits)
        before = 0
        for number, (at, mrr) in enumerate(
            zip((AUGUST - 60 * DAY, AUGUST + 9 * DAY, SEPTEMBER + 9 * DAY), levels, strict=True)
        ):
            if mrr != before:
                kind = "started" if not before else "changed" if mrr else "cancelled"
                data = {"subscription": account, "mrr": f"{mrr}.00", "currency": "EUR"}
                yield Ev(f"subscription.{kind}", at, f"{account}-{number}", account, None, data)
            before = mrr


def growing_up() -> Ev:
    """Gale is large from the middle of September on."""
    return Ev(
        "account.updated", SEPTEMBER + 14 * DAY, "gale-large", "gale", None, {"traits": {"segment": "large"}}
    )


def use() -> Iterator[Ev]:
    """Twenty log-ins a day, half of them from the app, of which nothing came on three days."""
    for day in range(61):
        at = AUGUST + day * DAY + timedelta(hours=9)
        for number in range(20):
            source = "app" if number % 2 else "web"
            if source == "app" and at.date() in SILENT:
                continue
            account = ("acme", "core", "dune", "edge")[number % 4]
            event_at = at + number * timedelta(minutes=1)
            yield Ev("user.logged_in", event_at, f"in-{day}-{number}", account, f"u{number}", {}, source)


def complaints() -> Iterator[Ev]:
    for number, month in enumerate((AUGUST, SEPTEMBER)):
        for n in range(4 + 3 * number):
            at = month + (2 * n + 1) * DAY
            yield Ev("complaint.filed", at, f"c-{number}-{n}", "core", None, {"complaint": f"c-{number}-{n}"})


def late_complaints() -> Iterator[Ev]:
    for n in range(2):
        at = AUGUST + (3 + n) * DAY
        yield Ev("complaint.filed", at, f"late-{n}", "edge", None, {"complaint": f"late-{n}"})


def late_invoices() -> Iterator[Ev]:
    """Failed invoices and reviews: all that there were in August."""
    for n in range(3):
        at = AUGUST + n * DAY
        yield Ev(
            "invoice.failed",
            at,
            f"bill-{n}",
            "core",
            None,
            {"invoice": f"b{n}", "amount": "1.00", "currency": "EUR"},
        )
        yield Ev("activity.logged", at, f"review-{n}", "core", None, {"owner": "kim", "kind": "review"})


def parts(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Of an answer that is as the reference describes it, and adds up."""
    schemas.Explanation.model_validate(answer)
    found = {part["part"]: part for part in answer["parts"]}
    assert list(found) == ["definition", "late_data", "missing_data", "mix", "inputs"]
    amounts = [Decimal(part["amount"]) for part in found.values()]
    assert sum(amounts) == Decimal(answer["change"])
    start = Decimal(answer["earlier"]["as_known_when_complete"])
    assert start + sum(amounts) == Decimal(answer["later"]["value"])
    return found


def test_retention_fell_because_of_two_accounts_and_the_answer_says_so(told: Told) -> None:
    answer = told.post("/v1/explain-change", AUTUMN)
    found = parts(answer)
    before, after = (Decimal(answer[name]["value"]) for name in ("earlier", "later"))
    assert (before, after) == (places(Decimal(4160) / 4100), places(Decimal(4240) / 5160))
    by_input = {one["input"]: one for one in found["inputs"]["inputs"]}
    assert {name: one["accounts"] for name, one in by_input.items()} == {
        "expansion": 0,
        "contraction": 2,
        "churned": 1,
    }
    accounts = {one["account"]: one for one in answer["accounts"]["data"]}
    assert list(accounts)[:2] == ["bolt", "acme"]
    assert abs(Decimal(accounts["bolt"]["amount"]) - Decimal(-800) / 5160) < Decimal("1e-12")
    moved = [*answer["accounts"]["data"], answer["accounts"]["rest"]]
    assert sum(Decimal(one["amount"]) for one in moved) == Decimal(answer["change"])
    assert answer["sentence"].startswith("Net revenue retention fell") or answer["sentence"].startswith(
        "NRR fell"
    )
    assert "(bolt)" in answer["sentence"]


def places(number: Decimal) -> Decimal:
    return round(number, 12)


def test_the_figures_are_those_of_a_query(told: Told) -> None:
    answer = told.post("/v1/explain-change", AUTUMN)
    for name in ("earlier", "later"):
        [row] = told.get(answer[name]["behind"].replace("&group_by=account", ""))["data"]
        assert abs(Decimal(row["value"]) - Decimal(answer[name]["value"])) < Decimal("1e-12")


def test_mrr_is_told_by_its_movements(told: Told) -> None:
    answer = told.post("/v1/explain-change", {**AUTUMN, "metric": "mrr"})
    by_input = {one["input"]: one["amount"] for one in parts(answer)["inputs"]["inputs"]}
    assert answer["change"] == "-920"
    assert {name: amount for name, amount in by_input.items() if amount != "0"} == {
        "contraction": "-120",
        "churned": "-800",
    }
    assert [one["account"] for one in answer["accounts"]["data"]] == ["bolt", "acme", "edge"]
    who = {one["input"]: one["accounts"] for one in parts(answer)["inputs"]["inputs"] if one["accounts"]}
    assert who == {"contraction": 2, "churned": 1}


def test_what_a_quotient_is_made_of_is_called_by_its_label(told: Told) -> None:
    answer = told.post("/v1/explain-change", {**AUTUMN, "metric": "complaints_per_100_accounts"})
    assert " from a higher figure of Complaints" in answer["sentence"]
    assert {one["label"] for one in parts(answer)["inputs"]["inputs"]} == {
        "figure of Complaints",
        "figure of Paying accounts",
    }
    due = told.post("/v1/explain-change", {**AUTUMN, "metric": "logo_churn"})
    assert [one["label"] for one in parts(due)["inputs"]["inputs"]] == [
        "number of accounts lost",
        "number of accounts at the start",
    ]


def test_net_new_mrr_is_told_by_how_much_more_or_less_moved(told: Told) -> None:
    answer = told.post("/v1/explain-change", {**AUTUMN, "metric": "net_new_mrr"})
    did = {
        name: [Decimal(told.get(f"/v1/query?metrics=mrr_{name}&grain=total&from={month}-01&to={end}-01")["data"][0]["value"])
               for month, end in (("2026-08", "2026-09"), ("2026-09", "2026-10"))]
        for name in ("new", "expansion", "contraction", "churned", "reactivation")
    }  # fmt: skip
    told_by = {one["input"]: Decimal(one["amount"]) for one in parts(answer)["inputs"]["inputs"]}
    for name, (before, after) in did.items():
        assert told_by[name] == (after - before) * (-1 if name in ("contraction", "churned") else 1), name
    assert sum(told_by.values()) == Decimal(answer["change"])
    who = {one["input"]: one["accounts"] for one in parts(answer)["inputs"]["inputs"] if one["accounts"]}
    assert who == {"contraction": 2, "churned": 1}


def test_accounts_that_change_slices_are_told_as_transfers(told: Told) -> None:
    small = {**AUTUMN, "metric": "mrr", "filter": {"segment": ["small"]}}
    answer = told.post("/v1/explain-change", small)
    by_input = {
        one["input"]: one["amount"] for one in parts(answer)["inputs"]["inputs"] if one["amount"] != "0"
    }
    assert by_input == {"contraction": "-20", "transfer_out": "-100"}


def test_what_a_source_that_fell_silent_took_is_estimated(told: Told) -> None:
    answer = told.post("/v1/explain-change", {**AUTUMN, "metric": "portal_logins"})
    missing = parts(answer)["missing_data"]
    [silent] = missing["silent"]
    assert (silent["type"], silent["source"], silent["days"]) == (
        "user.logged_in",
        "app",
        [str(day) for day in SILENT],
    )
    assert silent["expected_events"] == 30
    # 620 log-ins in August; half from the app, of whose 30 September days 3 are missing.
    assert (missing["amount"], missing["known"]) == ("-31", True)
    assert "user.logged_in from app fell silent" in answer["sentence"]


@pytest.mark.parametrize("part", [{"accounts": ["acme"]}, {"filter": {"segment": ["large"]}}])
def test_what_a_part_of_the_accounts_lacks_is_not_known(told: Told, part: dict[str, Any]) -> None:
    """Acme's log-ins come from the web: nothing of it is missing, though a source of the tenant fell silent."""
    answer = told.post("/v1/explain-change", {**AUTUMN, "metric": "portal_logins", **part})
    missing = parts(answer)["missing_data"]
    assert (missing["amount"], missing["known"], len(missing["silent"])) == ("0", False, 1)


def test_what_came_late_is_a_part_and_its_definition_another(told: Told) -> None:
    """Of August two complaints came late, and three were deleted since: seven were known of seven accounts."""
    for n in range(3):
        at = AUGUST + (2 * n + 3) * DAY
        gone = Ev("complaint.filed", at, f"gone-{n}", "core", None, {"complaint": f"gone-{n}"})
        leave(told.history, gone, LATE, at, "deletion")
    found = parts(told.post("/v1/explain-change", {**AUTUMN, "metric": "complaints"}))
    assert (found["late_data"]["amount"], found["late_data"]["events"]) == ("-1", {"complaint.filed": 2})
    answer = told.post("/v1/explain-change", {**AUTUMN, "metric": "complaints_per_100_accounts"})
    definition = parts(answer)["definition"]
    assert (definition["earlier_version"], definition["later_version"]) == (1, 2)
    known, now = (Decimal(answer["earlier"][name]) for name in ("as_known_when_complete", "value"))
    assert (known, now) == (Decimal(100), places(Decimal(6000) / 7))
    assert abs(Decimal(definition["amount"]) - 900) < Decimal("1e-11"), (
        "what was known, by the new definition"
    )
    late = parts(answer)["late_data"]
    assert (late["events"], late["known"]) == ({"complaint.filed": 2}, True)
    assert abs(Decimal(late["amount"]) + Decimal(1000) / 7) < Decimal("1e-11")
    assert "from its new definition (version 2 instead of 1)" in answer["sentence"]


def test_a_period_of_which_all_came_late_was_known_as_empty(told: Told) -> None:
    """Of a count that is; of reviews, which are chosen by what they say, it isn't known."""
    counted = told.post("/v1/explain-change", {**AUTUMN, "metric": "failed_invoices"})
    late = parts(counted)["late_data"]
    assert (late["events"], late["amount"], late["known"]) == ({"invoice.failed": 3}, "3", True)
    assert counted["earlier"]["as_known_when_complete"] == "0"
    late = parts(told.post("/v1/explain-change", {**AUTUMN, "metric": "reviews_held"}))["late_data"]
    assert (late["events"], late["amount"], late["known"]) == ({"activity.logged": 3}, "0", False)


def test_a_part_of_the_accounts_is_explained_alone(told: Told) -> None:
    small = told.post("/v1/explain-change", {**AUTUMN, "filter": {"segment": ["small"]}})
    assert {one["account"] for one in small["accounts"]["data"]} == {"dune", "edge"}
    one = told.post("/v1/explain-change", {**AUTUMN, "accounts": ["bolt"]})
    assert (one["earlier"]["value"], one["later"]["value"], one["change"]) == ("1", "0", "-1")


@pytest.mark.parametrize(
    "metric",
    [
        "active_users_28d",
        "stickiness",
        "login_trend",
        "logo_churn",
        "grr_12m",
        "deal_velocity",
        "nps",
        "time_to_value",
    ],
)
def test_any_figure_is_explained_or_said_to_be_unknown(told: Told, metric: str) -> None:
    answer = told.post("/v1/explain-change", {**AUTUMN, "metric": metric})
    if answer["change"] is None:
        assert "unknown" in answer["sentence"]
        assert answer["parts"] == []
    else:
        parts(answer)


def test_movers_are_ranked_by_account_and_by_trait(told: Told) -> None:
    by_account = told.post("/v1/movers", {**AUTUMN, "metric": "mrr", "limit": 1})["movers"]
    assert [(one["account"], one["amount"]) for one in by_account["data"]] == [("bolt", "-800")]
    assert by_account["rest"] == {"count": 2, "amount": "-120"}
    whole = told.post("/v1/movers", {**AUTUMN, "metric": "mrr"})
    schemas.Movers.model_validate(whole)
    by_segment = told.post("/v1/movers", {**AUTUMN, "metric": "mrr", "by": "segment"})["movers"]
    assert [(one["segment"], one["amount"]) for one in by_segment["data"]] == [
        ("large", "-800"),
        ("small", "-120"),
    ]


def test_movers_of_an_unknown_figure_say_why_there_are_none(told: Told) -> None:
    early = {"metric": "grr", "earlier": {"from": "2020-01-01", "to": "2020-02-01"}, "later": {"from": "2026-09-01", "to": "2026-10-01"}}  # fmt: skip
    answer = told.post("/v1/movers", early)
    assert (answer["earlier"]["value"], answer["movers"]["data"]) == (None, [])
    assert answer["reason"].startswith("Nobody is ranked: the earlier figure is unknown (")
    assert told.post("/v1/movers", {**AUTUMN, "metric": "mrr"})["reason"] is None


def test_movers_of_a_median_say_what_to_ask_instead(told: Told) -> None:
    for name, month in (("hull", AUGUST), ("iris", SEPTEMBER)):
        live = {"milestone": "first_value"}
        told.history.tell([
            Ev("account.created", month, f"{name}-new", name, None, {"traits": {}}),
            Ev("onboarding.milestone_reached", month + 5 * DAY, f"{name}-live", name, None, live),
        ])  # fmt: skip
    answer = told.send("POST", "/v1/movers", {**AUTUMN, "metric": "time_to_value"})
    assert (answer.status_code, answer.json()["code"]) == (400, "metric-not-additive")
    assert answer.json()["message"].endswith("; POST /v1/query with group_by account shows it for each")


def test_a_period_that_is_not_over_is_said_to_be_so(told: Told) -> None:
    ahead = {
        "earlier": {"from": "2026-08-01", "to": "2026-09-01"},
        "later": {"from": "2099-08-01", "to": "2099-09-01"},
    }
    answer = told.post("/v1/explain-change", {"metric": "complaints", **ahead})
    assert answer["sentence"].endswith(" The later period is not over yet.")
    assert "not over" not in told.post("/v1/explain-change", {**AUTUMN, "metric": "complaints"})["sentence"]


def test_annotations_of_both_periods_stand_beside(told: Told) -> None:
    said = {
        "from": "2026-09-05",
        "to": "2026-09-06",
        "kind": "price",
        "text": "New price list",
        "segments": ["large"],
    }
    made = told.send("POST", "/v1/annotations", said, "act")
    assert made.status_code == 201, made.text
    one = made.json()
    assert (one["from"], one["author"]) == ("2026-09-05T00:00:00Z", "act key")
    beside = told.post("/v1/explain-change", AUTUMN)["annotations"]
    assert (beside["earlier"], beside["later"]) == ([], [one])
    assert told.get("/v1/annotations?from=2026-09-01&to=2026-10-01&kind=price&segment=large")["data"] == [one]
    assert told.get("/v1/annotations?segment=small")["data"] == []
    other = told.send(
        "POST", "/v1/annotations", {**said, "to": "2026-09-07", "kind": "outage", "segments": []}, "act"
    ).json()
    page = told.get("/v1/annotations?limit=1")
    rest = told.get(f"/v1/annotations?limit=1&cursor={page['next_cursor']}")
    assert ([*page["data"], *rest["data"]], rest["next_cursor"]) == ([other, one], None)
    assert told.get("/v1/annotations?account=acme")["data"] == [other]
    assert (
        told.send("GET", f"/v1/annotations?kind=price&cursor={page['next_cursor']}").json()["code"]
        == "cursor-invalid"
    )
    schemas.AnnotationsPage.model_validate(page)
    named = {**said, "segments": [], "accounts": ["bolt"]}
    of_bolt = told.send("POST", "/v1/annotations", named, "act").json()
    for account, seen in (("bolt", True), ("acme", False)):
        beside = told.post("/v1/explain-change", {**AUTUMN, "accounts": [account]})["annotations"]
        assert (of_bolt in beside["later"]) is seen
    assert told.send("POST", "/v1/annotations", said).status_code == 403
    assert told.send("DELETE", f"/v1/annotations/{one['id']}", scope="act").status_code == 204
    gone = told.send("DELETE", f"/v1/annotations/{one['id']}", scope="act")
    assert (gone.status_code, gone.json()["code"]) == (404, "annotation-unknown")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"compare": None}, "periods-missing"),
        ({"metric": "nothing"}, "metric-unknown"),
        ({"metric": None}, "metric-missing"),
        ({"earlier": {"from": "2026-08-01", "to": "2026-09-01"}}, "periods-missing"),
        ({"by": ["account"]}, "by-invalid"),
        ({"by": ["no such trait"]}, "dimension-unknown"),
        ({"limit": 0}, "limit-invalid"),
        ({"from": "2026-10-01"}, "range-empty"),
        ({"odd": 1}, "field-unknown"),
        ({"from": None, "to": None, "compare": None, "earlier": {"from": "2026-09-01", "to": "2026-10-01"},
          "later": {"from": "2026-08-01", "to": "2026-09-01"}}, "periods-reversed"),
    ],
)  # fmt: skip
def test_a_question_that_can_not_be_answered_says_why(told: Told, change: dict[str, Any], code: str) -> None:
    answer = told.send("POST", "/v1/explain-change", {**AUTUMN, **change})
    assert (answer.status_code, answer.json()["code"]) == (400, code)
