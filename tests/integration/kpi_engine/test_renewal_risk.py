"""Renewals as the engine keeps them, how likely each is lost, and the history of that."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from msgspec.structs import replace
from tests.integration.kpi_engine.figures_histories import NOW
from tests.integration.kpi_engine.figures_stage import Ev, Stage
from tests.integration.kpi_engine.plain_figures import DAY

from common.catalogue import load
from common.catalogue.loading import base_pack
from common.clock import FixedClock
from common.contracts.known import KnownCounts
from common.figures import Query, query
from common.risk.hazard import HazardModel, Weight
from common.risk.past import known_at
from common.risk.points import probability_of
from common.risk.reading import read
from common.risk.store import save
from common.risk.training import Training
from kpi_engine.adapters.state_store import PostgresStateStore
from kpi_engine.use_cases.account_states import AccountStates


@pytest.fixture
def stage(postgres_url: str) -> Iterator[Stage]:
    made = Stage(postgres_url, load(base_pack()), FixedClock(NOW))
    yield made
    made.close()


def compute(stage: Stage, now: datetime, *names: str) -> None:
    with stage.conn.transaction():
        AccountStates(PostgresStateStore()).compute(
            stage.conn,
            stage.tenant_id,
            stage.catalogue,
            [stage.account(name) for name in names],
            now,
            now,
        )


def term(
    account: str, start: datetime, end: datetime, mrr: str = "100", kind: str = "started", **more: Any
) -> Ev:
    data = {"subscription": "s", "mrr": mrr, "currency": "EUR", "term_end": end.isoformat(), **more}
    return Ev(f"subscription.{kind}", start, f"{account}-{kind}-{start:%y%m%d}", account, data=data)


def test_an_open_renewal_has_a_risk_whose_reasons_add_up(stage: Stage) -> None:
    segment = {"traits": {"segment": "smb"}}
    year = 365 * DAY
    past = [
        event
        for n in range(6)
        for event in (
            Ev("account.created", NOW - 500 * DAY, f"c{n}", f"old{n}", data=segment),
            term(f"old{n}", NOW - 500 * DAY, NOW - 100 * DAY),
            *([term(f"old{n}", NOW - 101 * DAY, NOW + year, kind="renewed")] if n < 4 else []),
        )
    ]
    deadline = NOW + 10 * DAY
    stage.write(
        [
            *past,
            Ev("account.created", NOW - 500 * DAY, "c", "acme", data=segment),
            term("acme", NOW - 300 * DAY, NOW + 40 * DAY, "99.99", notice_deadline=deadline.isoformat()),
            *(Ev("complaint.filed", NOW - n * DAY, f"x{n}", "acme", "ann") for n in (1, 2, 3)),
        ]
    )
    compute(stage, NOW, *(f"old{n}" for n in range(6)), "acme")
    compute(stage, NOW, "acme")
    ((due, by, mrr, probability, at_risk, reasons),) = stage.rows(
        """select due_at, decide_by, mrr, probability, at_risk, reasons from published.renewal_risk
           where account_id = %s""",
        stage.account("acme"),
    )
    assert (due, by, mrr) == (NOW + 40 * DAY, deadline, Decimal("99.99"))
    assert at_risk == round(mrr * probability, 2)
    ((risk, figures),) = stage.rows(
        "select risk, figures from engine.account_state where account_id = %s", stage.account("acme")
    )
    assert risk["reasons"] == reasons
    assert sum(Decimal(str(one["points"])) for one in reasons) == Decimal(str(risk["points"]))
    assert (risk["base"]["renewals"], risk["base"]["lost"], risk["base"]["segment"]) == (6, 2, "smb")
    assert figures["renewal_risk"] == float(probability)
    assert (figures["days_to_renewal"], figures["days_to_notice"]) == (40, 10)
    texts = {one["reason"]: one["text"] for one in reasons}
    assert texts["complaints"] == "3 complaints in 28 days"
    assert texts["reach"] == "How many seats it has, or how many of its people come, is not known"


def test_a_renewal_in_a_currency_without_a_rate_is_watched_all_the_same(stage: Stage) -> None:
    """How much it is nobody knows until there is one; that it is due, or was lost, does not wait for that."""
    swiss = {"currency": "CHF", "notice_deadline": (NOW + 10 * DAY).isoformat()}
    stage.write(
        [
            term("acme", NOW - 300 * DAY, NOW + 40 * DAY, **swiss),
            term("lost", NOW - 400 * DAY, NOW - 35 * DAY, currency="CHF"),
            term("kept", NOW - 400 * DAY, NOW - 35 * DAY, currency="CHF"),
            term("kept", NOW - 36 * DAY, NOW + 300 * DAY, "90", kind="renewed", currency="CHF"),
            term("told", NOW - 300 * DAY, NOW - 200 * DAY, currency="CHF", term_end=None),
            Ev("account.updated", NOW - DAY, "t", "told", data={"traits": {"renewal_at": f"{NOW + 9 * DAY:%Y-%m-%d}"}}),
        ]
    )  # fmt: skip
    names = ("acme", "lost", "kept", "told")
    compute(stage, NOW, *names)
    said = """select a.name, r.due_at, r.mrr, r.renewed, r.probability is not null, r.at_risk from (
      select n.account_id, n.due_at, n.mrr, n.renewed, k.probability, k.at_risk from published.renewal n
      left join published.renewal_risk k using (account_id, subscription, due_at)) r
      join engine.account a on a.id = r.account_id order by 1, 2"""
    midnight = (NOW + 9 * DAY).astimezone(ZoneInfo(stage.catalogue.settings.timezone)).replace(hour=0, minute=0, second=0, microsecond=0)  # fmt: skip
    assert stage.rows(said) == [
        ("acme", NOW + 40 * DAY, None, None, True, None),
        ("kept", NOW - 35 * DAY, None, Decimal(90), False, None),
        ("kept", NOW + 300 * DAY, None, None, True, None),
        ("lost", NOW - 35 * DAY, None, Decimal(0), False, None),
        ("told", midnight, None, None, True, None),
    ]
    ((figures,),) = stage.rows(
        "select figures from engine.account_state where account_id = %s", stage.account("acme")
    )
    assert (figures["mrr"], figures["days_to_renewal"], figures["days_to_notice"]) == (None, 40, 10)
    for ahead, known in ((9, None), (10, None), (11, Decimal(0))):  # by the day of the decision
        first = (NOW + ahead * DAY).astimezone(ZoneInfo(stage.catalogue.settings.timezone)).date()
        asked = Query(("renewal_mrr_at_risk",), first, first + DAY, "total")
        (figure,) = query(stage.conn, stage.tenant_id, stage.catalogue, asked, NOW).figures
        assert (figure.value, figure.reason is None) == (known, known is not None)
    journal = "insert into control.import (id, tenant_id, kind, file, started_at, imported_by, dry_run) values (gen_random_uuid(), %s, 'rates', 'f', now(), 'k', false) returning id"
    ((made,),) = stage.rows(journal, stage.tenant_id)
    stage.conn.execute(
        "insert into control.rate values (%s, 'EUR', 'CHF', '2020-01-01', 1.5, %s)", (stage.tenant_id, made)
    )
    compute(stage, NOW, *names)
    assert [(name, mrr, renewed) for name, _, mrr, renewed, *_ in stage.rows(said)] == [
        ("acme", 150, None), ("kept", 150, 135), ("kept", 135, None), ("lost", 150, 0), ("told", 150, None),
    ]  # fmt: skip


def test_a_renewal_is_worth_to_the_engine_what_it_is_to_figures(stage: Stage) -> None:
    """Due in another currency, at the rates of its end: what is overdue isn't worth more because a rate rose since."""
    journal = "insert into control.import (id, tenant_id, kind, file, started_at, imported_by, dry_run) values (gen_random_uuid(), %s, 'rates', 'f', now(), 'k', false) returning id"
    ((made,),) = stage.rows(journal, stage.tenant_id)
    for day, rate in ((NOW - 900 * DAY, 1.5), (NOW - 20 * DAY, 2), (NOW + 5 * DAY, 3)):
        values = (stage.tenant_id, day.date(), rate, made)
        stage.conn.execute("insert into control.rate values (%s, 'EUR', 'CHF', %s, %s, %s)", values)
    past, overdue, ahead = NOW - 200 * DAY, NOW - 25 * DAY, NOW + 2 * DAY
    stage.write(
        [
            term("acme", NOW - 400 * DAY, past, currency="CHF"),
            term("acme", past, overdue, kind="renewed", currency="CHF"),
            term("bolt", NOW - 400 * DAY, ahead, currency="CHF"),
            term("core", NOW - 400 * DAY, NOW + 40 * DAY, currency="CHF"),
        ]
    )
    compute(stage, NOW, "acme", "bolt", "core")
    kept = "select due_at, mrr, renewed from engine.renewal order by due_at"
    assert stage.rows(kept) == [
        (past, 150, 150), (overdue, 150, None), (ahead, 200, None), (NOW + 40 * DAY, 300, None),
    ]  # fmt: skip
    ((at_risk,),) = stage.rows("select sum(at_risk) from published.renewal_risk")
    asked = Query(("renewal_mrr_at_risk",), (NOW - 60 * DAY).date(), (NOW + 60 * DAY).date(), "total")
    (figure,) = query(stage.conn, stage.tenant_id, stage.catalogue, asked, NOW).figures
    assert (figure.value, figure.denominator) == (at_risk, 650)


