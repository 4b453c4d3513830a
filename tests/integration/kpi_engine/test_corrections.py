"""What people decide about counted events, on a real database: amended, deleted, and told as revisions."""

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from tests.integration.kpi_engine.test_engine import EVENTS, NOW, PARTITIONS, REJECTED, World, event

from common.auth.store import ensure_tenant
from common.catalogue import apply, load
from common.catalogue.loading import base_pack
from common.clock import FixedClock
from common.contracts.record import partition_of
from common.control.log import Entry, NewEntry, append, entry
from common.streams.memory import MemoryBroker
from kpi_engine.consumer.loop import Engine


@pytest.fixture
def world(postgres_url: str) -> Iterator[World]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        ensure_tenant(connection, "default")
        apply(connection, "default", load(base_pack()))
        made = World(
            postgres_url, MemoryBroker({EVENTS: PARTITIONS, REJECTED: 1}), FixedClock(NOW), connection
        )
        yield made
        for opened in made.opened:
            opened.close()


def tenant_id(world: World) -> int:
    return int(world.one("select id from control.tenant"))


def settle(world: World, engine: Engine, entry_id: str) -> Entry:
    """Let the engine work, and time pass for accounts that are due, until the entry is decided everywhere."""
    for _ in range(50):
        world.clock.advance(timedelta(seconds=1))
        engine.quiet_work_now()
        engine.step()
        found = entry(world.connection, tenant_id(world), EVENTS, entry_id)
        assert found is not None
        if found.state != "pending":
            return found
    raise AssertionError("the entry was not applied")


def decide(world: World, kind: Any, event_id: str, body: dict[str, Any] | None = None, **more: Any) -> str:
    new = NewEntry(
        kind,
        "because",
        "bw_admin_test",
        account=more.get("account", "acme"),
        source="app",
        event_id=event_id,
        body=json.dumps(body) if body else None,
    )
    return append(world.connection, tenant_id(world), new, world.clock.now())


def figure(world: World, measure: str, day: date) -> int:
    return int(
        world.one(
            """select coalesce(sum(t.value), 0) from engine.total_day t join engine.measure m on m.id = t.measure_id
               where m.name = %s and t.day = %s""",
            measure, day,
        )
    )  # fmt: skip


def test_an_account_whose_last_event_is_deleted_is_told_to_be_gone_and_keeps_its_id(world: World) -> None:
    """What others keep of an account, its cases and what people think of it, names it by its id: it may be sent anew under the right one."""
    engine = world.engine()
    world.send(event(1), event(2, subject="mistyped"))
    world.drain(engine)
    before = world.one("select account_id from published.account where account = 'mistyped'")
    first = world.one("select max(batch_no) from published.change")
    assert settle(world, engine, decide(world, "deletion", "e2", account="mistyped")).state == "applied"
    assert world.one("select array_agg(account) from published.account") == ["acme"]
    assert world.one("select array_agg(account) from published.gone_account") == ["mistyped"]
    assert world.one(
        "select count(*) from published.change where %s = any(account_ids) and batch_no > %s", before, first
    )
    rebuild = append(world.connection, tenant_id(world), NewEntry("rebuild", "", "k"), world.clock.now())
    assert settle(world, engine, rebuild).state == "applied"
    world.drain(engine)
    assert world.one("select count(*) from engine.account_state where account_id = %s", before) == 0
    world.send(event(3, subject="mistyped"))
    world.drain(engine)
    assert (
        world.one(
            "select account_id from published.account where account = 'mistyped' and computed_at is not null"
        )
        == before
    )
    assert world.one("select count(*) from published.gone_account") == 0


def test_an_amended_event_counts_as_corrected_and_is_kept_as_received(world: World) -> None:
    engine = world.engine()
    world.send(event(1), event(2))
    world.drain(engine)
    corrected = event(1, type="complaint.filed", data={"complaint": "c1", "user": "u1"})
    done = settle(world, engine, decide(world, "amendment", "e1", corrected))
    assert (done.state, done.counts["events"]) == ("applied", 1)
    assert figure(world, "portal_logins", NOW.date()) == 1
    assert figure(world, "complaints", NOW.date()) == 1
    assert figure(world, "events", NOW.date()) == 2
    kept = world.one("select body, kind, reason from published.superseded_event")
    assert (json.loads(kept[0]), *kept[1:]) == (event(1), "amendment", "because")
    types = world.connection.execute("select type from published.raw_event order by 1").fetchall()
    assert types == [("complaint.filed",), ("user.logged_in",)]
    # Neither the event as it was nor as it is now counts again.
    world.send(event(1), corrected)
    world.drain(engine)
    assert figure(world, "events", NOW.date()) == 2
    assert {fate for name, fate in world.fates() if name == "e1"} == {"accepted", "duplicate"}


