"""The last contact that a notice tells is the one by which csm_coverage counts, on what the engine writes."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from tests.integration.kpi_engine.figures_stage import Ev, Stage

from alerts.adapters.definitions import definitions_of
from alerts.adapters.facts import PostgresFacts
from common.catalogue import Catalogue, loading
from common.clock import FixedClock
from common.figures import Query, query

DAY = timedelta(days=1)
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PACK = loading.load(loading.base_pack())


def where_calls_are_the_customers(pack: Catalogue) -> Catalogue:
    """A company whose customers log the contacts, so our own people's are none."""
    logged = pack.event_types["activity.logged"].model_copy(update={"activity": True})
    return pack.model_copy(update={"event_types": {**pack.event_types, "activity.logged": logged}})


def without_contacts(pack: Catalogue) -> Catalogue:
    return pack.model_copy(update={"measures": {k: v for k, v in pack.measures.items() if k != "contacts"}})


@pytest.fixture
def stage(postgres_url: str) -> Iterator[Stage]:
    stage = Stage(postgres_url, PACK, FixedClock(NOW))
    yield stage
    stage.close()


def live(stage: Stage) -> None:
    """Acme is called by one of our own people last, bolt by nobody both ways."""
    stage.write(
        [
            Ev("account.created", NOW - 200 * DAY, "a", "acme", None, {"traits": {"owner": "kim"}}),
            Ev("account.created", NOW - 200 * DAY, "b", "bolt", None, {"traits": {"owner": "kim"}}),
            Ev("user.created", NOW - 200 * DAY, "u", "acme", "kim", {"traits": {"is_internal": True}}),
            called(NOW - 120 * DAY, "c1", "acme", "ann"),
            called(NOW - 3 * DAY, "c2", "acme", "kim"),
            called(NOW - DAY, "c3", "acme", "kim", two_way=False),
            called(NOW - DAY, "c4", "bolt", "ann", two_way=False),
        ]
    )


def called(at: datetime, event_id: str, account: str, user: str, *, two_way: bool = True) -> Ev:
    data = {"owner": "kim", "kind": "call", "two_way": two_way}
    return Ev("activity.logged", at, event_id, account, user, data)


def last_contact(stage: Stage, account: str) -> datetime | None:
    definitions = definitions_of(stage.tenant_id, 1, stage.catalogue)
    account_id = stage.account(account)
    book = PostgresFacts(stage.conn)
    found = book.facts(stage.tenant_id, [account_id], NOW.date(), NOW, None, definitions.contacts)
    return found[account_id].last_contact_at if account_id in found else None


def covered(stage: Stage) -> int:
    asked = Query(("csm_coverage",), start=date(2026, 3, 1), end=date(2026, 4, 1), grain="total")
    (figure,) = query(stage.conn, stage.tenant_id, stage.catalogue, asked, NOW).figures
    return int(figure.numerator or 0)


def test_a_call_by_one_of_us_is_the_last_contact(stage: Stage) -> None:
    live(stage)
    assert (last_contact(stage, "acme"), covered(stage)) == (NOW - 3 * DAY, 1)
    assert last_contact(stage, "bolt") is None


def test_a_call_by_one_of_us_is_none_where_contacts_are_the_customer_s_doing(stage: Stage) -> None:
    stage.catalogue = where_calls_are_the_customers(PACK)
    live(stage)
    assert (last_contact(stage, "acme"), covered(stage)) == (NOW - 120 * DAY, 0)


def test_contacts_by_other_definitions_are_not_read(stage: Stage) -> None:
    live(stage)
    stage.catalogue = PACK.model_copy(update={"origins": {"contacts": 2}})
    assert last_contact(stage, "acme") is None


def test_nothing_is_said_where_no_measure_counts_contacts(stage: Stage) -> None:
    live(stage)
    stage.catalogue = without_contacts(PACK)
    assert last_contact(stage, "acme") is None