def test_a_renewal_under_a_new_contract_number_is_renewed_to_the_engine_as_to_figures(stage: Stage) -> None:
    end = NOW - 40 * DAY
    stage.write(
        [
            term("acme", end - 365 * DAY, end, subscription="c25"),
            term("acme", end, end + 365 * DAY, subscription="c26"),
        ]
    )
    compute(stage, NOW, "acme")
    kept = stage.rows("select subscription, due_at, renewed from engine.renewal order by due_at")
    assert kept == [("c25", end, Decimal(100)), ("c26", end + 365 * DAY, None)]
    day = end.date()
    asked = Query(("renewal_rate",), start=day - 2 * DAY, end=day + 2 * DAY, grain="total")
    (figure,) = query(stage.conn, stage.tenant_id, stage.catalogue, asked, NOW).figures
    assert (figure.value, figure.numerator, figure.denominator) == (1, 100, 100)


def test_a_closed_account_has_no_renewal_to_come_until_it_is_created_again(stage: Stage) -> None:
    end = NOW + 40 * DAY
    stage.write(
        [
            Ev("account.created", NOW - 500 * DAY, "c", "acme", data={"traits": {"renewal_at": end.isoformat()}}),
            term("acme", NOW - 700 * DAY, NOW - 300 * DAY),
            term("acme", NOW - 301 * DAY, end, kind="renewed"),
            Ev("account.created", NOW - 500 * DAY, "d", "bolt", data={"traits": {"renewal_at": end.isoformat()}}),
            Ev("subscription.started", NOW - 400 * DAY, "b", "bolt", data={"subscription": "s", "mrr": "7", "currency": "EUR"}),
        ]
    )  # fmt: skip
    asked = Query(("renewal_mrr_at_risk",), start=NOW.date(), end=end.date() + 2 * DAY, grain="total")

    def to_come() -> tuple[list[Any], Any, list[float | None]]:
        compute(stage, NOW, "acme", "bolt")
        (figure,) = query(stage.conn, stage.tenant_id, stage.catalogue, asked, NOW).figures
        rows = stage.rows(
            "select a.account, r.mrr from published.renewal_risk r join published.account a using (account_id) order by 1"
        )
        risks = stage.rows("select renewal_risk from engine.account_state order by account_id")
        ((at_risk,),) = stage.rows("select coalesce(sum(at_risk), 0) from published.renewal_risk")
        assert figure.value == at_risk
        return rows, figure.denominator, [risk is not None for (risk,) in risks]

    before = [("acme", 100), ("bolt", 7)]
    assert to_come() == (before, 107, [True, True])
    closings = [
        Ev("account.closed", NOW - DAY, f"x-{name}", name, data={"reason": "moved"})
        for name in ("acme", "bolt")
    ]
    stage.write(closings)
    assert to_come() == ([], None, [False, False])
    assert stage.rows("select renewed from engine.renewal") == [(Decimal(100),)]
    stage.write([Ev("account.created", NOW - DAY / 2, "again", "acme")])
    stage.retract(closings[1:])
    assert to_come() == (before, 107, [True, True])


