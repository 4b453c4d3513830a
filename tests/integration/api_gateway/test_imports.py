"""`bellwether import` run as its user does, and what the gateway shows of it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.integration.api_gateway.world import Served, Tenant, World
from tests.integration.cli.command import Cli

from common.catalogue import apply, current
from common.testing import wait_until

Importing = Callable[..., dict[str, Any]]
RATES = "Date,USD,JPY,GBP,\n2026-11-20,1.0823,160.1,0.84,\n2026-11-19,1.08,N/A,0.83,\n"
TARGETS = """metric;value;low;high;by;set_by;why;segment
mrr;1250.5;;;2027-06-30;cfo;board plan;
grr_12m;95 %;;;;cfo;board plan;
nps;;40;50;;cs;survey;
nope;1;;;;;why not;
events;5 %;;;;;why not;
"""


@pytest.fixture
def importing(tmp_path: Path, world: World, ours: Tenant) -> Importing:
    """Imports a text as a file; returns the counts."""
    cli = Cli(tmp_path, {"DATABASE_URL": world.url})

    def run(kind: str, text: str, *options: str) -> dict[str, Any]:
        file = tmp_path / f"{kind}.csv"
        file.write_text(text)
        done = cli.run("import", kind, str(file), "--tenant", ours.slug, "--by", "ann", "--json", *options)
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return run


def rates_of(world: World, tenant: Tenant) -> list[Any]:
    with world.connect() as connection:
        return connection.execute(
            "select currency, day::text, round(rate, 6)::text from published.rate where tenant_id = %s order by 1, 2",
            (tenant.id,),
        ).fetchall()


def test_the_ecbs_table_becomes_rates_once_and_corrections_are_told(
    world: World, ours: Tenant, gateway: Served, importing: Importing
) -> None:
    tried = importing("rates", RATES, "--dry-run")
    assert (tried["counts"]["rates_added"], rates_of(world, ours)) == (5, [])
    importing("rates", RATES)
    assert importing("rates", RATES)["counts"] == {"unchanged": 5, "rates_added": 0}
    corrected = importing("rates", "day,currency,rate\n2026-11-20,USD,0.9\n20.11.2026,EUR,1\n")
    assert rates_of(world, ours) == [
        ("GBP", "2026-11-19", "1.204819"), ("GBP", "2026-11-20", "1.190476"), ("JPY", "2026-11-20", "0.006246"),
        ("USD", "2026-11-19", "0.925926"), ("USD", "2026-11-20", "0.900000"),
    ]  # fmt: skip
    report = gateway.get(f"/v1/imports/{corrected['id']}", ours).json()
    assert (report["kind"], report["imported_by"], report["dry_run"]) == ("rates", "ann", False)
    refused, changed = report["data"]
    assert (changed["subject"], changed["new"], changed["old"][:6]) == ("USD", "0.9", "0.9239")
    assert (refused["line"], refused["finding"], refused["reason"]) == (
        3,
        "refused",
        "EUR is the tenant's own currency",
    )


def test_targets_are_added_never_overwritten_and_withdrawn_by_saying_so(
    ours: Tenant, gateway: Served, importing: Importing
) -> None:
    assert importing("targets", TARGETS)["counts"] == {"added": 3, "refused": 2, "unchanged": 0}
    assert importing("targets", TARGETS)["counts"] == {"refused": 2, "unchanged": 3}
    shown = gateway.get("/v1/metrics/mrr", ours).json()["targets"]
    assert [(t["value"], t["by"], t["set_by"], t["why"], t["stated_in"]) for t in shown] == [
        ("1250.50", "2027-06-30", "cfo", "board plan", "import")
    ]
    assert shown[0]["set_at"] is not None
    assert shown[0]["stretch"] is None, "there was no month with a customer"
    assert gateway.get("/v1/metrics/grr_12m", ours).json()["targets"][0]["value"] == 0.95
    importing("targets", "metric,value,by,why\nmrr,withdrawn,2027-06-30,the board thought again\n")
    assert gateway.get("/v1/metrics/mrr", ours).json()["targets"] == []
    importing("ranges", "metric,low,high,by,source\nnps,30,45,2026-01-01,Survey of 300 vendors\n")
    industry = gateway.get("/v1/metrics/nps", ours).json()["industry"]
    assert [(r["low"], r["high"], r["day"], r["source"]) for r in industry if r["stated_in"] == "import"] == [
        (30.0, 45.0, "2026-01-01", "Survey of 300 vendors")
    ]


def test_a_target_in_another_currency_or_unit_is_outdated_until_it_is_stated_anew(
    world: World, ours: Tenant, gateway: Served, importing: Importing
) -> None:
    rows = "metric,value,why\nmrr,1000,plan\nnps,30,plan\n"
    importing("targets", rows)
    with world.connect() as connection:
        before = current(connection, ours.id)
        assert before is not None
        settings = before.settings.model_copy(update={"currency": "USD"})
        apply(connection, ours.slug, before.model_copy(update={"settings": settings}))

    def target() -> dict[str, Any]:
        [found] = gateway.get("/v1/metrics/mrr", ours).json()["targets"]
        return dict(found)

    wait_until(lambda: "outdated" in target())
    outdated = target()
    assert (outdated["value"], outdated["currency"], outdated["stretch"]) == ("1000.00", "EUR", None)
    assert "stated in EUR, and mrr is in USD now" in outdated["outdated"]
    assert "outdated" not in gateway.get("/v1/metrics/nps", ours).json()["targets"][0]
    assert importing("targets", rows)["counts"] == {"changed": 1, "unchanged": 1}
    stated = target()
    assert (stated["currency"], "outdated" in stated) == ("USD", False)


def test_targets_of_before_units_were_kept_are_taken_for_what_the_metric_is(
    world: World, ours: Tenant, gateway: Served, importing: Importing
) -> None:
    rows = "metric,value,why\nmrr,1000,plan\n"
    importing("targets", rows)
    with world.connect() as connection:
        connection.execute("update control.target set unit = null, currency = null")
    [shown] = gateway.get("/v1/metrics/mrr", ours).json()["targets"]
    assert (shown["unit"], shown["currency"], "outdated" in shown) == ("money", "EUR", False)
    assert importing("targets", rows)["counts"] == {"unchanged": 1}


def test_months_before_the_first_customer_make_no_target_a_stretch(
    world: World, ours: Tenant, gateway: Served, importing: Importing
) -> None:
    """Of complaints, fewer are better: none was reached by a company that was not there yet."""
    importing("targets", "metric,value,why\ncomplaints,0,plan\n")
    account = world.account(ours, "acme")
    with world.connect() as connection:
        connection.execute(
            """insert into engine.account_seen (account_id, tenant_id, first_event_at, last_event_at)
               values (%s, %s, %s, %s)""",
            (account, ours.id, *[datetime.now(UTC) - timedelta(days=5)] * 2),
        )
    [target] = gateway.get("/v1/metrics/complaints", ours).json()["targets"]
    assert target["stretch"] is None


def test_a_segment_that_no_account_is_in_is_told(
    world: World, ours: Tenant, gateway: Served, importing: Importing
) -> None:
    account = world.account(ours, "acme")
    with world.connect() as connection:
        for at, segment in (("2026-01-01", "old"), ("2026-02-01", "smb")):
            connection.execute(
                """insert into engine.trait (tenant_id, account_id, person_id, name, at, source, event_id, value)
                   values (%s, %s, 0, 'segment', %s, '/t', %s, to_jsonb(%s::text))""",
                (ours.id, account, at, segment, segment),
            )
    rows = "metric,value,why,segment\nmrr,1,plan,smb\nmrr,2,plan,smbb\nmrr,3,plan,old\nmrr,4,plan,\n"
    done = importing("targets", rows)
    assert done["counts"] == {"added": 4, "unchanged": 0, "about_no_accounts": 2}
    lines = gateway.get(f"/v1/imports/{done['id']}", ours).json()["data"]
    assert [line["line"] for line in lines if "is it misspelt?" in (line["reason"] or "")] == [3, 4]
    assert importing("targets", rows)["counts"] == {"unchanged": 4, "about_no_accounts": 2}


def test_imports_are_listed_page_by_page_and_only_to_their_tenant(
    ours: Tenant, theirs: Tenant, gateway: Served, importing: Importing
) -> None:
    ids = [importing("rates", RATES, "--dry-run")["id"] for _ in range(3)]
    first = gateway.get("/v1/imports?limit=2", ours).json()
    rest = gateway.get(f"/v1/imports?limit=2&cursor={first['next_cursor']}", ours).json()
    assert [found["id"] for found in (*first["data"], *rest["data"])] == ids[::-1]
    assert rest["next_cursor"] is None
    one = gateway.get(f"/v1/imports/{ids[0]}?finding=added&limit=2", ours).json()
    more = gateway.get(f"/v1/imports/{ids[0]}?finding=added&limit=2&cursor={one['next_cursor']}", ours).json()
    assert [line["subject"] for line in (*one["data"], *more["data"])] == ["GBP", "JPY", "USD"]
    assert gateway.get("/v1/imports", theirs).json()["data"] == []
    assert gateway.get(f"/v1/imports/{ids[0]}", theirs).status_code == 404
    assert gateway.get(f"/v1/imports?cursor={one['next_cursor']}", ours).json()["code"] == "cursor-invalid"
