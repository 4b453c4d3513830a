"""New and changed measures are counted for the past from kept events, while what was in force goes on answering."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.integration.kpi_engine.test_engine import (
    EVENTS,
    NOW,
    PARTITIONS,
    REJECTED,
    World,
    event,
)

from common import figures
from common.auth.store import ensure_tenant
from common.catalogue import apply, current, load
from common.catalogue.lifecycles import Step
from common.catalogue.loading import base_pack
from common.catalogue.models import Catalogue, Measure, Metric, Settings, Simple
from common.catalogue.store import at_version, current_version
from common.clock import FixedClock
from common.figures.model import Query
from common.streams.memory import MemoryBroker, MemoryConsumer
from common.streams.port import TopicPartition
from kpi_engine.consumer.loop import Engine

TYPES = ("user.logged_in", "feature.used", "complaint.filed", "survey.responded", "user.updated")
CELLS = """
select m.name, coalesce(a.name, ''), v.{bucket}, v.value from engine.{table} v join engine.measure m on m.id = v.measure_id
left join engine.account a on a.id = v.account_id where v.value <> 0 and (m.name, m.origin) in
  (select * from unnest(%s::text[], %s::int[]))
"""
STEPS = """
select m.name, coalesce(a.name, ''), s.step, s.at, case s.source when '' then p.name else s.event_id end, s.amount
from published.step s join engine.measure m on m.id = s.measure_id
left join engine.account a on a.id = s.account_id left join engine.person p on p.id = s.person_id
where (m.name, m.origin) in (select * from unnest(%s::text[], %s::int[]))
"""
TOTALS = CELLS.replace("left join engine.account a on a.id = v.account_id", "").replace(
    "coalesce(a.name, '')", "v.partition"
)


@pytest.fixture
def world(postgres_url: str) -> Iterator[World]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        ensure_tenant(connection, "default")
        made = World(
            postgres_url, MemoryBroker({EVENTS: PARTITIONS, REJECTED: 1}), FixedClock(NOW), connection
        )
        yield made
        for opened in made.opened:
            opened.close()


def pack(*measures: Measure, zone: str = "UTC") -> Catalogue:
    """The base pack's event types and settings with these measures, each with a metric of its own where it is a plain sum."""
    base = load(base_pack())
    template = base.metrics["portal_logins"]
    simple = [m for m in measures if m.agg in ("count", "sum")]
    return base.model_copy(
        update={
            "settings": Settings(timezone=zone),
            "measures": {m.name: m for m in measures},
            "metrics": {m.name: _metric(template, m.name) for m in simple},
            "rules": {},
            "signals": {},
            "risk": {},
        }
    )


def _metric(template: Metric, name: str) -> Metric:
    return template.model_copy(update={"name": name, "formula": Simple(type="simple", measure=name)})


LOGINS = Measure(name="logins", agg="count", event_types=("user.logged_in",), grain="day")
EXPORTS = Measure(
    name="logins", agg="count", event_types=("feature.used",), where='event.data.feature == "export"'
)
EVERYTHING = (
    LOGINS,
    Measure(name="minutes", agg="sum", event_types=("feature.used",), field="data.value", scale=2, grain="hour"),
    Measure(name="active_users", agg="distinct", activity=True, windows=(7, 28)),
    Measure(name="features", agg="distinct", event_types=("feature.used",), field="data.feature", windows=(7,)),
    Measure(name="active_accounts", agg="active_accounts", windows=(7, 28)),
    Measure(name="latest", agg="last", event_types=("feature.used",), field="data.value"),
    Measure(name="nps", agg="nps", event_types=("survey.responded",)),
    Measure(name="complaining", agg="steps", entity=("data.survey",), amount="data.value",
            steps=(Step(name="filed", event_types=("complaint.filed",)),)),
    Measure(name="exporting", agg="steps",
            steps=(Step(name="first", event_types=("feature.used",), keep="earliest"),)),
)  # fmt: skip