def test_each_renewal_of_an_account_has_its_own_deadline_risk_and_money(stage: Stage) -> None:
    def of(subscription: str, start: int, end: int, mrr: str) -> Ev:
        data = {
            "subscription": subscription,
            "mrr": mrr,
            "currency": "EUR",
            "term_end": (NOW + end * DAY).isoformat(),
        }
        notice = {"notice_deadline": (NOW + (end - 30) * DAY).isoformat()}
        return Ev(
            "subscription.started", NOW + start * DAY, f"{subscription}{start}", "acme", data=data | notice
        )

    told = {"survey": "s", "kind": "nps", "score": 2}
    stage.write(
        [
            Ev("account.created", NOW - 600 * DAY, "c", "acme", data={"traits": {"auto_renew": True}}),
            of("desk", -300, 20, "10"),
            of("core", -500, -135, "300"),
            of("core", -140, 425, "300"),
            of("pro", -300, 60, "50"),
            Ev("survey.responded", NOW - 178 * DAY, "n", "acme", "ann", told),
        ]
    )
    compute(stage, NOW, "acme")
    rows = stage.rows(
        "select subscription, probability, at_risk, mrr, reasons, now_counts from published.renewal_risk order by mrr"
    )
    desk, pro, core = rows
    for _, probability, at_risk, mrr, reasons, _ in rows:
        assert at_risk == round(mrr * probability, 2)
        points = {one["reason"]: one["points"] for one in reasons}
        assert probability == Decimal(str(probability_of(sum(points.values()))))
    assert [pro[1], core[1], desk[1]] == sorted([pro[1], core[1], desk[1]], reverse=True)
    costs = [{one["reason"]: one["points"] for one in row[4]} for row in (desk, pro, core)]
    assert [cost["nps"] for cost in costs] == [10, 10, 2.5]
    assert [cost.get("notice_over") for cost in costs] == [-20, None, None]
    assert [cost["renewed_before"] for cost in costs] == [2, 2, -3]
    assert core[5] == 0.25
    ((figure, notice),) = stage.rows(
        "select (figures ->> 'renewal_risk')::numeric, figures -> 'days_to_notice' from engine.account_state"
    )
    assert (figure, notice) == (pro[1], 30), "the one whose notice is over is not the one to decide on"
    compute(stage, NOW + 5 * DAY, "acme")
    held = stage.rows("select subscription, reasons from published.renewal_risk order by mrr")
    for (name, reasons), expected in zip(held, (10, 10, 2.5), strict=True):
        nps = next(one for one in reasons if one["reason"] == "nps")
        assert (nps["state"], nps["points"]) == ("held", expected), name
    ending = {"subscription": "pro", "effective_at": (NOW + 60 * DAY).isoformat()}
    stage.write([Ev("subscription.cancelled", NOW + 6 * DAY, "x", "acme", data=ending)])
    compute(stage, NOW + 6 * DAY, "acme")
    assert stage.rows("select subscription from engine.further_risk") == [("desk",)]
    assert stage.rows("select distinct subscription from published.risk_day order by 1") == [
        ("core",),
        ("pro",),
    ]


