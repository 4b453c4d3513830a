"""The thread that keeps the published accuracy up to date. One replica does it at a time; nothing waits for it."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta

from alerts.domain.gate import CATCHING_UP_LAG, lag_of
from alerts.ports.ledger import Ledger
from alerts.use_cases.publish import Publisher
from common.aside import Aside
from common.clock import Clock
from common.errors import Unavailable
from common.logs import get_logger

log = get_logger("measuring")
FIRST_AFTER_SECONDS = 20.0
EVERY_SECONDS = 60.0
_LEASE = "accuracy"
IN_VAIN_FOR = timedelta(hours=1)


@dataclass
class Measuring:
    """`ledger` is a connection of its own: the lease ends with it. `replaying` runs `replay_pasts` in a process of its own, because a
    replay takes a core and a few hundred megabytes, and nobody who is to be warned must wait for it."""

    ledger: Callable[[], AbstractContextManager[Ledger]]
    publisher: Publisher
    replaying: Aside
    clock: Clock

    def __post_init__(self) -> None:
        self._in_vain: dict[int, tuple[str, ...]] = {}
        self._in_vain_until = self.clock.now()

    def run(self, stop: threading.Event) -> None:
        """Until `stop`; what a round leaves unfinished the next one does."""
        pause = FIRST_AFTER_SECONDS
        while not stop.wait(pause):
            pause = EVERY_SECONDS
            try:
                with self.ledger() as ledger:
                    if ledger.try_lease(_LEASE):
                        self.round(ledger)
            except Unavailable as error:
                log.warning("measuring_paused", error=error.message)

    def round(self, ledger: Ledger) -> None:
        """Has replayed what can be replayed now, then publishes."""
        missing = self.publisher.missing() if is_settled(ledger) else {}
        now = self.clock.now()
        if missing and (missing != self._in_vain or now >= self._in_vain_until):
            self.replaying.step()
            # Where a process could replay nothing, one started a minute later can't either.
            self._in_vain = missing if self.publisher.missing() == missing else {}
            self._in_vain_until = now + IN_VAIN_FOR
        self.publisher.round(self.clock.now(), missing)


def replay_pasts(ledger: Ledger, publisher: Publisher, clock: Clock) -> None:
    """All that is missing, as long as nothing is loaded."""
    while is_settled(ledger) and publisher.replay_some(clock.now()):
        pass


def is_settled(ledger: Ledger) -> bool:
    """A replay takes a core that a load or a backlog has better use for, and would read half a past."""
    return not ledger.loads() and all(lag_of(one) <= CATCHING_UP_LAG for one in ledger.progress())
