"""History that was loaded after the period was complete, batch by batch: what the later batches added to the first is not late."""

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from tests.conftest import PostgresServer
from tests.integration.analysis.correcting import arrive, delete
from tests.integration.analysis.stage import Told, telling
from tests.integration.analysis.test_explaining import definitions, parts
from tests.integration.analysis.test_late_unknown import LATER, answer, at, login, paid
from tests.integration.kpi_engine.figures_stage import Ev

LOADED = "all of it arrived after the earlier period was complete: it was loaded, and counts as known"


@pytest.fixture
def told(postgres_server: PostgresServer, migrated_template: str) -> Iterator[Told]:
    name = f"late_loaded_{uuid.uuid4().hex}"
    postgres_server.execute("create database {} template {} strategy file_copy", name, migrated_template)
    with telling(postgres_server.database_url(name), definitions()) as made:
        for batch in ("a", "b"):
            arrive(made.history, batch_of(batch), LATER)
        made.history.applied(datetime(2026, 11, 20, tzinfo=UTC))
        assert made.history.rows("select count(*) from engine.revision") != [(0,)]
        yield made
    postgres_server.drop(name)


def batch_of(account: str) -> Sequence[Ev]:
    said = [event for month in (8, 9) for event in month_of(account, month)]
    return [paid(account, 100), *said]


def month_of(account: str, month: int) -> Iterator[Ev]:
    yield answer(month, f"{account}-{month}", 5 if account == "a" else 1)
    yield login(month, account, f"{account}-{month}")
    yield Ev("invoice.failed", at(month), f"{account}-{month}-bill", account, None,
             {"invoice": f"{month}", "amount": "1.00", "currency": "EUR"})  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("mrr", "200"), ("events", "6"), ("portal_logins", "2"), ("failed_invoices", "2"), ("csat", "0.5"),
        ("active_users_28d", "4"), ("nrr", "1"),
    ],
)  # fmt: skip
def test_what_a_load_brought_in_pieces_counts_as_known(told: Told, metric: str, value: str) -> None:
    assert early(told, metric) == (value, "0", value, True, LOADED)


def test_it_does_when_some_of_it_was_deleted_since(told: Told) -> None:
    delete(told.history, login(8, "b", "b-8"), LATER + timedelta(hours=1), LATER)
    assert early(told, "portal_logins") == ("1", "0", "1", True, LOADED)


def test_what_came_late_once_something_was_known_is_late(told: Told) -> None:
    told.history.tell([login(8, "c", "known")], at(8))
    assert early(told, "portal_logins")[:2] == ("1", "2")
    assert early(told, "mrr", 6)[:2] == ("200", "0"), "nothing was known of June"


def early(told: Told, metric: str, month: int = 8) -> tuple[str, str, str, bool, str | None]:
    """(what was known of the month when it was complete, late amount, the figure now, whether late is known, its note)."""
    begin, middle, end = (f"2026-{month + n:02d}-01" for n in range(3))
    periods = {
        "earlier": {"from": begin, "to": middle},
        "later": {"from": middle, "to": end},
    }
    answered = told.post("/v1/explain-change", {"metric": metric, **periods})
    late, its = parts(answered)["late_data"], answered["earlier"]
    assert Decimal(its["as_known_when_complete"]) + Decimal(late["amount"]) == Decimal(its["value"])
    return its["as_known_when_complete"], late["amount"], its["value"], late["known"], late["note"]