def test_accounts_whose_base_rate_moved_are_judged_again(stage: Stage) -> None:
    """As at the end of a load, when renewals that looked lost turn out to be renewed."""
    old = [term(f"old{n}", NOW - 500 * DAY, NOW - 100 * DAY) for n in range(6)]
    stage.write([*old, term("acme", NOW - 300 * DAY, NOW + 40 * DAY)])
    names = [f"old{n}" for n in range(6)]
    states = AccountStates(PostgresStateStore())

    def computed(*accounts: str) -> None:
        with stage.conn.transaction():
            ids = [stage.account(name) for name in accounts]
            states.compute(stage.conn, stage.tenant_id, stage.catalogue, ids, NOW, NOW)

    def overtaken() -> int:
        with stage.conn.transaction():
            return states.overtake(stage.conn, stage.tenant_id, stage.catalogue, NOW)

    computed(*names, "acme")
    assert overtaken() == 1, "the rate was read before the first renewals were there"
    computed("acme")
    ((before,),) = stage.rows("select probability from published.renewal_risk")
    assert overtaken() == 0
    stage.write([term(name, NOW - 101 * DAY, NOW - DAY, kind="renewed") for name in names])
    computed(*names)
    assert overtaken() == 7, "they and the one account that nothing happened to"
    computed("acme", *names)
    ((after,),) = stage.rows(
        "select probability from published.renewal_risk where account_id = %s", stage.account("acme")
    )
    assert after < before / 2
    assert overtaken() == 0


