"""Erasing a person on a real database: the name stands nowhere, every count stays, and old events stay erased."""

from datetime import date, timedelta
from typing import Any

import pytest
from tests.integration.kpi_engine.figure_tables import figure_tables
from tests.integration.kpi_engine.test_backfills import closed, load, reverted
from tests.integration.kpi_engine.test_corrections import decide, settle, tenant_id, world
from tests.integration.kpi_engine.test_engine import EVENTS, NOW, PARTITIONS, World, event

from common import catalogue
from common.auth.store import ensure_tenant
from common.catalogue.loading import base_pack
from common.contracts.bodies import unpack_bodies
from common.contracts.record import partition_of
from common.control.backfills import open_backfill
from common.control.log import NewEntry, append, erasure_key, new_token, person_hash
from common.errors import Conflict
from common.figures import Query, query
from common.streams.port import TopicPartition
from kpi_engine.consumer.loop import Engine

__all__ = ["world"]

NAME = "ann@example.com"


def erase(world: World, engine: Engine, name: str) -> tuple[str, dict[str, int]]:
    digest = person_hash(erasure_key(world.connection), tenant_id(world), name)
    new = NewEntry("erasure", "asked", "bw_admin_test", person_hash=digest, token=new_token())
    done = settle(world, engine, append(world.connection, tenant_id(world), new, world.clock.now()))
    assert (done.state, done.token is None) == ("applied", False)
    return str(done.token), done.counts


def places_of(world: World, text: str) -> list[str]:
    """Every table of the engine and the control log in which a text stands, packed bodies included."""
    found = []
    tables = world.connection.execute(
        """select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where n.nspname in ('engine', 'control') and c.relkind = 'r'"""
    ).fetchall()
    for (table,) in tables:
        rows: list[Any] = world.connection.execute(f"select t::text from {table} t").fetchall()
        if any(text in row for (row,) in rows):
            found.append(table)
    for table in ("engine.raw_chunk", "engine.staged"):
        packed = world.connection.execute(f"select bodies from {table}").fetchall()
        if any(text.encode() in line for (bodies,) in packed for line in unpack_bodies(bytes(bodies))):
            found.append(f"{table} bodies")
    for (body,) in world.connection.execute("select body from engine.rejected").fetchall():
        if text.encode() in bytes(body):
            found.append("engine.rejected body")
    return found


def history() -> list[dict[str, Any]]:
    person = {"user": NAME}
    answer = {**person, "survey": "s", "kind": "nps", "score": 9, "comment": f"I am {NAME}"}
    return [
        event(1, data=person),
        event(2, subject="globex", data=person),
        event(
            3,
            type="user.updated",
            data={**person, "traits": {"email": NAME, "role": "admin", "nick": "annie"}},
        ),
        event(4, type="survey.responded", data=answer),
        event(5, type="ticket.opened", data={"ticket": "t1", "owner": NAME, "user": "bob"}),
        event(6, type="account.updated", data={"traits": {"champion": NAME, "seats": 4}}),
        event(7, subject=f"user:{NAME}", data=person),
        event(8, data={"user": "bob"}),
    ]


def test_the_name_is_nowhere_and_every_count_stays(world: World) -> None:
    engine = world.engine()
    world.send(*history())
    world.drain(engine)
    settle(world, engine, decide(world, "amendment", "e1", event(1, data={"user": NAME, "more": 1})))
    opened = open_backfill(world.connection, tenant_id(world), "", "k", NOW)
    load(world, opened, event(20, data={"user": NAME}))
    world.send(event(21, data={"user": NAME}, time=(NOW + timedelta(hours=3)).isoformat()))
    world.send(event(8, data={"user": NAME}))
    world.drain(engine)
    assert {"engine.person", "engine.rejected body", "engine.conflict", "engine.raw_chunk bodies"} <= set(
        places_of(world, NAME)
    )
    before = {t: len(rows) for t, rows in figure_tables(world.connection).items()}
    cells = {t: rows for t, rows in figure_tables(world.connection).items() if t.startswith(("total",))}
    token, counts = erase(world, engine, NAME)
    world.clock.advance(timedelta(seconds=2))
    world.drain(engine)
    assert places_of(world, NAME) == []
    assert places_of(world, "annie") == []
    assert "engine.person" in places_of(world, token)
    assert counts["people"] == 3
    assert {t: len(rows) for t, rows in figure_tables(world.connection).items()} == before
    assert {
        t: rows for t, rows in figure_tables(world.connection).items() if t.startswith(("total",))
    } == cells


