"""What arrived late, or left, is a number only where it is certain: else it is said to be unknown, and why."""

import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from tests.conftest import PostgresServer
from tests.integration.analysis.correcting import delete, revise
from tests.integration.analysis.stage import Told, telling
from tests.integration.analysis.test_explaining import definitions, parts
from tests.integration.kpi_engine.figures_stage import Ev

JUNE, AUGUST, LATER = (datetime(2026, month, 10, 10, tzinfo=UTC) for month in (6, 8, 11))


@pytest.fixture
def told(postgres_server: PostgresServer, migrated_template: str) -> Iterator[Told]:
    name = f"late_unknown_{uuid.uuid4().hex}"
    postgres_server.execute("create database {} template {} strategy file_copy", name, migrated_template)
    with telling(postgres_server.database_url(name), definitions()) as made:
        made.history.tell([*answers(), paid("a", 100), paid("b", 200)])
        made.history.tell(login(month, "a", f"in-{month}-{n}") for month in (8, 9) for n in range(5))
        made.history.applied(datetime(2026, 11, 20, tzinfo=UTC))
        yield made
    postgres_server.drop(name)


def answers() -> list[Ev]:
    scores = {"good-1": 5, "good-2": 5, "good-3": 4, "good-4": 5, "bad": 1}
    return [answer(month, f"{name}-{month}", score) for month in (8, 9) for name, score in scores.items()]


def answer(month: int, name: str, score: int, kind: str = "csat") -> Ev:
    data = {"survey": "q", "kind": kind, "score": score}
    return Ev("survey.responded", at(month), name, "a", name, data)


def login(month: int, account: str, name: str) -> Ev:
    return Ev("user.logged_in", at(month), name, account, "ann")


def paid(account: str, mrr: int, *, when: datetime = JUNE, kind: str = "started") -> Ev:
    data = {"subscription": "s", "mrr": f"{mrr}.00", "currency": "EUR"}
    return Ev(f"subscription.{kind}", when, f"{account}-{mrr}", account, None, data)


def at(month: int) -> datetime:
    return AUGUST.replace(month=month)


def explained(told: Told, metric: str, month: int = 8, **more: Any) -> tuple[str, str, str | None, bool]:
    """(what was known when it was complete, late amount, the earlier figure now, whether late is known)."""
    periods = {name: {"from": f"2026-{n:02d}-01", "to": f"2026-{n + 1:02d}-01"}
               for name, n in (("earlier", month), ("later", month + 1))}  # fmt: skip
    answer = told.post("/v1/explain-change", {"metric": metric, **periods, **more})
    late = parts(answer)["late_data"]
    assert (late["note"] is None) is late["known"]
    return (
        answer["earlier"]["as_known_when_complete"],
        late["amount"],
        answer["earlier"]["value"],
        late["known"],
    )


def test_what_was_deleted_is_not_nothing(told: Told) -> None:
    """Nor of one account: there are revisions of neither."""
    assert explained(told, "csat") == ("0.8", "0", "0.8", True)
    delete(told.history, answer(8, "bad-8", 1), LATER, at(8))
    assert explained(told, "csat") == ("1", "0", "1", False)
    assert explained(told, "portal_logins", accounts=["a"]) == ("5", "0", "5", True)
    delete(told.history, login(8, "a", "in-8-0"), LATER, at(8))
    assert explained(told, "portal_logins", accounts=["a"]) == ("5", "-1", "4", True)
    assert explained(told, "portal_logins", filter={"segment": [None]}) == ("4", "0", "4", False)
    assert explained(told, "nrr", month=8)[3], "no subscription came or left"
    delete(told.history, paid("b", 200), LATER, JUNE)
    assert not explained(told, "nrr")[3]


def test_revenue_that_came_late_is_not_loaded(told: Told) -> None:
    """July has no event of its own: a state is known from before."""
    told.history.tell([paid("a", 40, when=at(7), kind="changed")], LATER)
    assert explained(told, "mrr", month=7) == ("300", "-60", "240", True), "no revision says so yet"
    revise(told.history, "mrr", LATER, (date(2026, 7, 10), date(2027, 1, 1), 300, 240))
    assert explained(told, "mrr", month=7) == ("300", "-60", "240", True)