class Spare(MemoryConsumer):
    """Of a group that has no partition for it."""

    def subscribe(
        self,
        topics: Sequence[str],
        assigned: Callable[[Sequence[TopicPartition]], None],
        revoked: Callable[[Sequence[TopicPartition]], None],
    ) -> None:
        super().subscribe((), assigned, revoked)


def brought_in_force(engine: Engine, world: World, version: int) -> None:
    for _ in range(500):
        engine.quiet_work_now()
        engine.step()
        if current_version(world.connection, 1) == version:
            return
    raise AssertionError(f"version {version} never came into force")


def tables(world: World, catalogue: Catalogue) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that the measures of a catalogue keep."""
    origins = catalogue.row_origins()
    wanted = (list(origins), list(origins.values()))
    found = {
        "hours": CELLS.format(table="measure_hour", bucket="bucket"),
        "days": CELLS.format(table="measure_day", bucket="day"),
        "last": CELLS.format(table="last_value", bucket="day"),
        "steps": STEPS,
        "total hours": TOTALS.format(table="total_hour", bucket="bucket"),
        "total days": TOTALS.format(table="total_day", bucket="day"),
    }
    return {name: sorted(world.connection.execute(sql, wanted).fetchall()) for name, sql in found.items()}


def test_a_new_measure_counts_kept_events_and_answers_only_when_it_is_whole(world: World) -> None:
    apply(world.connection, "default", pack(LOGINS))
    engine = world.engine()
    world.send(*(event(n, subject=f"account-{n % 5}") for n in range(200)))
    world.drain(engine)
    apply(world.connection, "default", pack(EXPORTS, EVERYTHING[2]))
    assert current_version(world.connection, 1) == 1, "before any of it is counted, the first version answers"
    world.send(*(event(n, subject=f"account-{n % 5}") for n in range(200, 230)))
    brought_in_force(engine, world, 2)
    catalogue = current(world.connection, 1)
    assert catalogue is not None
    assert catalogue.origins == {"logins": 2, "active_users": 2}
    assert [row[3] for row in tables(world, catalogue)["days"] if row[0] == "logins"] == []
    people = sum(row[3] for row in tables(world, catalogue)["total days"] if row[0] == "active_users")
    assert people == 15, "three people at each of five accounts"


def test_figures_name_their_version_and_older_versions_stay_queryable(world: World) -> None:
    apply(world.connection, "default", pack(LOGINS))
    engine = world.engine()
    used = [event(n, type="feature.used", data={"user": "u", "feature": "export"}) for n in range(50, 57)]
    world.send(*(event(n) for n in range(10)), *used)
    world.drain(engine)
    apply(world.connection, "default", pack(EXPORTS))
    brought_in_force(engine, world, 2)
    asked = Query(("logins",), NOW.date(), NOW.date() + timedelta(days=1))
    answers = {}
    for version in (1, 2):
        catalogue = at_version(world.connection, 1, version)
        assert catalogue is not None
        (figure,) = figures.query(world.connection, 1, catalogue, asked, NOW).figures
        answers[version] = figure.value
    assert answers == {1: 10, 2: 7}


def test_versions_are_taken_up_in_order_and_a_return_to_an_older_one_is_counted_anew(world: World) -> None:
    apply(world.connection, "default", pack(LOGINS))
    engine = world.engine()
    world.send(*(event(n) for n in range(10)))
    world.drain(engine)
    apply(world.connection, "default", pack(EXPORTS))
    apply(world.connection, "default", pack(LOGINS))
    brought_in_force(engine, world, 3)
    world.send(event(11))
    world.drain(engine)
    catalogue = current(world.connection, 1)
    assert catalogue is not None
    assert catalogue.origins == {"logins": 3}
    assert [row[3] for row in tables(world, catalogue)["total days"]] == [11]


def test_an_engine_that_owns_nothing_leaves_the_past_to_those_that_do(world: World) -> None:
    """One that has just joined, or one more than there are partitions."""
    apply(world.connection, "default", pack(LOGINS))
    engine = world.engine()
    world.send(event(1))
    world.drain(engine)
    apply(world.connection, "default", pack(EXPORTS))
    spare = world.engine(Spare(world.broker))
    for _ in range(3):
        spare.quiet_work_now()
        spare.step()
    assert current_version(world.connection, 1) == 1
    brought_in_force(engine, world, 2)


def test_only_words_changed_is_in_force_at_once(world: World) -> None:
    apply(world.connection, "default", pack(LOGINS))
    said = LOGINS.model_copy(update={"description": "Logins, said better."})
    assert apply(world.connection, "default", pack(said)) == 2
    assert current_version(world.connection, 1) == 2


@pytest.mark.parametrize("killed", [False, True])
def test_what_is_known_of_accounts_follows_definitions_that_count_nothing_anew(
    world: World, killed: bool
) -> None:
    """Health is judged anew though nothing arrives, also by an engine that was not there when they came into force."""
    base = pack(LOGINS)
    demanding = {name: one.model_copy(update={"least_known": 100}) for name, one in base.health.items()}
    apply(world.connection, "default", base)
    engine = world.engine()
    world.send(event(1), event(2, subject="globex"))
    world.drain(engine)
    world.connection.execute("update engine.account_state set computed_at = now() - interval '1 hour'")
    apply(world.connection, "default", base.model_copy(update={"health": demanding}))
    world.clock.advance(timedelta(minutes=1))
    if killed:
        world.opened.pop().close()
        engine = world.engine()
    for _ in range(20):
        engine.quiet_work_now()
        engine.step()
    judged = "select count(*) from engine.account_state where (health ->> 'definitions')::int = 2 and figures ->> 'health' is null"
    assert world.one(judged) == 2


def test_when_accounts_were_last_active_follows_what_activity_is(world: World) -> None:
    """What is no activity any more doesn't count for the past either, and what has become activity does."""
    base = pack(LOGINS, EVERYTHING[4])
    kinds = base.event_types
    turned = {
        "feature.used": kinds["feature.used"].model_copy(update={"activity": False}),
        "invoice.paid": kinds["invoice.paid"].model_copy(update={"activity": True}),
    }
    apply(world.connection, "default", base)
    engine = world.engine()
    at = {
        name: (NOW - timedelta(days=days)).isoformat()
        for name, days in (("login", 9), ("use", 2), ("invoice", 5))
    }
    used = {"user": "ann", "feature": "export"}
    world.send(
        event(1, time=at["login"]),
        event(2, type="feature.used", data=used, time=at["use"]),
        event(3, subject="globex", time=at["login"]),
        event(4, subject="globex", type="invoice.paid", data={"invoice": "i", "amount": "5", "currency": "EUR"}, time=at["invoice"]),
        event(5, subject="silent", type="feature.used", data=used, time=at["use"]),
    )  # fmt: skip
    world.drain(engine)
    world.connection.execute("update engine.account_state set computed_at = now() - interval '1 hour'")
    apply(world.connection, "default", base.model_copy(update={"event_types": {**kinds, **turned}}))
    brought_in_force(engine, world, 2)
    for _ in range(20):
        world.clock.advance(timedelta(minutes=1))
        engine.quiet_work_now()
        engine.step()
    said: dict[str, int | None] = dict(
        world.connection.execute(
            "select a.name, (s.figures ->> 'days_silent')::int from engine.account_state s join engine.account a on a.id = s.account_id"
        ).fetchall()
    )
    assert said == {"acme": 9, "globex": 5, "silent": None}
    last = world.connection.execute(
        "select last_activity_at from engine.account_seen s join engine.account a on a.id = s.account_id order by a.name"
    )
    assert [row[0] and row[0].isoformat() for row in last] == [at["login"], at["invoice"], None]