def test_a_deleted_event_stays_deleted_when_it_is_sent_again(world: World) -> None:
    engine = world.engine()
    world.send(event(1), event(2))
    world.drain(engine)
    assert settle(world, engine, decide(world, "deletion", "e1")).state == "applied"
    world.send(event(1))
    world.drain(world.engine())
    assert world.counted() == 1
    assert world.one("select figures ->> 'events_28d' from engine.account_state") == "1"


def test_a_correction_waits_for_its_event_and_another_one_is_refused_with_the_reason(world: World) -> None:
    engine = world.engine()
    engine.step()
    world.send(event(1))
    first = decide(world, "deletion", "e1")
    assert settle(world, engine, first).state == "applied"
    again = settle(world, engine, decide(world, "deletion", "e1"))
    assert (again.state, again.code) == ("refused", "event-unknown")
    elsewhere = settle(world, engine, decide(world, "deletion", "e1", account="nobody"))
    assert elsewhere.code == "event-unknown"


def test_an_amendment_that_is_another_event_or_unreadable_changes_nothing(world: World) -> None:
    engine = world.engine()
    world.send(event(1))
    world.drain(engine)
    renamed = settle(world, engine, decide(world, "amendment", "e1", event(1, id="e9")))
    assert (renamed.state, renamed.code) == ("refused", "event-identity-differs")
    wordless = event(1, type="survey.responded", data={"user": "u1"})
    broken = settle(world, engine, decide(world, "amendment", "e1", wordless))
    assert (broken.state, broken.code) == ("refused", "field-invalid")
    assert world.counted() == 1
    assert world.one("select count(*) from engine.superseded_event") == 0


def test_what_can_not_be_stored_is_refused_and_nothing_waits_for_it(world: World) -> None:
    engine = world.engine()
    world.send(event(1), event(2))
    world.drain(engine)
    body = json.dumps(event(1, data={"user": "u1", "feature": "x"}, type="feature.used"))
    world.connection.execute("alter table engine.superseded_event add check (source <> 'app')")
    failing = settle(world, engine, decide(world, "amendment", "e1", json.loads(body)))
    assert (failing.state, failing.code) == ("refused", "entry-failed")
    assert world.counted() == 2
    world.connection.execute(
        "alter table engine.superseded_event drop constraint superseded_event_source_check"
    )
    assert settle(world, engine, decide(world, "deletion", "e1")).state == "applied"
    world.send(event(3))
    world.drain(engine)
    assert world.counted() == 2


def test_what_was_complete_and_is_another_figure_now_is_told(world: World) -> None:
    engine = world.engine()
    long_ago = (NOW - timedelta(days=40)).isoformat()
    world.send(event(1, id="old1", time=long_ago))
    world.drain(engine)
    assert world.one("select count(*) from engine.revision") == 0, "nothing was told of that day before"
    world.send(event(2, id="old2", time=long_ago, data={"user": "another"}))
    world.drain(engine)
    told = revisions(world, "late")
    day = date.fromisoformat(long_ago[:10])
    assert told["portal_logins"] == [(day, day + timedelta(days=1), 1, 2, True)]
    assert told["active_users"] == [(day, day + timedelta(days=1), 1, 2, True)]
    assert told["active_users_28d"] == [(day, day + timedelta(days=28), 1, 2, True)]
    settle(world, engine, decide(world, "deletion", "old1"))
    assert revisions(world, "deletion")["portal_logins"] == [(day, day + timedelta(days=1), 2, 1, True)]


@pytest.mark.parametrize(
    "later", [timedelta(hours=1), timedelta(days=2)], ids=["within the day", "to another day"]
)
def test_an_amendment_tells_what_it_moved_in_sum(world: World, later: timedelta) -> None:
    engine = world.engine()
    at = NOW.replace(hour=3) - timedelta(days=40)
    world.send(
        *(event(n, time=(at + timedelta(days=n % 3)).isoformat(), data={"user": f"u{n}"}) for n in range(9))
    )
    world.drain(engine)
    figures = {at.date() + timedelta(days=n): 3 for n in range(3)}
    settle(
        world,
        engine,
        decide(world, "amendment", "e0", event(0, time=(at + later).isoformat(), data={"user": "u0"})),
    )
    told = revisions(world, "amendment")
    figures_now = figures | ({at.date(): 2, at.date() + later: 4} if later.days else {})
    assert sorted(told.get("portal_logins", [])) == [
        (day, day + timedelta(days=1), was, figures_now[day], True)
        for day, was in figures.items()
        if was != figures_now[day]
    ]
    assert bool(told) == bool(later.days), "a figure that stayed was not revised"


