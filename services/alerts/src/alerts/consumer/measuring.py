"""The thread that keeps the published accuracy up to date. One replica does it at a time; nothing waits for it."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from alerts.domain.gate import CATCHING_UP_LAG, lag_of
from alerts.ports.ledger import Ledger
from alerts.use_cases.publish import Publisher
from common.clock import Clock
from common.errors import Unavailable
from common.logs import get_logger

log = get_logger("measuring")
FIRST_AFTER_SECONDS = 20.0
EVERY_SECONDS = 60.0
_LEASE = "accuracy"


@dataclass
class Measuring:
    """`ledger` is a connection of its own: the lease ends with it."""

    ledger: Callable[[], AbstractContextManager[Ledger]]
    publisher: Publisher
    clock: Clock

    def run(self, stop: threading.Event) -> None:
        """Until `stop`; what a round leaves unfinished the next one does."""
        pause = FIRST_AFTER_SECONDS
        while not stop.wait(pause):
            pause = EVERY_SECONDS
            try:
                with self.ledger() as ledger:
                    if ledger.try_lease(_LEASE):
                        self.publisher.round(self.clock.now(), replays=is_settled(ledger))
            except Unavailable as error:
                log.warning("measuring_paused", error=error.message)


def is_settled(ledger: Ledger) -> bool:
    """A replay takes a core that a load or a backlog has better use for, and would read half a past."""
    return not ledger.loads() and all(lag_of(one) <= CATCHING_UP_LAG for one in ledger.progress())