def test_who_is_named_by_a_tenants_own_events_is_erased_and_nobody_elses(world: World) -> None:
    """Events without an account name people too, and another tenant's may name the same."""
    mine, other = tenant_id(world), ensure_tenant(world.connection, "other")
    catalogue.apply(world.connection, "other", catalogue.load(base_pack()))
    engine = world.engine()
    data = {"user": NAME, "deal": "d1", "stage": "proposal", "owner": NAME}
    own = event(1, type="deal.stage_changed", subject=None, data=data)
    world.send(own, event(2, subject=None, data={"user": "bob"}))
    world.send(own, tenant="other")
    world.drain(engine)
    people = (
        "select count(*), count(distinct tenant_id) from engine.person where account_id = 0 and name = %s"
    )
    assert world.connection.execute(people, (NAME,)).fetchone() == (2, 2)
    token, counts = erase(world, engine, NAME)
    world.send(own | {"id": "e3"})
    world.drain(engine)
    assert (counts["people"], counts["raw_events"]) == (1, 1)
    assert world.connection.execute(people, (token,)).fetchone() == (1, 1)
    bodies = world.connection.execute("select tenant_id, bodies from engine.raw_chunk").fetchall()
    said = {(tenant, NAME.encode() in unpack_bodies(bytes(packed))[0]) for tenant, packed in bodies}
    assert said == {(mine, False), (other, True)}


def test_events_that_come_again_or_later_stay_erased(world: World) -> None:
    engine = world.engine()
    world.send(*history())
    world.drain(engine)
    erase(world, engine, NAME)
    counted = world.counted()
    world.send(*history())
    world.drain(engine)
    assert world.counted() == counted, "all are duplicates"
    assert world.one("select count(*) from engine.conflict") == 0
    for number, runs in ((30, engine), (31, world.engine())):
        world.send(event(number, data={"user": NAME, "comment": f"{NAME} again"}))
        world.send(event(number + 10, subject=f"user:{NAME}", data={"user": NAME}))
        world.send(event(number, data={"user": NAME}, time=(NOW + timedelta(hours=3)).isoformat()))
        world.drain(runs)
    assert places_of(world, NAME) == []
    assert world.one("select count(*) from engine.person where name like 'erased-%%'") == 3
    assert world.one("select count(*) from engine.account") == 3


def test_partitions_that_erase_one_after_the_other_erase_everything(world: World) -> None:
    """Under load one has passed the entry while events of that name still come to another that hasn't."""
    consumer = world.broker.consumer()
    engine = world.engine(consumer)
    accounts = ("wayne", "acme", "globex", f"user:{NAME}")
    assert [partition_of("default", account, PARTITIONS) for account in accounts] == [0, 1, 1, 1]
    person = {"user": NAME}
    world.send(*history())
    world.drain(engine)
    world.clock.advance(timedelta(seconds=5))
    decide(world, "amendment", "e8", event(8, data=person))
    token, digest = new_token(), person_hash(erasure_key(world.connection), tenant_id(world), NAME)
    new = NewEntry("erasure", "asked", "bw_admin_test", person_hash=digest, token=token)
    asked = append(world.connection, tenant_id(world), new, world.clock.now())
    late = [TopicPartition(EVENTS, 1)]
    consumer.pause(late)
    world.send(event(60, data=person), event(61, subject=accounts[3], data=person))
    for number in (50, 51, 52):
        world.send(event(number, subject=accounts[0]))
        engine.quiet_work_now()
        engine.step()
    assert world.one("select array_agg(partition) from engine.control_progress where seq = 2") == [0]
    consumer.resume(late)
    world.send(event(2, subject="globex", data={**person, "again": 1}))
    world.send(event(62, data=person, time=(NOW + timedelta(hours=3)).isoformat()))
    world.drain(engine)
    assert settle(world, engine, asked).state == "applied"
    world.clock.advance(timedelta(seconds=2))
    world.drain(engine)
    assert places_of(world, NAME) == []
    assert world.one(
        "select count(*), count(distinct account_id) from engine.person where name = %s", token
    ) == (3, 3)
    assert world.one("select count(*) from engine.account where name = %s", f"user:{token}") == 1


