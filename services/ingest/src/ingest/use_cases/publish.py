"""Publishing: events that wait for one partition travel in one record, and a request is answered when all its records are durable."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

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
    """How records are made. With nothing in flight events are sent at once; else they wait until all that is in flight has landed, for
    `linger_seconds` at most, or until `record_bytes` wait for one partition."""

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
_Landed = Callable[[BaseException | None], None]
# A record, and who is told what became of it.
_Launch = tuple[OutRecord, _Landed]


@dataclass(slots=True)
class _Lane:
    """Events of one tenant, and of one backfill or none, waiting for one partition; gone when they are sent."""

    tenant: str
    partition: int
    backfill: str | None
    waiting: "deque[tuple[_Part, int]]" = field(default_factory=deque)
    waiting_bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Flight:
    """A record on its way."""

    record_bytes: int
    sent_at: float
    landed: _Landed


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
        self._lanes: dict[tuple[str, int, str | None], _Lane] = {}
        self._timer: asyncio.TimerHandle | None = None
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

    async def publish(
        self, tenant: str, parts: Mapping[int, Sequence[Item]], backfill: str | None = None
    ) -> None:
        """Return when every event is durable; raises Unavailable when that is unknown of any: sending all again is harmless."""
        if not parts:
            return
        request = _Request(asyncio.get_running_loop().create_future())
        for partition, bodies in parts.items():
            lane = self._lanes.get((tenant, partition, backfill))
            if lane is None:
                lane = self._lanes[tenant, partition, backfill] = _Lane(tenant, partition, backfill)
            for run, size in chunks(bodies, self._pace.record_bytes):
                request.open += 1
                lane.waiting.append(((run, request), size))
                lane.waiting_bytes += size
            if lane.waiting_bytes >= self._pace.record_bytes:
                self._launch(list(self._records(self._lanes.pop((tenant, partition, backfill)))))
        self._consider()
        await self._within(request.done)

    async def publish_record(self, record: OutRecord) -> None:
        """Publish one record as it is; errors as for `publish`."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def landed(error: BaseException | None) -> None:
            if not done.done():
                done.set_result(None) if error is None else done.set_exception(error)

        self._launch([(record, landed)])
        await self._within(done)

    def offer(self, record: OutRecord, landed: _Landed) -> bool:
        """Publish one record without waiting; `landed` is told the outcome. False when the budget has no room for it."""
        if not self._budget.has_room(len(record.value)):
            return False
        self._launch([(record, landed)])
        return True

    async def _within(self, done: "asyncio.Future[None]") -> None:
        try:
            await asyncio.wait_for(done, self._pace.timeout_seconds)
        except TimeoutError as error:
            raise Unavailable(
                "publish-timeout", "the log did not confirm in time; send the same again", 2
            ) from error

    def _consider(self) -> None:
        if not self._flights:
            self._send_all()
        elif self._timer is None and self._lanes:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._pace.linger_seconds, self._send_all)

    def _send_all(self) -> None:
        """Send what waits, all lanes together."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lanes, self._lanes = self._lanes, {}
        if lanes:
            self._launch([launch for lane in lanes.values() for launch in self._records(lane)])

    def _records(self, lane: _Lane) -> Iterator[_Launch]:
        while lane.waiting:
            parts, _ = take(lane.waiting, self._pace.record_bytes)
            bodies = parts[0][0] if len(parts) == 1 else [body for run, _ in parts for body in run]
            stamp_us = int(self._now().timestamp() * 1_000_000)
            record = pack_events(
                self._topic, lane.partition, lane.tenant, stamp_us, bodies, backfill=lane.backfill
            )
            yield record, partial(_finish, [request for _, request in parts])

    def _launch(self, launches: Sequence[_Launch]) -> None:
        sent_at = time.monotonic()
        numbers = range(self._next_flight, self._next_flight + len(launches))
        self._next_flight = numbers.stop
        for number, (record, landed) in zip(numbers, launches, strict=True):
            self._flights[number] = _Flight(len(record.value), sent_at, landed)
        self._budget.hold(sum(len(record.value) for record, _ in launches))
        report = partial(self._report, asyncio.get_running_loop())
        sent = self._producer.send_all([record for record, _ in launches])
        for number, done in zip(numbers, sent, strict=True):
            done.add_done_callback(partial(report, number))

    def _report(self, loop: asyncio.AbstractEventLoop, number: int, done: "Future[Position]") -> None:
        """Called on the producer's thread."""
        self._landed.append((number, done.exception()))
        if not self._told:
            self._told = True
            loop.call_soon_threadsafe(self._land)

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
        self._consider()


def _finish(requests: Sequence[_Request], error: BaseException | None) -> None:
    for request in requests:
        request.finish(error)
