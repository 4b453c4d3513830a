"""Publishing: events that wait for one partition travel in one record, and a request is answered when all its records are durable."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime

from common.contracts.record import OutRecord, pack_events
from common.errors import Unavailable
from common.logs import get_logger
from common.streams.port import Position, Producer
from ingest.domain.packing import chunks, take
from ingest.domain.validation import Item
from ingest.metrics import Metrics
from ingest.use_cases.admission import Budget

log = get_logger("ingest.publish")


@dataclass(frozen=True, slots=True)
class Pace:
    """How records are made. A lane with nothing in flight sends at once; else events wait for `linger_seconds` or the next acknowledgement."""

    record_bytes: int = 512 * 1024
    linger_seconds: float = 0.004
    timeout_seconds: float = 10.0
    stall_seconds: float = 3.0


class _Request:
    """Counts the parts of a request that aren't durable yet."""

    __slots__ = ("done", "open")

    def __init__(self, done: "asyncio.Future[None]") -> None:
        self.done, self.open = done, 0

    def finish(self, error: BaseException | None) -> None:
        self.open -= 1
        if self.done.done():
            return
        if error is not None:
            self.done.set_exception(error)
        elif self.open == 0:
            self.done.set_result(None)


_Part = tuple[list[Item], _Request]


@dataclass(slots=True)
class _Lane:
    """Events of one tenant waiting for one partition."""

    tenant: str
    partition: int
    waiting: "deque[tuple[_Part, int]]" = field(default_factory=deque)
    waiting_bytes: int = 0
    in_flight: int = 0
    timer: asyncio.TimerHandle | None = None


@dataclass(frozen=True, slots=True)
class _Flight:
    """A record on its way."""

    record_bytes: int
    sent_at: float
    landed: Callable[[BaseException | None], None]


class Publisher:
    """Publishes events and refused items. All methods run on one event loop; the producer's thread only reports to it.

    What was handed to the producer stays in the budget until the producer has decided on it, even when the request has given up.
    """

    def __init__(
        self,
        producer: Producer,
        topic: str,
        pace: Pace,
        budget: Budget,
        now: Callable[[], datetime],
        metrics: Metrics,
    ) -> None:
        self._producer, self._topic, self._pace = producer, topic, pace
        self._budget, self._now, self._metrics = budget, now, metrics
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._flights: dict[int, _Flight] = {}
        self._next_flight = 0
        self._landed: deque[tuple[int, BaseException | None]] = deque()
        self._told = False

    def refuse_when_stalled(self) -> None:
        """Raise Unavailable while the broker has left a record unanswered for too long."""
        if self.stalled():
            raise Unavailable(
                "broker-stalled", "the log does not confirm records; send the same again shortly", 2
            )

    def stalled(self) -> bool:
        """Tell whether the broker has left a record unanswered for too long. Safe to ask from any thread."""
        oldest = self._oldest()
        return oldest is not None and time.monotonic() - oldest.sent_at > self._pace.stall_seconds

    def _oldest(self) -> _Flight | None:
        try:
            return next(iter(self._flights.values()), None)
        except RuntimeError:  # another thread's look met a change; then records are moving
            return None

    async def publish(self, tenant: str, parts: Mapping[int, Sequence[Item]]) -> None:
        """Return when every event is durable; raises Unavailable when that is unknown of any: sending all again is harmless."""
        if not parts:
            return
        request = _Request(asyncio.get_running_loop().create_future())
        for partition, bodies in parts.items():
            lane = self._lanes.get((tenant, partition))
            if lane is None:
                lane = self._lanes[tenant, partition] = _Lane(tenant, partition)
            for run, size in chunks(bodies, self._pace.record_bytes):
                request.open += 1
                lane.waiting.append(((run, request), size))
                lane.waiting_bytes += size
            self._consider(lane)
        await self._within(request.done)

    async def publish_record(self, record: OutRecord) -> None:
        """Publish one record as it is; errors as for `publish`."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def landed(error: BaseException | None) -> None:
            if not done.done():
                done.set_result(None) if error is None else done.set_exception(error)

        self._launch(record, landed)
        await self._within(done)

    def offer(self, record: OutRecord, landed: Callable[[BaseException | None], None]) -> bool:
        """Publish one record without waiting; `landed` is told the outcome. False when the budget has no room for it."""
        if not self._budget.has_room(len(record.value)):
            return False
        self._launch(record, landed)
        return True

    @property
    def in_flight(self) -> int:
        """Records on their way or waiting."""
        return len(self._flights) + sum(len(lane.waiting) for lane in self._lanes.values())

    async def _within(self, done: "asyncio.Future[None]") -> None:
        try:
            await asyncio.wait_for(done, self._pace.timeout_seconds)
        except TimeoutError as error:
            raise Unavailable(
                "publish-timeout", "the log did not confirm in time; send the same again", 2
            ) from error

    def _consider(self, lane: _Lane) -> None:
        while lane.waiting_bytes >= self._pace.record_bytes or (lane.waiting and not lane.in_flight):
            self._send(lane)
        if lane.waiting and lane.timer is None:
            loop = asyncio.get_running_loop()
            lane.timer = loop.call_later(self._pace.linger_seconds, self._lingered, lane)

    def _lingered(self, lane: _Lane) -> None:
        lane.timer = None
        if lane.waiting:
            self._send(lane)
            self._consider(lane)

    def _send(self, lane: _Lane) -> None:
        parts, size = take(lane.waiting, self._pace.record_bytes)
        lane.waiting_bytes -= size
        bodies = parts[0][0] if len(parts) == 1 else [body for run, _ in parts for body in run]
        stamp_us = int(self._now().timestamp() * 1_000_000)
        record = pack_events(self._topic, lane.partition, lane.tenant, stamp_us, bodies)
        lane.in_flight += 1

        def landed(error: BaseException | None) -> None:
            lane.in_flight -= 1
            for _, request in parts:
                request.finish(error)
            self._consider(lane)

        self._launch(record, landed)

    def _launch(self, record: OutRecord, landed: Callable[[BaseException | None], None]) -> None:
        loop = asyncio.get_running_loop()
        number, self._next_flight = self._next_flight, self._next_flight + 1
        self._flights[number] = _Flight(len(record.value), time.monotonic(), landed)
        self._budget.hold(len(record.value))

        def report(done: "Future[Position]") -> None:
            self._landed.append((number, done.exception()))
            if not self._told:
                self._told = True
                loop.call_soon_threadsafe(self._land)

        self._producer.send(record).add_done_callback(report)

    def _land(self) -> None:
        """Handle all reports that have come; those that come meanwhile call again."""
        self._told = False
        while self._landed:
            number, error = self._landed.popleft()
            flight = self._flights.pop(number)
            self._budget.give(flight.record_bytes)
            if error is None:
                self._metrics.records.inc()
            else:
                log.warning("record_not_confirmed", error=str(error))
            flight.landed(error)