def test_an_erasure_that_was_refused_is_finished_by_another(world: World) -> None:
    """Events that came in between got the token, as a second person and a second account."""
    engine = world.engine()
    world.send(*history())
    world.drain(engine)
    token = refused_erasure(world)
    world.send(event(70, data={"user": NAME}), event(71, subject=f"user:{NAME}", data={"user": NAME}))
    engine = world.engine()
    world.drain(engine)
    counted, shown_before = world.counted(), shown(world)
    assert "engine.person" in places_of(world, NAME)
    again, counts = erase(world, engine, NAME)
    assert (again, counts["people"]) == (token, 3)
    world.clock.advance(timedelta(seconds=2))
    world.drain(engine)
    assert places_of(world, NAME) == []
    assert (world.counted(), shown(world)) == (counted, shown_before)
    world.send(*history(), event(72, data={"user": NAME}))
    world.drain(engine)
    assert world.counted() == counted + 1
    names = {name for (name,) in world.connection.execute("select name from engine.person").fetchall()}
    assert {name[: len(token)] for name in names} == {"bob", token}
    with pytest.raises(Conflict):
        erase(world, engine, NAME)


def refused_erasure(world: World) -> str:
    """An entry that every partition passed and none applied; returns its token."""
    token, asked = new_token(), tenant_id(world)
    digest = person_hash(erasure_key(world.connection), asked, NAME)
    new = NewEntry("erasure", "asked", "bw_admin_test", person_hash=digest, token=token)
    append(world.connection, asked, new, world.clock.now())
    for partition in range(PARTITIONS):
        world.connection.execute(
            "insert into engine.control_progress (tenant_id, partition, seq) values (%s, %s, 1)",
            (asked, partition),
        )
        world.connection.execute(
            "insert into engine.control_result (tenant_id, seq, partition, state, code) values (%s, 1, %s, 'refused', 'entry-failed')",
            (asked, partition),
        )
    return token


def test_an_amendment_does_not_bring_the_name_back(world: World) -> None:
    engine = world.engine()
    world.send(*history())
    world.drain(engine)
    erase(world, engine, NAME)
    person = {"user": NAME, "comment": f"{NAME} again"}
    assert settle(world, engine, decide(world, "amendment", "e8", event(8, data=person))).state == "applied"
    refused = decide(world, "amendment", "e99", event(99, data={"user": "bob", "owner": NAME}))
    assert settle(world, engine, refused).code == "event-unknown"
    assert places_of(world, NAME) == []


def test_what_is_corrected_by_the_erased_name_is_found_and_the_name_is_not_kept(world: World) -> None:
    """Whoever has the event at hand knows the account by no other name."""
    engine = world.engine()
    world.send(*(of_own(number) for number in (1, 2, 3)))
    world.drain(engine)
    token, _ = erase(world, engine, NAME)
    account = f"user:{NAME}"
    gone = decide(world, "deletion", "e1", account=account)
    amended = decide(world, "amendment", "e2", of_own(2) | {"type": "feature.used"}, account=account)
    for entry_id in (gone, amended):
        done = settle(world, engine, entry_id)
        assert (done.state, done.code, done.account) == ("applied", None, f"user:{token}")
    refused = settle(world, engine, decide(world, "deletion", "e9", account=account))
    assert refused.code == "event-unknown"
    assert (world.counted(), places_of(world, NAME)) == (2, [])


def of_own(number: int) -> dict[str, Any]:
    """An event of the account that is called by the person."""
    return event(number, subject=f"user:{NAME}", data={"user": NAME})


@pytest.mark.parametrize("when", ["before the first event", "while it waits", "when it is closed"])
def test_events_of_backfills_stay_who_they_are(world: World, when: str) -> None:
    engine = world.engine()
    world.send(of_own(1))
    world.drain(engine)
    opened = open_backfill(world.connection, tenant_id(world), "", "k", NOW)
    if when == "before the first event":
        erase(world, engine, NAME)
    load(world, opened, of_own(1), of_own(2), of_own(3), event(4))
    world.drain(engine)
    if when == "while it waits":
        erase(world, engine, NAME)
    counts = closed(world, engine, opened)
    assert (counts["new"], counts["duplicates"], counts["conflicts"]) == (3, 1, 0)
    world.send(of_own(3))
    world.drain(engine)
    if when == "when it is closed":
        erase(world, engine, NAME)
    assert places_of(world, NAME) == []
    world.send(of_own(1), of_own(2), event(4))
    later = world.engine()
    world.drain(later)
    assert world.counted() == 4
    counts = reverted(world, later, opened)
    assert (counts["taken_out"], counts["came_back"]) == (3, 3)
    assert world.counted() == 4
    world.send(of_own(1), of_own(2), of_own(3), event(4))
    world.drain(later)
    assert world.counted() == 4, "what came back is known as it was"