moments = st.integers(0, 40 * 24 * 60).map(lambda minutes: NOW - timedelta(minutes=minutes))
happened = st.builds(
    lambda kind, at, account, user, value, mark: {
        "type": kind,
        "time": at.isoformat(),
        "subject": account,
        "data": {
            "user": user,
            "feature": "export" if value % 2 else "report",
            "value": value,
            "survey": "s",
            "kind": "nps",
            "score": value % 11,
            **({"traits": {"is_internal": mark}} if kind == "user.updated" else {}),
        },
    },
    st.sampled_from(TYPES),
    moments,
    st.sampled_from(("acme", "globex", "initech")),
    st.sampled_from(("ann", "bob")),
    st.integers(0, 30),
    st.booleans(),
)


ANN = {"type": "feature.used", "subject": "acme", "data": {"user": "ann", "feature": "export", "value": 3}}
MARK = {"type": "user.updated", "subject": "acme", "data": {"user": "ann", "traits": {"is_internal": True}}}
UNMARK = {**MARK, "data": {"user": "ann", "traits": {"is_internal": False}}}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(before=[ANN] * 40, during=[MARK], pieces=1, zone="UTC")
@example(before=[MARK] + [ANN] * 40, during=[ANN, UNMARK, ANN], pieces=1, zone="Asia/Kolkata")
@given(
    before=st.lists(happened, min_size=1, max_size=30),
    during=st.lists(happened, max_size=12),
    pieces=st.integers(1, 3),
    zone=st.sampled_from(("UTC", "Asia/Kolkata", "America/New_York")),
)
def test_counting_the_past_leaves_what_counting_from_the_start_would_have(
    world: World, before: list[dict[str, Any]], during: list[dict[str, Any]], pieces: int, zone: str
) -> None:
    """Events go on arriving, and people turn out to be internal, while the past is counted piece by piece."""
    wanted = pack(*EVERYTHING, zone=zone)
    events = [
        event(n, **said) | {"time": said.get("time", (NOW - timedelta(hours=40 - n)).isoformat())}
        for n, said in enumerate([*before, *during])
    ]
    late = _counted_late(world, wanted, events[: len(before)], events[len(before) :], pieces)
    assert late == _counted_from_the_start(world, wanted, events)


