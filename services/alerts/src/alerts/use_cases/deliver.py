"""Empties the outbox: claims due notices, hands each to its channel, writes what came of it."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from alerts.domain.retries import Outcome, next_attempt_at
from alerts.metrics import Metrics
from alerts.ports.channel import Channel, Receipt
from alerts.ports.outbox import Claimed, Outbox, Verdict
from common.clock import Clock
from common.errors import Unavailable
from common.logs import get_logger

log = get_logger("deliver")
# Attempts under way at once, in all and per receiver: one that hangs must not hold up the others.
MAX_IN_FLIGHT = 96
MAX_PER_RECEIVER = 16
# How long to wait, at most, before looking at the outbox although nobody woke us.
POLL_SECONDS = 0.25
OUTAGE_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Ended:
    """An attempt of which nothing is written yet."""

    claimed: Claimed
    receipt: Receipt
    at: datetime


@dataclass
class Deliverer:
    """One worker of one event loop; any number of them share an outbox."""

    outbox: Outbox
    channels: Mapping[str, Channel]
    clock: Clock
    metrics: Metrics
    random: random.Random

    def __post_init__(self) -> None:
        self._woken = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: list[_Ended] = []
        self._per_receiver: Counter[int] = Counter()
        self._defect: BaseException | None = None

    def wake(self) -> None:
        """To be called on the worker's loop."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; attempts under way then get to end. A defect in an attempt is raised here."""
        for channel in self.channels.values():
            await channel.prepare()
        while not stop.is_set() and self._defect is None:
            self._woken.clear()
            try:
                await self._settle()
                found = await self._start_due()
            except Unavailable as error:
                log.warning("outbox_unavailable", error=error.message)
                await _wait(stop, OUTAGE_PAUSE_SECONDS)
                continue
            if not found and not self._ended:
                await _wait(self._woken, POLL_SECONDS)
        if self._tasks:
            await asyncio.wait(self._tasks)
        try:
            await self._settle()
        except Unavailable as error:
            # Nothing was written, so the leases run out and they are delivered again under the same ids.
            log.warning("attempts_not_written", attempts=len(self._ended), error=error.message)
        if self._defect is not None:
            raise self._defect

    async def _settle(self) -> None:
        """Writes what came of all attempts that ended; what could not be written stays among them, and keeps its place."""
        ended = self._ended[:]
        if not ended:
            return
        await asyncio.to_thread(self._write, ended)
        del self._ended[: len(ended)]
        for one in ended:
            receiver_id = one.claimed.delivery.receiver.receiver_id
            self._per_receiver[receiver_id] -= 1
            if self._per_receiver[receiver_id] <= 0:
                del self._per_receiver[receiver_id]

    def _write(self, ended: Sequence[_Ended]) -> None:
        self.outbox.settle([(one.claimed, self._judge(one.claimed, one.receipt, one.at)) for one in ended])

    async def _start_due(self) -> bool:
        room = MAX_IN_FLIGHT - self._per_receiver.total()
        if room <= 0:
            return False
        busy = [receiver for receiver, count in self._per_receiver.items() if count >= MAX_PER_RECEIVER]
        claimed = await asyncio.to_thread(
            self.outbox.claim, self.clock.now(), min(room, MAX_PER_RECEIVER), busy
        )
        for one in claimed:
            self._per_receiver[one.delivery.receiver.receiver_id] += 1
            task = asyncio.create_task(self._attempt(one))
            self._tasks.add(task)
            task.add_done_callback(self._done)
        return bool(claimed)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._defect = task.exception()
        self._woken.set()

    async def _attempt(self, claimed: Claimed) -> None:
        delivery = replace(claimed.delivery, at=self.clock.now())
        if claimed.receiver_disabled and delivery.type != "receiver.test":
            receipt = Receipt(Outcome.REFUSED, "receiver-disabled")
        else:
            receipt = await self.channels[delivery.receiver.kind].deliver(delivery)
        now = self.clock.now()
        self.metrics.attempted(receipt.outcome)
        if receipt.outcome is Outcome.DELIVERED:
            self.metrics.delivered_after((now - delivery.created_at).total_seconds())
        log.info(
            "attempted",
            notification=delivery.id,
            number=claimed.number,
            outcome=receipt.outcome.value,
            reason=receipt.reason,
        )
        self._ended.append(_Ended(replace(claimed, delivery=delivery), receipt, now))

    def _judge(self, claimed: Claimed, receipt: Receipt, now: datetime) -> Verdict:
        if receipt.outcome is Outcome.GONE:
            return Verdict(receipt, now, None, disable_receiver=receipt.reason)
        if receipt.outcome is not Outcome.RETRY:
            return Verdict(receipt, now, None)
        again = next_attempt_at(claimed.round, now, receipt.retry_after, self.random.random())
        if again is not None:
            return Verdict(receipt, now, again)
        receiver_id = claimed.delivery.receiver.receiver_id
        # Three days of trying: a receiver that took nothing else meanwhile is not there any more.
        is_dead = not self.outbox.has_succeeded_since(receiver_id, claimed.delivery.created_at)
        return Verdict(receipt, now, None, disable_receiver="never-reached" if is_dead else None)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