def test_a_deletion_of_an_erased_account_outlives_the_backfill(world: World) -> None:
    engine = world.engine()
    opened = open_backfill(world.connection, tenant_id(world), "", "k", NOW)
    load(world, opened, of_own(1), of_own(2))
    world.drain(engine)
    closed(world, engine, opened)
    settle(world, engine, decide(world, "deletion", "e1", account=f"user:{NAME}"))
    erase(world, engine, NAME)
    reverted(world, engine, opened)
    world.send(of_own(1), of_own(2))
    world.drain(engine)
    assert world.counted() == 1


def told_of(name: str) -> list[dict[str, Any]]:
    """Everything that is stored beside raw events, with the name wherever a source may put it."""
    person = {"user": name}
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("user.logged_in", person),
        ("feature.used", {**person, "feature": "export", "value": 2.50}),
        ("user.updated", {**person, "traits": {"is_internal": False, "emails": [name], "role": "admin"}}),
        ("account.updated", {**person, "traits": {"segment": "smb"}}),
        ("account.updated", {"traits": {"contacts": [{"email": name}], "champion": name, "seats": 4}}),
        ("survey.sent", {**person, "survey": name, "kind": "nps", "wave": "1"}),
        ("survey.responded", {**person, "survey": name, "kind": "nps", "wave": name, "score": 9, "comment": "Fine!"}),
        ("ticket.opened", {**person, "ticket": name}),
        ("ticket.resolved", {"ticket": name}),
        ("deal.created", {"deal": f"{name}", "amount": "250.50", "currency": "EUR", "partner": name}),
        ("deal.won", {"deal": f"{name}", "source": name}),
        ("subscription.started", {"subscription": name, "mrr": "40", "currency": "EUR", "product": name}),
        ("subscription.cancelled", {"subscription": name, "reason": name}),
        ("feedback.received", {**person, "theme": name, "text": "Words of my own"}),
        ("journey.step_entered", {**person, "journey": name, "step": name}),
        ("invoice.failed", {"invoice": name, "amount": "40", "currency": "EUR"}),
        ("success_plan.set", {"goal": name, "target": 3, "baseline": 1, "due": "2026-03-01"}),
    ]  # fmt: skip
    return [
        event(number, id=f"k{len(name)}-{number}", type=kind, data=data)
        for number, (kind, data) in enumerate(kinds)
    ]


def test_history_made_anew_after_an_erasure_is_the_same_to_the_cell(world: World) -> None:
    engine = world.engine()
    world.send(*told_of(NAME), *told_of("bob"), packed=50)
    world.send(event(90, data={"user": NAME}, subject=f"user:{NAME}"))
    world.drain(engine)
    before = shown(world)
    erase(world, engine, NAME)
    assert places_of(world, NAME) == []
    assert places_of(world, "Words of my own") == ["engine.raw_chunk bodies"], "bob's stay"
    assert shown(world) == before
    stored = figure_tables(world.connection)
    settle(
        world,
        engine,
        append(world.connection, tenant_id(world), NewEntry("rebuild", "", "k"), world.clock.now()),
    )
    assert figure_tables(world.connection) == stored
    assert shown(world) == before


def shown(world: World) -> list[Any]:
    """All figures of all metrics."""
    pack = catalogue.current(world.connection, tenant_id(world))
    assert pack is not None
    names = sorted(pack.metrics)
    found: list[Any] = []
    for at in range(0, len(names), 10):
        made = Query(tuple(names[at : at + 10]), date(2026, 1, 1), date(2026, 4, 1), "month", limit=10_000)
        answer = query(world.connection, tenant_id(world), pack, made, NOW + timedelta(hours=1))
        found += [
            (f.metric, f.start, f.value, f.numerator, f.denominator, f.n, f.accounts) for f in answer.figures
        ]
    return found
