"""Writing figures: what a caller relies on around a batch, and the corners that random histories seldom meet."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations

import pytest
from tests.integration.kpi_engine.figures_histories import CATALOGUE, NOW
from tests.integration.kpi_engine.figures_stage import INGESTED_AT, Ev, Stage, cells

from common.catalogue import load
from common.catalogue.loading import base_pack
from common.catalogue.models import Catalogue
from common.clock import FixedClock

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def stage(postgres_url: str) -> Iterator[Stage]:
    made = Stage(postgres_url, CATALOGUE, FixedClock(NOW))
    yield made
    made.close()


def login(number: int, at: datetime = NOON, account: str = "acme", user: str = "ann") -> Ev:
    return Ev("user.logged_in", at, f"login-{number}", account, user)


def mark(number: int, *, internal: bool | None, at: datetime = NOON, user: str = "ann") -> Ev:
    return Ev("user.updated", at, f"mark-{number}", "acme", user, {"traits": {"is_internal": internal}})


def test_it_says_which_measures_and_accounts_changed(stage: Stage) -> None:
    result = stage.write(
        [
            login(1),
            Ev("account.updated", NOON, "2", "globex", data={"traits": {"plan": "pro"}}),
            Ev("ping", NOON, "3"),
        ]
    )
    acme, globex = stage.account("acme"), stage.account("globex")
    assert result.accounts == {acme, globex}
    assert {
        "events",
        "portal_logins",
        "active_users",
        "active_users_28d",
        "active_accounts",
    } <= result.measures
    assert "minutes" not in result.measures


def test_a_rolled_back_batch_leaves_nothing_behind_and_can_be_written_again(stage: Stage) -> None:
    stage.write([login(1)], fails=True)
    assert cells(stage, "measure_day") == {}
    stage.write([login(1)])
    assert cells(stage, "measure_day")["active_users", "acme", date(2026, 3, 2)] == 1
    stage.write([login(2)], fails=True)
    stage.write([login(3, user="bob")])
    assert cells(stage, "measure_day")["active_users", "acme", date(2026, 3, 2)] == 2


def test_refused_events_are_named_and_count_nowhere(stage: Stage) -> None:
    bad = Ev(
        "subscription.started",
        NOON,
        "bad",
        "acme",
        data={"subscription": "s", "mrr": "1", "currency": "euro"},
    )
    batch = stage.batch([login(1), bad])
    assert [(bad.index, bad.code) for bad in stage.writer.read(batch).rejected] == [(1, "currency-unknown")]
    result = stage.write([login(1), bad])
    assert [(index, code) for index, code, _ in result.rejected] == [(1, "currency-unknown")]
    assert sum(cells(stage, "measure_hour").values()) == 2  # events and portal_logins of the login
    assert stage.rows("select * from engine.subscription_change") == []


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_marks_may_arrive_in_any_order_and_the_last_in_time_holds(
    stage: Stage, order: tuple[int, ...]
) -> None:
    events = [
        login(1),
        mark(1, internal=True, at=NOON - DAY),
        mark(2, internal=False, at=NOON + DAY),
        mark(3, internal=True, at=NOON + 2 * DAY),
    ]
    flips = [stage.write([events[index]]).internal for index in order]
    assert ("active_users", "acme", date(2026, 3, 2)) not in cells(stage, "measure_day")
    assert {name for name, *_ in cells(stage, "measure_hour")} == {"events"}
    person = stage.person(stage.account("acme"), "ann")
    assert [flip[person] for flip in flips if flip][-1] is True


def test_the_same_mark_again_changes_nothing(stage: Stage) -> None:
    stage.write([login(1), mark(1, internal=True)])
    assert stage.write([mark(2, internal=True, at=NOON + DAY)]).internal == {}


def test_an_account_stays_active_while_somebody_who_counts_was_there(stage: Stage) -> None:
    today = date(2026, 3, 2)
    stage.write([login(1), login(2, user="bob")])
    stage.write([mark(1, internal=True)])
    assert cells(stage, "measure_day")["active_accounts", "acme", today] == 1
    stage.write([mark(2, internal=True, user="bob")])
    assert ("active_accounts", "acme", today) not in cells(stage, "measure_day")
    stage.write([Ev("ping", NOON, "nameless", "acme")])
    assert cells(stage, "measure_day")["active_accounts", "acme", today] == 1
    assert not any(name.startswith("active_users") for name, *_ in cells(stage, "measure_day"))


def test_people_of_one_name_at_two_accounts_are_two(stage: Stage) -> None:
    stage.write([login(1), login(2, account="globex")])
    stage.write([mark(1, internal=True)])
    days = cells(stage, "measure_day")
    assert ("active_users", "acme", date(2026, 3, 2)) not in days
    assert days["active_users", "globex", date(2026, 3, 2)] == 1


def test_sums_beyond_64_bits_stay_exact(stage: Stage) -> None:
    huge = Decimal("9000000000000000.25")
    events = [
        Ev("feature.used", NOON, str(i), "acme", "ann", {"feature": "x", "value": str(huge)})
        for i in range(30)
    ]
    stage.write(events)
    assert cells(stage, "measure_day")["minutes", "acme", date(2026, 3, 2)] == int(huge * 100) * 30
    assert cells(stage, "total_day")["minutes", 1, date(2026, 3, 2)] == int(huge * 100) * 30


def test_subscription_facts_are_kept_and_revenue_follows(stage: Stage) -> None:
    data = {"subscription": "s", "currency": "EUR", "product": "core"}
    stage.write(
        [
            Ev(
                "subscription.cancelled",
                NOON + 9 * DAY,
                "c",
                "acme",
                data={"subscription": "s", "reason": "price"},
            ),
            Ev("subscription.started", NOON, "a", "acme", data={**data, "mrr": "100.10"}),
        ]
    )
    late = Ev(
        "subscription.changed",
        NOON + DAY,
        "b",
        "acme",
        data={**data, "mrr": 250, "effective_at": "2026-03-05"},
    )
    result = stage.write([late])
    assert "mrr" in result.measures
    assert result.accounts == {stage.account("acme")}
    berlin_midnight = datetime(2026, 3, 4, 23, tzinfo=UTC)
    assert stage.rows("select at, delta from engine.mrr_change order by at") == [
        (NOON, Decimal("100.10")),
        (berlin_midnight, Decimal("149.90")),
        (NOON + 9 * DAY, Decimal(-250)),
    ]
    kept = stage.rows(
        "select kind, mrr, product, reason from engine.subscription_change order by effective_at"
    )
    assert kept == [
        ("started", Decimal("100.10"), "core", None),
        ("changed", Decimal(250), "core", None),
        ("cancelled", None, None, "price"),
    ]


def test_an_account_remembers_when_it_was_heard_of(stage: Stage) -> None:
    stage.write([login(1), Ev("survey.sent", NOON + DAY, "2", "acme")])
    stage.write([Ev("survey.sent", NOON - DAY, "3", "acme")])
    rows = stage.rows(
        "select first_event_at, last_event_at, last_activity_at, newest_ingest_at from engine.account_seen"
    )
    assert rows == [(NOON - DAY, NOON + DAY, NOON, INGESTED_AT)]


def test_who_turns_out_to_be_internal_was_not_active_in_an_earlier_piece_of_the_transaction(
    stage: Stage,
) -> None:
    stage.write_pieces([[login(1), login(2, user="bob", at=NOON - DAY)], [mark(1, internal=True)]])
    assert stage.rows("select last_event_at, last_activity_at from engine.account_seen") == [
        (NOON, NOON - DAY)
    ]


def only(*names: str) -> Catalogue:
    return CATALOGUE.model_copy(update={"measures": {name: CATALOGUE.measures[name] for name in names}})


def test_active_accounts_do_not_need_a_measure_of_people(stage: Stage) -> None:
    stage.reset(only("active_accounts"))
    stage.write([login(1), login(2, at=NOON + DAY, user="bob"), Ev("ping", NOON + 2 * DAY, "3", "acme")])
    stage.write([mark(1, internal=True)])
    active = {
        day: value
        for (name, _, day), value in cells(stage, "measure_day").items()
        if name == "active_accounts"
    }
    assert active == {date(2026, 3, 3): 1, date(2026, 3, 4): 1}
    stage.write([mark(2, internal=False, at=NOON + DAY)])
    assert cells(stage, "measure_day")["active_accounts", "acme", date(2026, 3, 2)] == 1


def test_a_measure_may_count_internal_people_too(stage: Stage) -> None:
    everybody = CATALOGUE.measures["active_users"].model_copy(update={"exclude_internal": False})
    stage.reset(CATALOGUE.model_copy(update={"measures": {"active_users": everybody}}))
    stage.write([mark(1, internal=True), login(1)])
    stage.write([login(2, user="bob"), mark(2, internal=True, user="bob")])
    assert cells(stage, "measure_day")["active_users", "acme", date(2026, 3, 2)] == 2


def test_a_tenants_own_events_count_without_an_account(stage: Stage) -> None:
    result = stage.write([Ev("spend.recorded", NOON, "1"), Ev("spend.recorded", NOON, "2", user="ann")])
    assert result.accounts == set()
    assert cells(stage, "total_hour") == {("events", 0, NOON): 2}
    assert stage.rows("select * from engine.account_seen") == []


def test_the_base_pack_keeps_every_row_it_names(stage: Stage) -> None:
    stage.reset(load(base_pack()))
    answer = {"survey": "s", "kind": "nps", "score": 10}
    stage.write(
        [
            login(1),
            Ev("complaint.filed", NOON, "2", "acme", "ann", {"complaint": "c1"}),
            Ev("survey.responded", NOON, "3", "acme", "ann", answer),
            Ev("feature.used", NOON, "4", "acme", "ann", {"feature": "export"}),
            Ev("feature.used", NOON, "4b", "acme", "ann", {"feature": "cancel_page"}),
            Ev("ticket.opened", NOON, "4c", "acme", "ann", {"ticket": "t1"}),
            Ev("feedback.received", NOON, "5", "acme", "ann", {"text": "Fine"}),
            Ev("story.recorded", NOON, "6", "acme", "ann", {"text": "Good"}),
            Ev("activity.logged", NOON, "7", "acme", None, {"owner": "kim", "kind": "review"}),
            Ev("invoice.failed", NOON, "8", "acme", None, {"invoice": "i", "amount": "1", "currency": "EUR"}),
            Ev("metric.reported", NOON, "9", data={"metric": "market_share", "value": 0.2}),
            Ev("metric.reported", NOON, "10", data={"metric": "employee_nps", "value": 30}),
        ]
    )
    last = "select m.name from engine.last_value v join engine.measure m on m.id = v.measure_id"
    stored = {name for table in ("measure_hour", "measure_day") for name, *_ in cells(stage, table)}
    stored |= {name for (name,) in stage.rows(last)}
    named = {row for made in stage.catalogue.measures.values() if made.agg != "steps" for row in made.rows}
    assert named - stored == {"nps_detractors"}
    assert stored <= named