def test_a_revision_names_the_accounts_that_moved_its_own_measure(world: World) -> None:
    engine = world.engine()
    day = (NOW - timedelta(days=40)).isoformat()

    def logged_in(number: int, account: str, at: str = day) -> dict[str, Any]:
        return event(number, id=f"{account}{number}", subject=account, time=at)

    def complained(number: int, account: str) -> dict[str, Any]:
        return logged_in(number, account) | {"type": "complaint.filed", "data": {"complaint": f"c{number}"}}

    # Accounts of one partition, told in one batch.
    home = partition_of("default", "acme", PARTITIONS)
    others = [
        name for name in map("a{}".format, range(20)) if partition_of("default", name, PARTITIONS) == home
    ][:3]
    world.send(
        *(make(n, name) for name in ("acme", *others) for n, make in ((1, logged_in), (2, complained)))
    )
    world.drain(engine)
    on_time = [logged_in(4, name, NOW.isoformat()) for name in others]
    world.send(logged_in(3, "acme"), *(complained(3, name) for name in others), *on_time, packed=50)
    world.drain(engine)
    told: dict[str, list[str]] = dict(
        world.connection.execute(
            """select measure, array(select a.account from published.account a where a.account_id = any(r.account_ids) order by 1)
               from published.revision r where measure in ('portal_logins', 'complaints')"""
        ).fetchall()
    )
    assert told == {"portal_logins": ["acme"], "complaints": sorted(others)}


def test_the_first_detractor_among_answers_is_told(world: World) -> None:
    """A row that was 0 is no empty bucket where others of the same metric weren't."""
    engine = world.engine()
    for number, score in ((1, 10), (2, 10)):
        world.send(event(number, type="survey.responded", data=answered(f"u{number}", score)))
    world.drain(engine)
    world.clock.advance(timedelta(days=20))
    world.send(event(3, time=world.clock.now().isoformat()))
    world.drain(engine)
    world.send(event(4, type="survey.responded", data=answered("late", 0)))
    world.drain(engine)
    told = world.connection.execute(
        "select measure, before, after from published.revision where measure like 'nps%' and complete order by 1"
    ).fetchall()
    assert told == [("nps_answers", 2, 3), ("nps_detractors", 0, 1)]


def answered(user: str, score: int) -> dict[str, Any]:
    return {"user": user, "survey": "q", "kind": "nps", "score": score}


def test_late_money_and_late_steps_are_told_with_what_was_known(world: World) -> None:
    engine = world.engine()
    day = (NOW - timedelta(days=60)).date()

    def fee(number: int, amount: str, **more: Any) -> dict[str, Any]:
        data = {"subscription": f"s{number}", "mrr": amount, "currency": "EUR", **more}
        return event(number, type="subscription.started", data=data)

    def live(number: int, account: str, at: datetime) -> dict[str, Any]:
        data = {"milestone": "first_value"}
        return event(
            number, type="onboarding.milestone_reached", subject=account, time=at.isoformat(), data=data
        )

    world.send(fee(1, "100", effective_at=(NOW - timedelta(days=90)).isoformat()), live(2, "acme", NOW))
    world.drain(engine)
    assert world.one("select count(*) from engine.revision") == 0, "nothing was told of those days before"
    long_ago = NOW - timedelta(days=60)
    world.send(
        fee(3, "50", effective_at=long_ago.isoformat()),
        live(4, "acme", long_ago),
        live(5, "bolt", long_ago),
        live(6, "acme", long_ago - timedelta(days=1)),
    )
    world.drain(engine)
    told = revisions(world, "late")
    assert told["mrr"] == [(day, NOW.date() + timedelta(days=1), 100, 150, True)]
    before = day - timedelta(days=1)
    assert sorted(told["onboarding_steps"]) == [
        (before, day, 0, 1, True),
        (day, day + timedelta(days=1), 0, 1, True),
    ]
    settle(world, engine, decide(world, "deletion", "e3"))
    assert revisions(world, "deletion")["mrr"] == [(day, NOW.date() + timedelta(days=1), 150, 100, True)]
    raised = fee(1, "120", effective_at=(NOW - timedelta(days=90)).isoformat())
    settle(world, engine, decide(world, "amendment", "e1", raised))
    [(since, _, was, now, _)] = revisions(world, "amendment")["mrr"]
    assert (since, was, now) == ((NOW - timedelta(days=90)).date(), 100, 120)


