"""While events keep coming the engine says how much is unread, and does what time brings."""

from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry
from tests.integration.kpi_engine.test_corrections import decide
from tests.integration.kpi_engine.test_engine import World, account_of, event, world

from common.streams.memory import MemoryBroker, MemoryConsumer
from common.streams.port import InRecord
from kpi_engine.domain.sizing import BatchSize

__all__ = ["world"]


class Slow(MemoryConsumer):
    """Hands out one record at every other poll, so that each makes a batch of its own."""

    paused = True

    def poll(self, timeout_seconds: float, max_records: int) -> list[InRecord]:
        self.paused = not self.paused
        return [] if self.paused else super().poll(timeout_seconds, 1)


def test_what_is_unread_is_told_while_events_keep_coming(world: World) -> None:
    registry = CollectorRegistry()
    engine = world.engine(Slow(world.broker), registry)
    world.send(*map(event, range(10)), packed=1)
    assert engine.step().events == 1
    assert registry.get_sample_value("bellwether_engine_records_behind") == 9
    while world.counted() < 10:
        engine.quiet_work_now()
        engine.step()
    assert registry.get_sample_value("bellwether_engine_records_behind") == 0


def test_partitions_of_which_nothing_is_unread_stay_fresh_while_another_is_busy(world: World) -> None:
    engine = world.engine()
    world.drain(engine)
    for number in range(3):
        world.clock.advance(timedelta(minutes=1))
        world.send(event(number, subject=account_of(0)))
        engine.quiet_work_now()
        assert engine.step().events == 1
        assert world.one("select min(applied_at) from engine.progress") == world.clock.now()


def test_the_last_batch_of_a_load_does_not_say_that_all_is_applied(world: World) -> None:
    """What it made due is looked for when nothing more comes: until then alerts would read figures of half a load."""
    engine = world.engine()
    world.drain(engine)
    came = world.clock.now()
    world.send(event(1, subject=account_of(0)))
    world.clock.advance(timedelta(seconds=5))
    engine.quiet_work_now()
    assert engine.step().events == 1
    applied = "select max(applied_at) from engine.progress"
    assert world.one(applied) == came
    engine.quiet_work_now()
    engine.step()
    assert world.one(applied) == world.clock.now()


def test_figures_are_not_as_of_a_future_that_a_wrong_clock_told(world: World) -> None:
    world.clock.advance(datetime.now(UTC) - world.clock.now() + timedelta(hours=1))
    engine = world.engine()
    for hours in (0, -1):
        world.clock.advance(timedelta(hours=hours))
        world.send(event(1, subject=account_of(0)))
        engine.quiet_work_now()
        engine.step()
        assert world.one("select array_agg(distinct applied_at) from engine.progress") == [world.clock.now()]


def computed_at(world: World) -> datetime:
    found: datetime = world.one(
        "select s.computed_at from engine.account_state s join engine.account a on a.id = s.account_id where a.name = 'quiet'"
    )
    return found


def test_an_account_of_which_only_time_passes_is_due_while_others_are_busy(world: World) -> None:
    engine = world.engine()
    world.send(event(1, subject="quiet"))
    world.drain(engine)
    before = computed_at(world)
    world.clock.advance(timedelta(days=2))
    for number in range(2, 6):
        world.clock.advance(timedelta(seconds=2))
        world.send(event(number, subject="busy"))
        engine.quiet_work_now()
        assert engine.step().events == 1
    after = computed_at(world)
    assert after > before + timedelta(days=2)


class Patient(MemoryConsumer):
    """Remembers how long it was to wait for records."""

    def __init__(self, broker: MemoryBroker) -> None:
        super().__init__(broker)
        self.waits: list[float] = []

    def poll(self, timeout_seconds: float, max_records: int) -> list[InRecord]:
        self.waits.append(timeout_seconds)
        return super().poll(timeout_seconds, max_records)


def test_corrections_that_wait_are_applied_one_after_the_other_without_a_pause(world: World) -> None:
    consumer = Patient(world.broker)
    engine = world.engine(consumer)
    world.send(*map(event, range(8)))
    world.drain(engine)
    for number in range(8):
        decide(world, "deletion", f"e{number}")
    world.clock.advance(timedelta(seconds=1))
    engine.quiet_work_now()
    consumer.waits.clear()
    applied = "select count(*) from engine.control_result where state = 'applied'"
    for _ in range(30):
        engine.step()
        if world.one(applied) == 8:
            break
    assert world.one(applied) == 8
    # The first finds the corrections, when nothing else is to be done.
    assert sum(wait > 0 for wait in consumer.waits) <= 1


def test_records_that_suddenly_pack_more_do_not_make_a_batch_many_times_as_large(world: World) -> None:
    engine = world.engine()
    engine._size = BatchSize(60, 60)
    account = account_of(0)
    world.send(*(event(number, subject=account) for number in range(60)), packed=1)
    world.drain(engine)
    world.send(*(event(number, subject=account) for number in range(100, 1300)), packed=30)
    taken = [engine.step().events for _ in range(40)]
    assert sum(taken) == 1200
    assert max(taken) <= 360, "a sixth of a batch, by records of one event each"
