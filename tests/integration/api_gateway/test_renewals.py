"""Open renewals: listed by money at risk, summed to the cent, explained by account, and never those of another tenant."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from tests.integration.api_gateway.world import Served, Tenant, World

from common.catalogue import load
from common.catalogue.cel import account_root
from common.catalogue.loading import base_pack
from common.contracts.known import KnownCounts
from common.risk.base_rates import base_rates
from common.risk.score import compiled
from common.risk.store import save
from common.risk.training import Training

START = datetime(2026, 1, 15, tzinfo=UTC)
PACK = load(base_pack())
SCORE = compiled(PACK.risk.values(), PACK.risk_settings, 1)


def renewal(
    world: World, tenant: Tenant, name: str, mrr: str, days: int, complaints: int, owner: str
) -> None:
    """An account with an open renewal, as the engine leaves it."""
    evidence = SCORE.evidence(account_root({"complaints_28d": complaints}, {}))
    risk = SCORE.judge(evidence, "smb", base_rates({}, PACK.risk_settings), {"days_to_decide": 1.0 * days})
    figures = {"renewal_risk": risk.probability}
    account = world.account(tenant, name, mrr=mrr, traits={"owner": owner, "segment": "smb"}, figures=figures)
    with world.connect() as connection:
        connection.execute(
            "update engine.account_state set risk = %s, renewal_risk = %s where account_id = %s",
            (msgspec.json.encode(risk).decode(), risk.probability, account),
        )
        connection.execute(
            """insert into engine.renewal (tenant_id, account_id, subscription, due_at, notice_deadline, mrr, source)
               values (%s, %s, 's', %s, %s, %s, 'term')""",
            (tenant.id, account, START + timedelta(days=days + 30), START + timedelta(days=days), mrr),
        )
        connection.execute(
            """insert into engine.risk_day (tenant_id, account_id, day, probability, method, version, computed_at)
               values (%s, %s, '2026-01-02', 0.2, 'score', 1, now())""",
            (tenant.id, account),
        )


@pytest.fixture
def renewals(world: World, ours: Tenant, theirs: Tenant) -> None:
    for n in range(7):
        renewal(world, ours, f"a{n}", f"{100 + n}.37", 40 * n, n, "Maya" if n % 2 else "Tom")
    renewal(world, theirs, "foreign", "9000", 10, 4, "Maya")


@pytest.mark.usefixtures("renewals")
def test_sums_of_money_at_risk_equal_the_list_to_the_cent(ours: Tenant, gateway: Served) -> None:
    listed: list[dict[str, str]] = []
    cursor = ""
    while True:
        page = gateway.get(f"/v1/renewals?limit=3&cursor={cursor}", ours).json()
        listed += page["data"]
        cursor = page["next_cursor"]
        if not cursor:
            break
    money = [Decimal(one["at_risk"]) for one in listed]
    assert money == sorted(money, reverse=True)
    assert sorted(one["account"] for one in listed) == [f"a{n}" for n in range(7)]
    for one in listed:
        assert Decimal(one["at_risk"]) == round(Decimal(one["mrr"]) * Decimal(str(one["probability"])), 2)
    for by in ("quarter", "owner", "segment"):
        answer = gateway.get(f"/v1/renewals/at-risk?group_by={by}", ours).json()
        assert sum(Decimal(group["at_risk"]) for group in answer["data"]) == sum(money)
        assert Decimal(answer["whole"]["at_risk"]) == sum(money)
    assert [group["group"] for group in gateway.get("/v1/renewals/at-risk", ours).json()["data"]] == [
        "2026-01-01", "2026-04-01", "2026-07-01"
    ]  # fmt: skip


@pytest.mark.usefixtures("renewals")
def test_the_list_is_filtered_by_owner_and_deadline(ours: Tenant, gateway: Served) -> None:
    found = gateway.get("/v1/renewals?owner=Maya&sort=deadline&from=2026-03-01&to=2026-08-04", ours).json()
    assert [one["account"] for one in found["data"]] == ["a3", "a5"]
    summed = gateway.get("/v1/renewals/at-risk?owner=Maya&from=2026-03-01&to=2026-08-04", ours).json()
    assert summed["whole"]["renewals"] == 2
    likeliest = gateway.get("/v1/accounts?sort=renewal_risk&limit=2", ours).json()["data"]
    assert [one["id"] for one in likeliest] == ["a3", "a4"], "more complaints cost less farther ahead"
    assert gateway.get("/v1/renewals?sort=luck", ours).json()["code"] == "sort-unknown"


@pytest.mark.usefixtures("renewals")
def test_an_account_shows_why_and_how_its_risk_came_about(
    world: World, ours: Tenant, gateway: Served
) -> None:
    risk = gateway.get("/v1/accounts/a4/risk", ours).json()
    assert sum(Decimal(str(one["points"])) for one in risk["reasons"]) == Decimal(str(risk["points"]))
    assert risk["history"] == [{"day": "2026-01-02", "probability": 0.2, "method": "score", "version": 1}]
    assert [one["outcome"] for one in risk["renewals"]] == ["open"]
    assert risk["settling"] is False
    assert gateway.get("/v1/renewals/model", ours).json() == {
        "judges": "score", "allowed": True, "latest_training": None
    }  # fmt: skip
    with world.connect() as connection:
        account = connection.execute(
            "select id from engine.account where name = 'a4' and tenant_id = %s", (ours.id,)
        ).fetchone()
        assert account is not None
        dated = (ours.id, account[0], START + timedelta(days=900))
        connection.execute(
            """insert into engine.renewal (tenant_id, account_id, due_at, subscription, mrr, source)
               values (%s, %s, %s, 'next', 50, 'term')""",
            dated,
        )
        connection.execute(
            """insert into engine.further_risk (tenant_id, account_id, due_at, subscription, probability, risk, computed_at)
               values (%s, %s, %s, 'next', 0.1, '{"now_counts": 0.5, "reasons": []}', now())""",
            dated,
        )
        connection.execute(
            "insert into control.load (id, tenant_id, description) values (gen_random_uuid(), %s, '')",
            (ours.id,),
        )
    both = gateway.get("/v1/accounts/a4/risk", ours).json()
    assert both["settling"] is True
    assert [(one["probability"], one["at_risk"], one["now_counts"]) for one in both["renewals"]] == [
        (0.1, "5.00", 0.5), (risk["probability"], str(round(Decimal("104.37") * Decimal(str(risk["probability"])), 2)), 0.61),
    ]  # fmt: skip
    listed = gateway.get("/v1/renewals?sort=probability&order=asc", ours).json()
    assert (listed["settling"], listed["data"][0]["subscription"]) == (True, "next")
    with world.connect() as connection:
        save(connection, ours.id, Training(None, "too few", 9, 1, None, None, None), KnownCounts(9), START)
    tried = gateway.get("/v1/renewals/model", ours).json()
    assert (tried["judges"], tried["latest_training"]["training"]["refusal"]) == ("score", "too few")
    world.account(ours, "free")
    assert gateway.get("/v1/accounts/free/risk", ours).json()["code"] == "risk-unknown"
    assert gateway.get("/v1/accounts/foreign/risk", ours).json()["code"] == "account-unknown"


def test_a_renewal_whose_worth_nobody_knows_is_listed_and_counted_apart(
    world: World, ours: Tenant, gateway: Served
) -> None:
    """It is due in a currency without any exchange rate."""
    renewal(world, ours, "known", "100", 40, 0, "Tom")
    renewal(world, ours, "swiss", "90", 20, 0, "Tom")
    with world.connect() as connection:
        connection.execute(
            """update engine.renewal set mrr = null
               where account_id = (select id from engine.account where tenant_id = %s and name = 'swiss')""",
            (ours.id,),
        )
    for sort in ("mrr", "at_risk"):
        page = gateway.get(f"/v1/renewals?sort={sort}", ours).json()["data"]
        assert [(one["account"], one["mrr"]) for one in page] == [("known", "100.00"), ("swiss", None)]
    assert page[1]["at_risk"] is None
    whole = gateway.get("/v1/renewals/at-risk?group_by=owner", ours).json()["whole"]
    assert (whole["renewals"], whole["mrr"], whole["unknown"]) == (2, "100.00", 1)
    [told] = gateway.get("/v1/accounts/swiss/risk", ours).json()["renewals"]
    assert (told["mrr"], told["at_risk"], told["outcome"]) == (None, None, "open")