def test_a_renewal_is_kept_with_what_became_of_it_and_risk_ends_with_it(stage: Stage) -> None:
    end = NOW + 20 * DAY
    stage.write([term("acme", NOW - 300 * DAY, end)])
    open_ones = "select count(*) from published.renewal_risk where probability is not null"
    history = "select day - date '2026-11-01', probability is null from published.risk_day order by day"
    compute(stage, NOW, "acme")
    compute(stage, NOW, "acme")
    assert stage.rows(open_ones) == [(1,)]
    first = stage.rows(history)
    assert [unknown for _, unknown in first] == [False], "a risk that stays is one row"
    notice = {"subscription": "s", "effective_at": end.isoformat()}
    stage.write([Ev("subscription.cancelled", NOW + DAY, "n", "acme", data=notice)])
    compute(stage, NOW + DAY, "acme")
    assert stage.rows(open_ones) == [(0,)]
    assert stage.rows("select due_at, renewed from published.renewal") == [(end, 0)]
    assert [unknown for _, unknown in stage.rows(history)] == [False, True]


def test_a_late_trait_tells_in_which_segment_a_renewal_was_due(stage: Stage) -> None:
    def segment(name: str, at: datetime) -> Ev:
        return Ev("account.updated", at, f"{name}{at:%y%m%d}", "acme", data={"traits": {"segment": name}})

    stage.write(
        [
            term("acme", NOW - 500 * DAY, NOW - 100 * DAY),
            term("acme", NOW - 101 * DAY, NOW + 90 * DAY, kind="renewed"),
        ]
    )
    told = []
    for said in (None, segment("smb", NOW - 300 * DAY), segment("large", NOW - 50 * DAY)):
        stage.write([said] if said else [])
        compute(stage, NOW, "acme")
        told.append(stage.rows("select segment from engine.renewal order by due_at"))
    assert told == [[(None,), (None,)], [("smb",), ("smb",)], [("smb",), ("large",)]]


def test_what_was_known_still_counts_when_it_is_known_no_more(stage: Stage) -> None:
    answer = {"survey": "s", "kind": "nps", "score": 2}
    stage.write(
        [
            term("acme", NOW - 300 * DAY, NOW + 30 * DAY),
            Ev("survey.responded", NOW - 178 * DAY, "n", "acme", "ann", answer),
        ]
    )
    told = []
    for days in (0, 5, 6):
        compute(stage, NOW + days * DAY, "acme")
        ((reasons,),) = stage.rows("select reasons from published.renewal_risk")
        told += [(one["state"], one["points"], one.get("since")) for one in reasons if one["reason"] == "nps"]
    assert told == [("known", 10.0, None), ("held", 10.0, "2026-11-20"), ("held", 10.0, "2026-11-20")]


def test_a_date_that_only_a_trait_says_is_a_renewal_of_all_that_is_paid(stage: Stage) -> None:
    running = {"subscription": "s", "mrr": "50", "currency": "EUR"}
    dates = {"traits": {"renewal_at": "2026-12-24", "notice_deadline": "2026-12-01"}}
    stage.write(
        [
            Ev("subscription.started", NOW - 90 * DAY, "1", "acme", data=running),
            Ev("account.updated", NOW - DAY, "2", "acme", data=dates),
            Ev("account.updated", NOW - DAY, "3", "free", data=dates),
        ]
    )
    compute(stage, NOW, "acme", "free")
    rows = stage.rows("select account_id, source, mrr, notice_deadline < due_at from published.renewal_risk")
    assert rows == [(stage.account("acme"), "trait", 50, True)]