def test_what_is_said_late_is_told_whenever_it_is_said(world: World) -> None:
    """Answers, reports, and steps that say when they happen or of which only the first is kept."""
    engine = world.engine()
    long_ago, longer_ago = NOW - timedelta(days=60), NOW - timedelta(days=70)
    day, before = long_ago.date(), longer_ago.date()
    csat = {"user": "ann", "survey": "q", "kind": "csat"}

    def said(number: int, at: datetime, score: int, value: int, starts: datetime) -> list[dict[str, Any]]:
        told = {
            "survey.responded": (at, {**csat, "score": score}),
            "metric.reported": (at, {"metric": "employee_nps", "value": value}),
            "feature.used": (at, {"user": "ann", "feature": "export"}),
            "account.updated": (NOW, {"traits": {"contract_start": starts.date().isoformat()}}),
        }
        return [
            event(number * 10 + n, type=kind, time=when.isoformat(), data=data)
            for n, (kind, (when, data)) in enumerate(told.items())
        ]

    world.send(*said(1, longer_ago, 5, 30, longer_ago))
    world.drain(engine)
    assert world.one("select count(*) from engine.revision") == 0, "nothing was known before"
    world.clock.advance(timedelta(seconds=1))
    world.send(
        *said(2, long_ago, 2, 40, long_ago),
        event(
            30,
            type="feature.used",
            time=(longer_ago - timedelta(days=1)).isoformat(),
            data={"user": "bob", "feature": "export"},
        ),
    )
    world.drain(engine)
    told, one = revisions(world, "late"), timedelta(days=1)
    assert told["answers.csat"] == [(day, day + one, 0, 1, True)]
    assert told["employee_nps"] == [(day, NOW.date() + one, 30, 40, True)]
    assert sorted(told["onboarding_steps"]) == [
        (before - one, before, 0, 1, True), (before, day - 9 * one, 1, 0, True), (before, day - 9 * one, 1, 0, True),
        (day, day + one, 0, 1, True),
    ]  # fmt: skip
    settle(world, engine, decide(world, "deletion", "e20"))
    assert revisions(world, "deletion")["answers.csat"] == [(day, day + one, 1, 0, True)]


def test_history_that_is_declared_as_a_load_revises_nothing(world: World) -> None:
    engine = world.engine()
    world.connection.execute(
        """insert into control.load (id, tenant_id, description, started_at, heartbeat_at, ended_at)
           values (gen_random_uuid(), %s, '', %s, %s, %s)""",
        (tenant_id(world), NOW, NOW, NOW + timedelta(hours=1)),
    )
    long_ago = (NOW - timedelta(days=40)).isoformat()
    for number in range(2):
        world.send(event(number, time=long_ago))
        world.drain(engine)
    assert world.one("select count(*) from engine.revision") == 0
    world.clock.advance(timedelta(hours=2))
    world.send(event(3, time=long_ago))
    world.drain(engine)
    assert world.one("select count(*) from engine.revision") == 1


def revisions(world: World, why: str) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {}
    for measure, *rest in world.connection.execute(
        "select measure, day, until, before, after, complete from published.revision where why = %s", (why,)
    ):
        found.setdefault(measure, []).append(tuple(rest))
    return found


def test_what_another_tenant_says_of_itself_is_no_part_of_ones_own(world: World) -> None:
    """Events without an account are stored under one number, whoever sends them."""
    engine = world.engine()
    other = ensure_tenant(world.connection, "other")
    apply(world.connection, "other", load(base_pack()))

    def share(number: int, value: int, **more: Any) -> dict[str, Any]:
        data = {"metric": "market_share", "value": value}
        return event(number, subject=None, type="metric.reported", data=data) | more

    world.send(share(9, 10), share(8, 20), tenant="default")
    # Said later on the same day, and of the same identity in other words.
    world.send(share(1, 99), share(9, 30), tenant="other")
    world.drain(engine)
    settle(world, engine, decide(world, "deletion", "e8", account=""))
    kept = "select value from engine.last_value where tenant_id <> %s"
    assert world.one(kept, other) == 10
    world.send(share(9, 10) | {"data": {"value": 10, "metric": "market_share"}}, tenant="default")
    world.drain(engine)
    assert world.one("select count(*) from engine.conflict") == 0
