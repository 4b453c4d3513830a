"""Topics that were lost, made anew or given other partitions: nothing is skipped in silence, and the runbook's statements bring it right."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.integration.kpi_engine.test_backfills import closed, load, opened
from tests.integration.kpi_engine.test_corrections import world
from tests.integration.kpi_engine.test_engine import EVENTS, PARTITIONS, REJECTED, World, event

from common.contracts.record import pack_rejected, partition_of
from common.control.backfills import Backfill
from common.streams.memory import MemoryBroker, MemoryConsumer
from common.streams.port import TopicPartition
from kpi_engine.ports.errors import EngineStopped

__all__ = ["opened", "world"]

RUNBOOK = Path(__file__).parents[3] / "docs" / "runbooks" / "engine-stopped.md"


def statement(chapter: str, **values: str) -> str:
    """What the runbook says to run, with its placeholders filled in."""
    text = RUNBOOK.read_text().partition(f"## `{chapter}`")[2]
    found = re.search(r"```sql\n(.*?)```", text, re.DOTALL)
    assert found is not None, chapter
    sql = found[1].replace("bellwether.events.v1b", "events-b").replace("bellwether.events.v1", EVENTS)
    for name, value in values.items():
        sql = sql.replace(name.replace("_", " "), value)
    return sql


def renewed(world: World) -> None:
    """The broker's data are lost: topics of the same names, with other ids and offsets from 0."""
    world.clock.advance(timedelta(minutes=5))
    world.broker = MemoryBroker({EVENTS: PARTITIONS, REJECTED: 1})


def follow_the_runbook(world: World) -> None:
    """`topic-recreated`: once for each topic that the engine names."""
    for topic in (EVENTS, REJECTED):
        done = statement("topic-recreated", ID_FROM_THE_MESSAGE=world.broker.topic_ids[topic])
        world.connection.execute(done.replace(f"'{EVENTS}'", f"'{topic}'"))


def refuse(world: World, body: bytes) -> None:
    stamp = int(world.clock.now().timestamp() * 1e6)
    world.broker.producer().send(
        pack_rejected(REJECTED, "default", stamp, "event-id-missing", "the event has no id", body)
    ).result()


def test_at_the_places_of_a_lost_topic_nothing_of_the_new_one_is_lost(world: World) -> None:
    for word in ("before", "after"):
        refuse(world, f'{{"source":"{word}"}}'.encode())
        world.send(event(1, data={"user": word}), event(2), b"not JSON " + word.encode(), packed=1)
        world.drain(world.engine())
        if word == "before":
            renewed(world)
            follow_the_runbook(world)
    refused = world.connection.execute("select source from engine.rejected where stage = 'ingest' order by 1")
    assert refused.fetchall() == [("after",), ("before",)]
    assert world.one("select count(*) from engine.rejected where stage = 'engine'") == 2
    assert world.one("select count(*) from engine.conflict") == 1
    world.send(event(1, data={"user": "yet another"}))
    renewed(world)
    follow_the_runbook(world)
    world.send(event(1, data={"user": "a third"}))
    world.drain(world.engine())
    assert world.one("select count(*) from engine.conflict") == 2, "also where both lie at one place"
    assert world.counted() == 2


def test_a_backfill_counts_what_waited_in_the_lost_topic_and_what_came_by_the_new_one(
    world: World, opened: Backfill
) -> None:
    load(world, opened, *(event(n) for n in range(3)))
    world.drain(world.engine())
    renewed(world)
    follow_the_runbook(world)
    load(world, opened, *(event(n) for n in range(2, 7)))
    engine = world.engine()
    world.drain(engine)
    counts = closed(world, engine, opened)
    assert (counts["new"], counts["duplicates"], world.counted()) == (7, 1, 7)


def test_records_that_are_read_again_are_kept_once(world: World, opened: Backfill) -> None:
    for _ in range(2):
        if not world.broker.logs[TopicPartition(REJECTED, 0)]:
            refuse(world, b"{}")
            world.send(event(1), event(1, data={"user": "other"}), b"not JSON", packed=1)
            load(world, opened, event(5))
        world.drain(world.engine())
        world.connection.execute("update engine.progress set next_offset = 0")
    kept = [world.one(f"select count(*) from engine.{table}") for table in ("rejected", "conflict", "staged")]
    assert kept == [2, 1, 1]


def test_a_log_that_ends_before_what_was_read_stops_the_engine_by_name(world: World) -> None:
    world.send(event(1), event(2), packed=1)
    world.drain(world.engine())
    partition = TopicPartition(EVENTS, partition_of("default", "acme", PARTITIONS))
    world.broker.logs[partition].pop()
    with pytest.raises(EngineStopped, match="offset 2 is wanted, but the log ends at 1") as stopped:
        world.engine().step()
    assert stopped.value.code == "offset-gone"


