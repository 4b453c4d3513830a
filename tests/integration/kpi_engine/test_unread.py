"""How much is unread is known while the engine works it off too: it is when people have to hear of it."""

from prometheus_client import CollectorRegistry
from tests.integration.kpi_engine.test_engine import World, event, world

from common.streams.memory import MemoryConsumer
from common.streams.port import InRecord

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
    world.drain(engine)
    engine.quiet_work_now()
    engine.step()
    assert registry.get_sample_value("bellwether_engine_records_behind") == 0