def test_a_figure_that_is_unknown_for_a_reason_says_it(told: Told) -> None:
    data = {"subscription": "t", "mrr": "5.00", "currency": "ZZZ"}
    told.history.tell([Ev("subscription.started", at(9), "unrated", "a", None, data)])
    periods = {
        "earlier": {"from": "2026-08-01", "to": "2026-09-01"},
        "later": {"from": "2026-09-01", "to": "2026-10-01"},
    }
    answer = told.post("/v1/explain-change", {"metric": "mrr", **periods})
    assert (answer["earlier"]["value"], answer["later"]["value"]) == ("300", None)
    assert answer["sentence"].endswith(
        "In the later period an amount is in a currency without any rate; import dated rates."
    )


def test_revisions_that_cancel_out_are_known(told: Told) -> None:
    told.history.tell([paid("a", 40, when=at(7), kind="changed")], LATER)
    revise(told.history, "mrr", LATER, (date(2026, 7, 10), date(2027, 1, 1), 300, 240))
    revise(told.history, "mrr", LATER, (date(2026, 7, 10), date(2027, 1, 1), 240, 300), why="amendment")
    assert explained(told, "mrr", month=7) == ("240", "0", "240", True)


def test_a_day_that_had_nothing_has_no_revision(told: Told) -> None:
    """So what came on it may be in no revision, even where there are some of other days."""
    revised, empty = at(8) + timedelta(days=18), at(8) + timedelta(days=16)
    told.history.tell([Ev("user.logged_in", revised, "late", "a", "ann")], LATER)
    revise(told.history, "portal_logins", LATER, (revised.date(), revised.date() + timedelta(days=1), 5, 6))
    assert explained(told, "portal_logins_per_day")[3]
    told.history.tell([Ev("user.logged_in", empty, "later", "a", "ann")], LATER)
    assert not explained(told, "portal_logins_per_day")[3]


def test_windows_inside_of_days_have_no_revisions_of_their_own(told: Told) -> None:
    told.history.tell(
        [Ev("survey.responded", at(8), "n", "a", "x", {"survey": "q", "kind": "nps", "score": 9})]
    )
    revise(told.history, "mrr", LATER, (date(2026, 8, 10), date(2027, 1, 1), 310, 300))
    assert explained(told, "mrr") == ("310", "-10", "300", True)
    periods = {"earlier": {"from": "2026-08-01T00:00:00Z", "to": "2026-08-31T12:00:00Z"},
               "later": {"from": "2026-08-31T12:00:00Z", "to": "2026-09-20T12:00:00Z"}}  # fmt: skip
    late = parts(told.post("/v1/explain-change", {"metric": "mrr", **periods}))["late_data"]
    assert (late["amount"], late["known"]) == ("0", True), "changes of MRR are looked at one by one"


def test_traits_that_came_late_move_slices(told: Told) -> None:
    large: dict[str, Any] = {"filter": {"segment": ["large"]}}
    assert explained(told, "portal_logins", **large) == ("0", "0", "0", True)
    told.history.tell(
        [Ev("account.updated", JUNE, "grown", "a", None, {"traits": {"segment": "large"}})], LATER
    )
    assert explained(told, "portal_logins", **large) == ("5", "0", "5", False)
    assert explained(told, "portal_logins", accounts=["a"])[3], "an account is itself whatever its traits"


def test_rates_that_were_corrected_are_not_known_as_they_were(told: Told) -> None:
    rate(told, JUNE, "0.5")
    assert explained(told, "mrr")[3], "nobody pays in dollars"
    data = {"subscription": "usd", "mrr": "100.00", "currency": "USD"}
    told.history.tell([Ev("subscription.started", JUNE, "usd", "b", None, data)])
    assert explained(told, "mrr") == ("350", "0", "350", True)
    rate(told, LATER, "0.9")
    assert explained(told, "mrr") == ("390", "0", "390", False)
    assert explained(told, "portal_logins")[3]
    assert not explained(told, "won_amount")[3]
    for no_money in (
        "paying_accounts",
        "logo_churn",
        "deals_won",
        "fte",
        "customer_roi_share",
    ):
        assert explained(told, no_money)[3], f"{no_money} needs no rate"


def rate(told: Told, when: datetime, value: str) -> None:
    """Of a dollar, as imported at an instant."""
    told.history.conn.execute(
        """with made as (
             insert into control.import (id, tenant_id, kind, file, started_at, imported_by, dry_run)
             values (gen_random_uuid(), %(tenant)s, 'rates', 'f', %(at)s, 'k', false) returning id)
           insert into control.rate select %(tenant)s, 'EUR', 'USD', '2026-01-01', %(rate)s, id from made
           on conflict (tenant_id, quote, currency, day) do update set rate = excluded.rate, import_id = excluded.import_id""",
        {"tenant": told.history.tenant_id, "at": when, "rate": value},
    )