def test_the_past_says_of_a_day_what_the_engine_said_on_it(stage: Stage) -> None:
    """The figures that a model learns from are those that it judges by."""
    zone = ZoneInfo(stage.catalogue.settings.timezone)
    midnight = NOW.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    year = 365 * DAY
    happened = [
        Ev("account.created", midnight - 400 * DAY, "c", "acme", data={"traits": {"segment": "smb", "seats": 5}}),
        Ev("user.updated", midnight - 399 * DAY, "i", "acme", "eve", {"traits": {"is_internal": True}}),
        term("acme", midnight - 400 * DAY, midnight - 35 * DAY, "80"),
        term("acme", midnight - 36 * DAY, midnight + year, "100", kind="renewed"),
        Ev("survey.responded", midnight - 50 * DAY, "n", "acme", "ann", {"survey": "s", "kind": "nps", "score": 6}),
        Ev("complaint.filed", midnight - 3 * DAY, "x", "acme", "ann"),
        *(
            Ev("user.logged_in", midnight - n * DAY + DAY / 3, f"{who}{n}", "acme", who)
            for who, days in (("ann", range(2, 60, 2)), ("bob", range(20, 90, 3)), ("eve", range(1, 9)))
            for n in days
        ),
        term("bolt", midnight - 10 * DAY, midnight + 20 * DAY),
    ]  # fmt: skip
    stage.write(happened)
    compute(stage, midnight, "acme", "bolt")
    with stage.conn.transaction():
        found = read(stage.conn, stage.tenant_id, stage.catalogue)
    assert found is not None
    assert found.known == KnownCounts(by_arrival=len(happened))
    known = known_at(found.past, midnight)
    for name in ("acme", "bolt"):
        account = stage.account(name)
        ((figures, traits),) = stage.rows(
            "select figures, traits from engine.account_state where account_id = %s", account
        )
        its = known[account]
        assert its.traits == traits
        wanted = {key: value for key, value in its.figures.items() if key not in _OF_SEGMENTS}
        assert wanted == {key: figures[key] and pytest.approx(figures[key]) for key in wanted}, name
        assert its.next is not None
        assert (its.next.due_at - midnight).days == figures["days_to_renewal"]


_OF_SEGMENTS = {"segment_login_trend", "login_trend_vs_segment", "segment"}


def test_the_latest_training_decides_what_judges_and_stays_as_it_was(stage: Stage) -> None:
    stage.write(
        [
            term("acme", NOW - 300 * DAY, NOW + 40 * DAY),
            Ev("user.logged_in", NOW - 9 * DAY, "l", "acme", "ann"),
        ]
    )
    weights = {"silence": Weight(1, 1, 0.8, 0.1), "nps": Weight(1, 0.5, -0.4, 0.2)}
    model = HazardModel({"later": -6, "soon": -5, "due": -2, "no_term": -4}, weights)
    accepted = Training(model, None, 9, 9, NOW, NOW, None)
    compute(stage, NOW, "acme")
    assert stage.rows("select method from published.renewal_risk") == [("score",)]
    assert save(stage.conn, stage.tenant_id, accepted, KnownCounts(), NOW) == 1
    compute(stage, NOW, "acme")
    ((method, version, risk),) = stage.rows(
        "select r.method, r.version, a.risk from published.renewal_risk r join published.account_risk a using (account_id)"
    )
    assert (method, version) == ("model", 1)
    assert [one["reason"] for one in risk["reasons"]] == ["baseline", "silence", "nps"]
    assert sum(Decimal(str(one["points"])) for one in risk["reasons"]) == Decimal(str(risk["points"]))
    assert stage.rows("select method, version from published.risk_day") == [("model", 1)]
    refused = replace(accepted, model=None, refusal="not better")
    assert save(stage.conn, stage.tenant_id, refused, KnownCounts(), NOW) == 2
    compute(stage, NOW, "acme")
    assert stage.rows("select method from published.renewal_risk") == [("score",)]
    with pytest.raises(psycopg.errors.RaiseException, match="stays as it was made"):
        stage.rows("update control.risk_model set accepted = true where version = 2 returning version")