def _counted_late(
    world: World,
    wanted: Catalogue,
    before: list[dict[str, Any]],
    during: list[dict[str, Any]],
    pieces: int,
) -> object:
    late = fresh(world)
    apply(late.connection, "default", pack(Measure(name="other", agg="count", event_types=("none",))))
    engine = late.engine()
    for at in range(0, len(before), 5):
        late.send(*before[at : at + 5])
        late.drain(engine)
    apply(late.connection, "default", wanted)
    # Small pieces, so that events fall between them.
    engine._past._past.piece_chunks = pieces  # type: ignore[attr-defined]
    engine.quiet_work_now()
    engine.step()
    for one in during:
        late.send(one)
        engine.step()
    brought_in_force(engine, late, 2)
    late.drain(engine)
    return _kept(late)


def _counted_from_the_start(world: World, wanted: Catalogue, events: list[dict[str, Any]]) -> object:
    early = fresh(world)
    apply(early.connection, "default", wanted)
    early.send(*events)
    early.drain(early.engine())
    return _kept(early)


def _kept(world: World) -> object:
    catalogue = current(world.connection, 1)
    assert catalogue is not None
    return tables(world, catalogue)


def fresh(world: World) -> World:
    """The same database, emptied."""
    names = world.connection.execute(
        """select format('%I.%I', schemaname, tablename) from pg_tables
           where schemaname = 'engine' or (schemaname, tablename) = ('control', 'definition')"""
    ).fetchall()
    world.connection.execute(f"truncate {', '.join(name for (name,) in names)} restart identity")
    for opened in world.opened:
        opened.close()
    world.opened.clear()
    return World(
        world.url,
        MemoryBroker({EVENTS: PARTITIONS, REJECTED: 1}),
        FixedClock(NOW),
        world.connection,
        world.opened,
    )
