"""The loop that follows the engine's changes and the clock. One per process; replicas share the work by leases."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta

from alerts.metrics import Metrics
from alerts.ports.ledger import Ledger
from alerts.use_cases.calm import CalmAccounts
from alerts.use_cases.chores import Chores
from alerts.use_cases.follow import Follower
from alerts.use_cases.loads import LoadSweeper
from alerts.use_cases.upkeep import Upkeep
from common.clock import Clock, Every
from common.db.listen import Listener
from common.errors import Unavailable
from common.logs import get_logger

log = get_logger("watching")
OUTAGE_PAUSE_SECONDS = 1.0
# How often the clock's own work is looked for; the feed is looked at whenever it is woken, and every 250 ms.
CLOCK_WORK_EVERY = timedelta(seconds=1)
TIDY_EVERY = timedelta(minutes=10)
# The first change after a quiet moment is looked at without delay; changes that come thicker are looked at together.
ROUNDS_BEGIN_APART_SECONDS = 0.1


@dataclass
class Watching:
    """`last_round_at` (monotonic seconds) says that it is alive."""

    ledger: Callable[[], AbstractContextManager[Ledger]]
    listener: Listener
    follower: Follower
    sweeper: LoadSweeper
    upkeep: Upkeep
    chores: Chores
    calm: CalmAccounts
    metrics: Metrics
    clock: Clock

    def __post_init__(self) -> None:
        self.last_round_at = time.monotonic()
        self.metrics.round_ended(self.clock.now())
        self._clock_work = Every(CLOCK_WORK_EVERY, self.clock.now())
        self._tidying = Every(TIDY_EVERY, self.clock.now())

    def run(self, stop: threading.Event) -> None:
        """Until `stop`. A lost database is waited for; a defect ends the thread and, with it, the process."""
        while not stop.is_set():
            # Whoever held the leases meanwhile may have decided: what was remembered is not sure any more.
            self.calm.forget_all()
            try:
                with self.ledger() as ledger:
                    while not stop.is_set():
                        began = time.monotonic()
                        if not self.round(ledger):
                            self.listener.wait(stop)
                            stop.wait(max(began + ROUNDS_BEGIN_APART_SECONDS - time.monotonic(), 0))
            except Unavailable as error:
                log.warning("watching_paused", error=error.message)
                stop.wait(OUTAGE_PAUSE_SECONDS)
        self.listener.close()

    def round(self, ledger: Ledger) -> bool:
        """Whether there is more to do at once."""
        now = self.clock.now()
        more = self.follower.round(ledger, now)
        if self._clock_work.is_due(now):
            more |= self.follower.look_at_due(ledger, now)
            more |= self.sweeper.round(ledger, now)
            self.upkeep.tell_held_back(ledger, now)
            self.chores.round(ledger, now)
        if self._tidying.is_due(now):
            self.upkeep.tidy(ledger, now)
        self.last_round_at = time.monotonic()
        self.metrics.round_ended(now)
        return more

    def check(self) -> str | None:
        """For readiness: a loop that has not come round for a while."""
        silent = time.monotonic() - self.last_round_at
        return None if silent < 60 else f"nothing was evaluated for {silent:.0f} s"