def test_a_log_that_lost_what_was_read_and_grew_past_it_stops_the_engine_and_the_runbook_reads_the_rest(
    world: World,
) -> None:
    world.send(event(1), event(2), event(3), packed=1)
    running = world.engine()
    world.drain(running)
    partition = TopicPartition(EVENTS, partition_of("default", "acme", PARTITIONS))
    world.broker.lose_from(partition, 1)
    world.send(event(4), event(2), event(5), packed=1)
    for engine in (running, world.engine()):
        with pytest.raises(EngineStopped, match="lost what was read from it from offset 1 on") as stopped:
            world.drain(engine)
        assert stopped.value.code == "offset-gone"
    assert world.counted() == 3
    done = statement("offset-gone").replace("FIRST_KEPT", "1").replace("= N;", f"= {partition.partition};")
    world.connection.execute(done.encode())
    world.drain(world.engine())
    assert world.counted() == 5


def test_a_broker_that_only_started_anew_stops_nobody(world: World) -> None:
    world.send(event(1), event(2), packed=1)
    world.drain(world.engine())
    partition = TopicPartition(EVENTS, partition_of("default", "acme", PARTITIONS))
    world.broker.lose_from(partition, 2)
    for n in (3, 4):
        world.send(event(n))
        world.drain(world.engine())
    assert world.counted() == 4


class Newcomer(MemoryConsumer):
    """Is given only the partitions that the topic did not have before."""

    def subscribe(
        self,
        topics: Sequence[str],
        assigned: Callable[[Sequence[TopicPartition]], None],
        revoked: Callable[[Sequence[TopicPartition]], None],
    ) -> None:
        super().subscribe(topics, assigned, revoked)
        self._owned = [one for one in self._owned if one.topic == EVENTS and one.partition >= PARTITIONS]


def widened(world: World) -> None:
    """Somebody added a partition to the topic."""
    ids = world.broker.topic_ids
    world.broker = MemoryBroker({EVENTS: PARTITIONS + 1, REJECTED: 1})
    world.broker.topic_ids = ids


def test_who_is_given_only_a_new_partition_stops_too_and_leaves_no_trace(world: World) -> None:
    world.drain(world.engine())
    widened(world)
    with pytest.raises(EngineStopped) as stopped:
        world.engine(Newcomer(world.broker)).step()
    assert stopped.value.code == "partitions-changed"
    assert world.one("select count(*) from engine.progress where topic = %s", EVENTS) == PARTITIONS


def test_after_the_runbook_for_changed_partitions_figures_are_fresh_again(world: World) -> None:
    world.send(event(1))
    world.drain(world.engine())
    widened(world)
    with pytest.raises(EngineStopped):
        world.engine().step()
    world.broker = MemoryBroker({"events-b": PARTITIONS, REJECTED: 1})
    world.broker.topic_ids[REJECTED] = world.one(
        "select topic_id::text from engine.progress where topic = %s limit 1", REJECTED
    )
    world.connection.execute(statement("partitions-changed"))
    world.events = "events-b"
    with pytest.raises(EngineStopped) as stopped:
        world.engine().step()
    assert stopped.value.code == "topic-recreated"
    done = statement("topic-recreated", ID_FROM_THE_MESSAGE=world.broker.topic_ids["events-b"])
    world.connection.execute(done.replace(f"'{EVENTS}'", "'events-b'"))
    world.clock.advance(timedelta(hours=1))
    world.send(event(2), event(1))
    engine = world.engine()
    world.drain(engine)
    engine.quiet_work_now()
    engine.step()
    assert world.counted() == 2
    assert world.one("select min(applied_at) from published.progress") == world.clock.now()


def test_a_topic_of_another_name_is_not_counted_beside_the_one_that_was_read(world: World) -> None:
    """Also while the runbook is followed and the engine, that nobody could stop, is started again and again."""
    world.send(event(1))
    world.drain(world.engine())
    widened(world)
    world.connection.execute(statement("partitions-changed"))
    before = world.connection.execute("select * from engine.progress order by 1, 2").fetchall()
    with pytest.raises(EngineStopped, match="came from events-b") as stopped:
        world.engine().step()
    assert stopped.value.code == "topic-renamed"
    assert world.connection.execute("select * from engine.progress order by 1, 2").fetchall() == before


def test_an_engine_that_ends_before_it_has_applied_anything_does_not_look_as_if_it_moved(
    world: World,
) -> None:
    world.send(event(1))
    world.drain(world.engine())
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    world.connection.execute("update engine.progress set updated_at = %s", (long_ago,))
    world.send(event(2))
    world.connection.execute("drop table engine.change cascade")
    with pytest.raises(Exception, match=r"engine\.change"):
        world.engine().step()
    assert world.one("select max(updated_at) from engine.progress where topic = %s", EVENTS) == long_ago
